//! Step three, pure: the one next change that brings the topic nearer to the spec, or why there is none.

use std::collections::BTreeMap;

use crds::{Reason, TopicReassignment, TopicSpec};

use crate::cluster::bytes;
use crate::kafka::{KeyChange, LiveTopic};
use crate::safety::{MovesAnswer, SafetyFailure};
use crate::verdict::Verdict;

/// Kafka's key for how many copies a write needs.
const MIN_IN_SYNC: &str = "min.insync.replicas";

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Plan {
    /// The topic is as the spec asks.
    Nothing,
    /// One order to Kafka.
    Change(Change),
    /// It has another number of replicas, or is perhaps on its way to this one: the brokers know.
    Resize(i32),
    /// It cannot be done.
    Refused(Verdict),
}

/// One order to Kafka.
#[derive(Debug)]
pub(crate) enum Change {
    Create { partitions: i32, replicas: Option<i32>, configs: BTreeMap<String, String> },
    Grow { from: i32, to: i32 },
    Configure(Vec<(String, KeyChange)>),
}

impl Change {
    /// For the status.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Create { partitions, .. } => {
                format!("creating the topic with {partitions} partitions")
            }
            Self::Grow { from, to } => format!("growing from {from} to {to} partitions"),
            Self::Configure(changes) => {
                let keys: Vec<_> = changes.iter().map(|(key, _)| key.as_str()).collect();
                format!("setting {}", keys.join(", "))
            }
        }
    }
}

pub(crate) fn plan(spec: &TopicSpec, live: Option<&LiveTopic>) -> Plan {
    let Some(live) = live else {
        let configs = spec.config.clone();
        return Plan::Change(Change::Create {
            partitions: spec.partitions,
            replicas: spec.replicas,
            configs,
        });
    };
    if live.partitions > spec.partitions {
        let text = format!(
            "the topic has {} partitions and spec.partitions is {}: Kafka cannot remove partitions; write {} or make a new topic",
            live.partitions, spec.partitions, live.partitions
        );
        return Plan::Refused(Verdict::stalled(Reason::PartitionsReduced, text));
    }
    if live.partitions < spec.partitions {
        return Plan::Change(Change::Grow { from: live.partitions, to: spec.partitions });
    }
    let mut changes = config_changes(&spec.config, &live.overrides);
    if spec.replicas.is_some_and(|replicas| replicas > live.replicas) {
        // Asking for more copies than there are would refuse writes until they are there.
        changes.retain(|(key, _)| key != MIN_IN_SYNC);
    }
    if !changes.is_empty() {
        return Plan::Change(Change::Configure(changes));
    }
    match spec.replicas {
        Some(replicas) if !fits(live, replicas) => Plan::Resize(replicas),
        _ => Plan::Nothing,
    }
}

/// Whether the topic certainly has so many replicas. A replica that comes is among those of its partition at once, and is not
/// in sync before the end.
fn fits(live: &LiveTopic, replicas: i32) -> bool {
    live.replicas == replicas && live.most_replicas == replicas && live.incomplete == 0
}

/// What to say of a change of the number of replicas; nothing once it is complete.
pub(crate) fn resizing(
    replicas: i32,
    answer: Result<MovesAnswer, SafetyFailure>,
) -> Option<(Verdict, Option<TopicReassignment>)> {
    let head = format!("changing to {replicas} replicas");
    let moves = match answer {
        Ok(moves) => moves,
        Err(SafetyFailure::Refused(text)) => {
            return Some((Verdict::stalled(Reason::ReplicationFactorDiffers, text), None));
        }
        Err(failure) => {
            let text = format!("{head}: waiting for the brokers' answer: {failure}");
            return Some((Verdict::working(Reason::Unreachable, text), None));
        }
    };
    if moves.left == 0 {
        return None;
    }
    if let (0, 0, Some(blocked)) = (moves.planned, moves.moving, moves.blocked.first()) {
        let text = blocked.message.clone();
        return Some((Verdict::stalled(Reason::ReplicationFactorDiffers, text), None));
    }
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let progress = TopicReassignment {
        replicas,
        partitions_left: count(moves.left),
        partitions_moving: count(moves.moving),
        bytes_left: count(moves.bytes_left),
    };
    let text = format!(
        "{head}: {} partitions left, {} of them on their way, {} to copy",
        moves.left,
        moves.moving,
        bytes(progress.bytes_left)
    );
    Some((Verdict::working(Reason::Reassigning, text), Some(progress)))
}

/// Keys to set, and keys to take back that somebody else set or that the spec had before.
fn config_changes(
    wanted: &BTreeMap<String, String>,
    live: &BTreeMap<String, String>,
) -> Vec<(String, KeyChange)> {
    let set = wanted.iter().filter(|(key, value)| live.get(*key) != Some(*value));
    let set = set.map(|(key, value)| (key.clone(), KeyChange::Set(value.clone())));
    let gone = live.keys().filter(|key| !wanted.contains_key(*key));
    set.chain(gone.map(|key| (key.clone(), KeyChange::Clear))).collect()
}

/// What to say of a topic that is as the spec asks.
pub(crate) fn ready(live: &LiveTopic) -> Verdict {
    if live.leaderless > 0 {
        let text = format!("{} of {} partitions have no leader", live.leaderless, live.partitions);
        return Verdict::working(Reason::EndpointNotReady, text);
    }
    Verdict::ready("as the spec asks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::Obstacle;

    fn spec(json: serde_json::Value) -> TopicSpec {
        let mut json = json;
        json["clusterRef"] = serde_json::json!({"name": "demo"});
        serde_json::from_value(json).unwrap()
    }

    fn live(partitions: i32, overrides: &[(&str, &str)]) -> LiveTopic {
        let overrides = overrides.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let counts = LiveTopic { replicas: 1, most_replicas: 1, ..LiveTopic::default() };
        LiveTopic { id: "x".into(), partitions, overrides, ..counts }
    }

    fn say(spec: &TopicSpec, live: Option<&LiveTopic>) -> String {
        match plan(spec, live) {
            Plan::Nothing => "nothing".to_owned(),
            Plan::Change(change) => change.describe(),
            Plan::Resize(replicas) => format!("{replicas} replicas"),
            Plan::Refused(verdict) => verdict.reason().as_str().to_owned(),
        }
    }

    #[test]
    fn a_topic_is_created_grown_and_configured_in_turn() {
        let spec = spec(serde_json::json!({"partitions": 3, "config": {"retention.ms": 1000}}));
        assert_eq!(say(&spec, None), "creating the topic with 3 partitions");
        assert_eq!(say(&spec, Some(&live(1, &[]))), "growing from 1 to 3 partitions");
        assert_eq!(say(&spec, Some(&live(3, &[]))), "setting retention.ms");
        assert_eq!(say(&spec, Some(&live(3, &[("retention.ms", "1000")]))), "nothing");
    }

    #[test]
    fn drift_is_put_right() {
        let spec = spec(serde_json::json!({"config": {"retention.ms": 1000}}));
        let live = live(1, &[("retention.ms", "5"), ("cleanup.policy", "compact")]);
        let Plan::Change(Change::Configure(changes)) = plan(&spec, Some(&live)) else {
            panic!("no change")
        };
        assert_eq!(changes.len(), 2);
        assert!(
            matches!(&changes[0], (key, KeyChange::Set(value)) if key == "retention.ms" && value == "1000")
        );
        assert!(matches!(&changes[1], (key, KeyChange::Clear) if key == "cleanup.policy"));
    }

    #[test]
    fn what_kafka_cannot_do_is_refused() {
        let spec = spec(serde_json::json!({"partitions": 2, "replicas": 3}));
        assert_eq!(say(&spec, Some(&live(5, &[]))), "PartitionsReduced");
    }

    #[test]
    fn another_number_of_replicas_comes_after_all_else() {
        let json =
            serde_json::json!({"partitions": 2, "replicas": 3, "config": {"retention.ms": 1}});
        let grow = spec(json);
        assert_eq!(say(&grow, Some(&live(1, &[]))), "growing from 1 to 2 partitions");
        assert_eq!(say(&grow, Some(&live(2, &[]))), "setting retention.ms");
        let mut topic = live(2, &[("retention.ms", "1")]);
        assert_eq!(say(&grow, Some(&topic)), "3 replicas");
        // They come: the partition names them already, and they are not in sync.
        (topic.replicas, topic.most_replicas, topic.incomplete) = (3, 3, 1);
        assert_eq!(say(&grow, Some(&topic)), "3 replicas");
        topic.incomplete = 0;
        assert_eq!(say(&grow, Some(&topic)), "nothing");
        (topic.replicas, topic.most_replicas) = (3, 4);
        assert_eq!(say(&grow, Some(&topic)), "3 replicas");
        let unsaid = spec(serde_json::json!({"partitions": 2, "config": {"retention.ms": 1}}));
        assert_eq!(say(&unsaid, Some(&topic)), "nothing");
    }

    #[test]
    fn a_write_needs_more_copies_only_once_they_are_there_and_fewer_before_they_go() {
        let two = spec(serde_json::json!({"replicas": 3, "config": {MIN_IN_SYNC: 2}}));
        let mut topic = live(1, &[]);
        assert_eq!(say(&two, Some(&topic)), "3 replicas");
        (topic.replicas, topic.most_replicas) = (3, 3);
        assert_eq!(say(&two, Some(&topic)), "setting min.insync.replicas");
        let one = spec(serde_json::json!({"replicas": 1}));
        topic.overrides.insert(MIN_IN_SYNC.into(), "2".into());
        assert_eq!(say(&one, Some(&topic)), "setting min.insync.replicas");
    }

    #[test]
    fn progress_is_told_until_nothing_is_left() {
        let moves = |planned, moving, left| MovesAnswer {
            planned,
            moving,
            left,
            bytes_left: 2048,
            blocked: Vec::new(),
        };
        let (verdict, progress) = resizing(3, Ok(moves(0, 2, 5))).unwrap();
        assert_eq!(verdict.reason(), Reason::Reassigning);
        assert_eq!(
            verdict.message(),
            "changing to 3 replicas: 5 partitions left, 2 of them on their way, 2.0 KiB to copy"
        );
        assert_eq!(progress.unwrap().partitions_left, 5);
        assert_eq!(resizing(3, Ok(moves(0, 0, 0))), None);
        let obstacle = Obstacle { message: "add brokers".into(), ..Obstacle::default() };
        let blocked = MovesAnswer { blocked: vec![obstacle], ..moves(0, 0, 5) };
        let (verdict, _) = resizing(3, Ok(blocked)).unwrap();
        assert_eq!(verdict, Verdict::stalled(Reason::ReplicationFactorDiffers, "add brokers"));
        let (verdict, _) = resizing(3, Err(SafetyFailure::Unknown("silence".into()))).unwrap();
        assert!(matches!(verdict, Verdict::Working(Reason::Unreachable, _)));
    }

    #[test]
    fn a_partition_without_leader_is_not_ready() {
        let mut topic = live(2, &[]);
        assert!(matches!(ready(&topic), Verdict::Ready(..)));
        topic.leaderless = 1;
        assert_eq!(ready(&topic).reason(), Reason::EndpointNotReady);
    }
}
