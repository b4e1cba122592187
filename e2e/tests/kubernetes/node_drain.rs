//! Promise: a node with a broker can be drained by `kubectl drain` under load; no record is lost, no write fails, and a
//! broker that may not stop stays.
//!
//! The volumes of this cluster are folders of a node: the broker waits, Pending, until its node is back. Where volumes can
//! move, it starts elsewhere.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::kubectl::{Namespace, kubectl};
use e2e::verify::Checker;
use e2e::wait;

use crate::operator;

const DEADLINE: Duration = Duration::from_secs(240);
const NAME: &str = "drained";
const CLUSTER: &str = "apiVersion: vltava.dev/v1alpha1\n\
    kind: Cluster\n\
    metadata: {name: drained}\n\
    spec:\n\
    \x20 brokers: {replicas: 3, storage: {size: 1Gi}}\n\
    \x20 config: {broker.session.timeout.ms: '6000'}\n";

#[test]
fn a_node_is_drained_under_load_and_comes_back() -> Result<()> {
    operator::installed()?;
    Namespace::run("node-drain", |namespace| {
        namespace.apply(CLUSTER)?;
        namespace.wait_until_ready()?;
        wait::until("the webhook to cover the cluster", DEADLINE, || covered(namespace))?;
        let (node, pod) = lonely_broker(namespace)?;
        let _uncordon = Uncordon(node.clone());
        // So that neither the load nor the operators that answer are on it alone.
        kubectl(["cordon", &node], "")?;
        let started = Instant::now();
        let checker = Checker::start(namespace, NAME, 300)?;

        asked_only(namespace, &pod)?;
        let begun = Instant::now();
        let said = drain(&node)?;
        eprintln!("drained {node} of {pod} in {:.1} s:\n{said}", begun.elapsed().as_secs_f64());
        ensure!(said.contains(&format!("pod/{pod} evicted")), "{said}");

        // Another one may not go now: partitions would be left with one replica in sync.
        let other = brokers(namespace)?.into_iter().find(|b| b.name != pod).context("alone")?;
        let refused = evict(namespace, &other.name, false)?;
        let refusal = refused.context("a second broker was let go")?;
        eprintln!("a second eviction: {refusal}");
        ensure!(refusal.contains("may not stop yet"), "{refusal}");

        kubectl(["uncordon", &node], "")?;
        let begun = Instant::now();
        wait::until("all brokers to be back", DEADLINE, || {
            namespace.is_ready(&format!("cluster/{NAME}"))?;
            let brokers = brokers(namespace)?;
            ensure!(brokers.iter().all(|broker| broker.ready), "{brokers:?}");
            Ok(())
        })?;
        eprintln!("Ready {:.1} s after uncordon", begun.elapsed().as_secs_f64());
        let report = checker.finish()?;
        report.note("node-drain", started.elapsed())?;
        report.is_well()
    })
}

/// Puts the node back whatever happens: other tests need it.
struct Uncordon(String);

impl Drop for Uncordon {
    fn drop(&mut self) {
        if let Err(error) = kubectl(["uncordon", &self.0], "") {
            eprintln!("{} stays cordoned: {error:#}", self.0);
        }
    }
}

#[derive(Debug)]
struct Broker {
    name: String,
    node: String,
    ready: bool,
}

fn brokers(namespace: &Namespace) -> Result<Vec<Broker>> {
    const FIELDS: &str = "jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName} \
        {.status.conditions[?(@.type==\"Ready\")].status}{\"\\n\"}{end}";
    let selector = format!("vltava.dev/cluster={NAME}");
    let text =
        namespace.kubectl(&["get", "pods", "--selector", &selector, "--output", FIELDS], "")?;
    let broker = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        Broker { name: next(), node: next(), ready: next() == "True" }
    };
    Ok(text.lines().map(broker).collect())
}

/// A node with one broker of the three, and that broker's pod: the others must be able to go on.
fn lonely_broker(namespace: &Namespace) -> Result<(String, String)> {
    let brokers = brokers(namespace)?;
    let alone = |b: &&Broker| brokers.iter().filter(|other| other.node == b.node).count() == 1;
    let found =
        brokers.iter().find(alone).with_context(|| format!("no node has one: {brokers:?}"))?;
    Ok((found.node.clone(), found.name.clone()))
}

/// The API server asks the operator about this cluster's brokers, and gets answers.
fn covered(namespace: &Namespace) -> Result<()> {
    let configurations =
        kubectl(["get", "validatingwebhookconfigurations", "--output", "yaml"], "")?;
    let name = format!("{}/{NAME}", namespace.name());
    ensure!(configurations.contains(&name), "it does not name {name}");
    Ok(())
}

/// A dry run is answered and moves nothing.
fn asked_only(namespace: &Namespace, pod: &str) -> Result<()> {
    let before = leaders(namespace, pod)?;
    let refused = wait::until("a dry run to be allowed", DEADLINE, || {
        let refused = evict(namespace, pod, true)?;
        ensure!(refused.is_none(), "{refused:?}");
        Ok(refused)
    })?;
    ensure!(refused.is_none(), "{refused:?}");
    let marks = namespace
        .kubectl(&["get", "pod", pod, "--output", "jsonpath={.metadata.annotations}"], "")?;
    ensure!(!marks.contains("vltava.dev/evicting"), "a dry run was taken for an eviction: {marks}");
    ensure!(leaders(namespace, pod)? == before, "a dry run moved leaders");
    Ok(())
}

/// Partition and leader of each line.
fn leaders(namespace: &Namespace, pod: &str) -> Result<Vec<String>> {
    let describe = ["exec", pod, "--", "/vltava", "topic", "describe", "checked"];
    let text = namespace.kubectl(&describe, "")?;
    let first_two = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    Ok(text.lines().map(first_two).collect())
}

/// Asks for an eviction as `kubectl drain` does, once; gives the refusal, if it is one.
fn evict(namespace: &Namespace, pod: &str, dry_run: bool) -> Result<Option<String>> {
    let options = if dry_run { ",\"deleteOptions\":{\"dryRun\":[\"All\"]}" } else { "" };
    let eviction = format!(
        "{{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{{\"name\":\"{pod}\"}}{options}}}"
    );
    let path = format!("/api/v1/namespaces/{}/pods/{pod}/eviction", namespace.name());
    let mut command = std::process::Command::new("kubectl");
    command.args(["create", "--raw", &path, "--filename", "-"]);
    let finished = e2e::process::try_run(&mut command, &eviction)?;
    Ok((!finished.status.success()).then_some(finished.stderr))
}

fn drain(node: &str) -> Result<String> {
    let mut command = std::process::Command::new("kubectl");
    command.args([
        "drain",
        node,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--timeout=170s",
    ]);
    let finished = e2e::process::try_run(&mut command, "")?;
    let said = format!("{}{}", finished.stdout, finished.stderr);
    ensure!(finished.status.success(), "drain failed: {said}");
    Ok(said)
}
