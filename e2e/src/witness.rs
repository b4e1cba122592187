//! Somebody who looks on while a test hurts a cluster: whether the object ever says Ready while its pods are not, and which
//! pods were replaced or restarted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::kubectl::{self, condition, is_ready};

const INTERVAL: Duration = Duration::from_millis(500);
/// How long the object may go on saying Ready after a pod has become unready: the operator has to hear of it.
const STALE: Duration = Duration::from_secs(10);

/// One broker's pod at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Broker {
    uid: String,
    restarts: u64,
    ready: bool,
    /// Whether its container is ready, whatever the control plane makes of its node.
    serves: bool,
}

/// The object and its pods at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sample {
    /// Whether the object says that it is what its newest spec asks for.
    claims: bool,
    wanted: usize,
    /// By name.
    brokers: BTreeMap<String, Broker>,
}

impl Sample {
    fn read(list: &Value, cluster: &str) -> Result<Self> {
        let items = list["items"].as_array().context("no list")?;
        let object = items
            .iter()
            .find(|item| item["kind"] == "Cluster" && item["metadata"]["name"] == cluster)
            .context("no Cluster of that name")?;
        let is_broker = |item: &&Value| {
            let labels = &item["metadata"]["labels"];
            item["kind"] == "Pod"
                && labels["app.kubernetes.io/component"] == "broker"
                && labels["vltava.dev/cluster"] == cluster
        };
        Ok(Self {
            claims: is_ready(object).is_ok(),
            wanted: usize::try_from(object["spec"]["brokers"]["replicas"].as_u64().unwrap_or(1))?,
            brokers: items.iter().filter(is_broker).map(broker).collect(),
        })
    }

    fn is_whole(&self) -> bool {
        self.brokers.len() == self.wanted && self.brokers.values().all(|b| b.ready)
    }
}

fn broker(pod: &Value) -> (String, Broker) {
    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
    let goes = !pod["metadata"]["deletionTimestamp"].is_null();
    let ready = condition(pod, "Ready").is_some_and(|c| c["status"] == "True");
    let restarts = pod["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap_or(0);
    let serves = pod["status"]["containerStatuses"][0]["ready"] == true;
    let uid = text("uid");
    (text("name"), Broker { uid, restarts, ready: ready && !goes, serves: serves && !goes })
}

/// What has been seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    samples: usize,
    /// The last sample; `None` if the API server did not answer since.
    last: Option<Sample>,
    /// Since when the object says Ready and its pods are not.
    wrong_since: Option<Duration>,
    findings: Vec<String>,
    /// Pod → uid → restarts.
    pods: BTreeMap<String, BTreeMap<String, u64>>,
    /// Pods that have served.
    served: BTreeSet<String>,
    /// Those of them that did not at the same time, each set once.
    away: BTreeSet<BTreeSet<String>>,
}

impl Seen {
    fn look(&mut self, now: Duration, sample: Sample) {
        self.samples += 1;
        for (name, broker) in &sample.brokers {
            let restarts =
                self.pods.entry(name.clone()).or_default().entry(broker.uid.clone()).or_default();
            *restarts = (*restarts).max(broker.restarts);
        }
        let serves = |name: &&String| sample.brokers.get(*name).is_some_and(|b| b.serves);
        self.served.extend(sample.brokers.keys().filter(serves).cloned());
        self.away.insert(self.served.iter().filter(|name| !serves(name)).cloned().collect());
        if sample.claims && !sample.is_whole() {
            let since = *self.wrong_since.get_or_insert(now);
            let text = || format!("at {:.1} s: {sample:?}", now.as_secs_f64());
            if self.last.as_ref().is_some_and(|last| is_early(last, &sample)) {
                self.findings.push(format!("Ready is claimed early {}", text()));
            } else if now.saturating_sub(since) > STALE {
                self.findings.push(format!("Ready is still claimed {}", text()));
            }
        } else {
            self.wrong_since = None;
        }
        self.last = Some(sample);
    }

    fn look_away(&mut self) {
        self.last = None;
        self.wrong_since = None;
    }

    /// Fails if more brokers than this, of those that had served, did not at the same time.
    pub fn at_most_away(&self, brokers: usize) -> Result<()> {
        let too_many = self.away.iter().find(|away| away.len() > brokers);
        ensure!(too_many.is_none(), "at the same time {too_many:?} were away");
        Ok(())
    }

    /// Fails if brokers of two zones, of those that had served, did not at the same time, or if no two of a zone ever did.
    /// `zones`: by pod.
    pub fn one_zone_away(&self, zones: &BTreeMap<String, String>) -> Result<()> {
        for away in &self.away {
            let zone = |pod: &String| zones.get(pod).with_context(|| format!("{pod} has no zone"));
            let of: BTreeSet<&String> = away.iter().map(zone).collect::<Result<_>>()?;
            ensure!(of.len() < 2, "at the same time {away:?} were away, of {zones:?}");
        }
        ensure!(
            self.away.iter().any(|away| away.len() > 1),
            "one after the other: {:?}",
            self.away
        );
        Ok(())
    }

    /// Fails if Ready was ever claimed early, or if a pod was replaced or restarted more often than `hurt` says.
    pub fn judge(&self, hurt: &BTreeMap<String, usize>) -> Result<()> {
        ensure!(self.samples > 0, "nothing was seen");
        ensure!(
            self.findings.is_empty(),
            "{} times; first {}",
            self.findings.len(),
            self.findings[0]
        );
        for (name, lives) in &self.pods {
            let restarts: u64 = lives.values().sum();
            let times = lives.len() - 1 + usize::try_from(restarts)?;
            let allowed = hurt.get(name).copied().unwrap_or(0);
            ensure!(
                times <= allowed,
                "pod {name} was replaced {} times and restarted {restarts} times, {allowed} times for a reason",
                lives.len() - 1
            );
        }
        Ok(())
    }
}

/// Whether the object has begun to say Ready although a pod was not ready before and is not now. A pod that was ready a
/// moment ago has been hurt since, which nobody can know yet.
fn is_early(last: &Sample, now: &Sample) -> bool {
    let was_ready = |name: &String| last.brokers.get(name).is_some_and(|b| b.ready);
    let missing = now.brokers.len() != now.wanted && last.brokers.len() != now.wanted;
    let unready = now.brokers.iter().any(|(name, b)| !b.ready && !was_ready(name));
    !last.claims && (missing || unready)
}

/// Looks on in a thread of its own until it is asked what it saw.
#[derive(Debug)]
pub struct Witness {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Seen>>,
}

impl Witness {
    /// Begins to look at this Cluster.
    pub fn start(namespace: &str, cluster: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, namespace, cluster) =
            (Arc::clone(&stop), namespace.to_owned(), cluster.to_owned());
        let thread = std::thread::spawn(move || {
            let (begun, mut seen) = (Instant::now(), Seen::default());
            while !stopped.load(Ordering::Relaxed) {
                match sample(&namespace, &cluster) {
                    Ok(sample) => seen.look(begun.elapsed(), sample),
                    Err(_) => seen.look_away(),
                }
                std::thread::sleep(INTERVAL);
            }
            seen
        });
        Self { stop, thread: Some(thread) }
    }

    /// Ends it and gives what it saw.
    pub fn finish(mut self) -> Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("it has ended")?;
        thread.join().map_err(|_| anyhow!("the witness panicked"))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn sample(namespace: &str, cluster: &str) -> Result<Sample> {
    let kinds = "clusters.vltava.dev,pods";
    let wanted = ["--namespace", namespace, "get", kinds, "--output", "json"];
    let text = kubectl::kubectl(wanted.iter().chain(&["--request-timeout=5s"]), "")?;
    Sample::read(&serde_json::from_str(&text)?, cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(claims: bool, ready: &[bool]) -> Sample {
        let broker = |(id, ready): (usize, &bool)| {
            let broker =
                Broker { uid: format!("u{id}"), restarts: 0, ready: *ready, serves: *ready };
            (format!("c-{id}-0"), broker)
        };
        Sample { claims, wanted: 2, brokers: ready.iter().enumerate().map(broker).collect() }
    }

    fn seen(samples: &[(u64, Sample)]) -> Result<()> {
        let mut seen = Seen::default();
        for (at, sample) in samples {
            seen.look(Duration::from_secs(*at), sample.clone());
        }
        seen.judge(&BTreeMap::new())
    }

    #[test]
    fn ready_while_a_pod_has_never_been_is_early() {
        let (yes, no) = (true, false);
        assert!(seen(&[(0, sample(no, &[yes, no])), (1, sample(yes, &[yes, yes]))]).is_ok());
        assert!(seen(&[(0, sample(no, &[yes, no])), (1, sample(yes, &[yes, no]))]).is_err());
        assert!(seen(&[(0, sample(no, &[yes])), (1, sample(yes, &[yes]))]).is_err());
        // It was killed in this very moment.
        assert!(seen(&[(0, sample(no, &[yes, yes])), (1, sample(yes, &[yes, no]))]).is_ok());
    }

    #[test]
    fn ready_may_be_claimed_a_little_longer_and_no_more() {
        let (whole, wrong) = (sample(true, &[true, true]), sample(true, &[true, false]));
        assert!(seen(&[(0, whole.clone()), (1, wrong.clone()), (9, wrong.clone())]).is_ok());
        assert!(seen(&[(0, whole.clone()), (1, wrong.clone()), (12, wrong.clone())]).is_err());
        assert!(seen(&[(0, wrong.clone()), (8, whole), (9, wrong.clone()), (18, wrong)]).is_ok());
    }

    #[test]
    fn brokers_away_at_the_same_time_are_counted_once_they_have_served() {
        let mut seen = Seen::default();
        for ready in [[true, false], [true, true], [false, true], [true, false]] {
            seen.look(Duration::ZERO, sample(false, &ready));
        }
        assert!(seen.at_most_away(1).is_ok() && seen.at_most_away(0).is_err());
        seen.look(Duration::ZERO, sample(false, &[]));
        assert!(seen.at_most_away(1).is_err());
    }

    #[test]
    fn brokers_of_one_zone_may_be_away_together_and_of_two_not() {
        let seen = |ready: &[[bool; 2]]| {
            let mut seen = Seen::default();
            for ready in ready {
                seen.look(Duration::ZERO, sample(false, ready));
            }
            seen
        };
        let zones = |of: [&str; 2]| {
            BTreeMap::from([("c-0-0".into(), of[0].into()), ("c-1-0".into(), of[1].into())])
        };
        let together = seen(&[[true, true], [false, false], [true, true]]);
        assert!(together.one_zone_away(&zones(["a", "a"])).is_ok());
        assert!(together.one_zone_away(&zones(["a", "b"])).is_err());
        let in_turn = seen(&[[true, true], [false, true], [true, false]]);
        assert!(in_turn.one_zone_away(&zones(["a", "a"])).is_err(), "none went together");
    }

    #[test]
    fn only_pods_that_were_hurt_may_have_another_life() {
        let mut again = sample(true, &[true, true]);
        again.brokers.get_mut("c-0-0").unwrap().uid = "other".to_owned();
        again.brokers.get_mut("c-0-0").unwrap().restarts = 1;
        let mut seen = Seen::default();
        seen.look(Duration::ZERO, sample(true, &[true, true]));
        seen.look(Duration::from_secs(1), again);
        assert!(seen.judge(&BTreeMap::from([("c-0-0".to_owned(), 1)])).is_err());
        assert!(seen.judge(&BTreeMap::from([("c-0-0".to_owned(), 2)])).is_ok());
    }
}
