//! Promise: a cluster of several brokers grows, shrinks, rolls and loses pods under load, and keeps every record that it
//! acknowledged, once and in order; no write fails for good.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::kubectl::{Namespace, Pod};
use e2e::verify::Checker;
use e2e::wait;

use crate::operator;

const DEADLINE: Duration = Duration::from_secs(400);
const NAME: &str = "trio";

fn cluster(spec: &str, config: &str) -> String {
    format!(
        "apiVersion: vltava.dev/v1alpha1\n\
         kind: Cluster\n\
         metadata: {{name: {NAME}}}\n\
         spec:\n\
         \x20 brokers:\n\
         \x20   storage: {{size: 1Gi}}\n\
         {spec}\
         \x20 config:\n\
         \x20   broker.session.timeout.ms: '6000'\n\
         {config}"
    )
}

#[test]
fn a_cluster_grows_shrinks_rolls_and_loses_pods_under_load() -> Result<()> {
    operator::installed()?;
    Namespace::run("trio", |namespace| {
        let begun = Instant::now();
        namespace.apply(&cluster("    replicas: 3\n", ""))?;
        namespace.wait_until_ready()?;
        eprintln!("3 brokers Ready {:.1} s after apply", begun.elapsed().as_secs_f64());
        let checker = Checker::start(namespace, NAME, 300)?;

        step("a pod is killed", || kill_one(namespace, "0"))?;
        step("3 to 5", || {
            namespace.kubectl(&["scale", "cluster", NAME, "--replicas=5"], "")?;
            settled(namespace, 5)
        })?;
        step("5 to 3, without 1 and 3", || {
            namespace.apply(&cluster("    replicas: 3\n    removeIds: [1, 3]\n", ""))?;
            settled(namespace, 3)?;
            let left = names(&namespace.pods("broker")?);
            ensure!(
                left.iter().all(|name| !name.contains("-1-") && !name.contains("-3-")),
                "{left:?}"
            );
            Ok(())
        })?;
        step("a roll", || {
            let before = namespace.pods("broker")?;
            let spec = "    replicas: 3\n    removeIds: [1, 3]\n";
            namespace.apply(&cluster(spec, "    num.partitions: '2'\n"))?;
            settled(namespace, 3)?;
            let after = namespace.pods("broker")?;
            let same = |pod: &&Pod| before.iter().any(|old| old.uid == pod.uid);
            ensure!(after.iter().find(same).is_none(), "not every broker was replaced: {after:?}");
            Ok(())
        })?;

        let report = checker.finish()?;
        eprintln!("{report}");
        ensure!(report.contains(" failed 0 lost 0 duplicated 0 out-of-order 0 "), "{report}");
        Ok(())
    })
}

fn step(what: &str, act: impl FnOnce() -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    act().with_context(|| what.to_owned())?;
    eprintln!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

fn names(pods: &[Pod]) -> Vec<String> {
    pods.iter().map(|pod| pod.name.clone()).collect()
}

/// SIGKILL, as when a node dies; another pod takes up its volume.
fn kill_one(namespace: &Namespace, id: &str) -> Result<()> {
    let is_it = |pod: &&Pod| pod.name.starts_with(&format!("{NAME}-{id}-"));
    let old = namespace.pods("broker")?;
    let old = old.iter().find(is_it).context("no such pod")?.clone();
    namespace.kubectl(&["delete", "pod", &old.name, "--grace-period=0", "--force"], "")?;
    wait::until("another pod in its place", DEADLINE, || {
        let pods = namespace.pods("broker")?;
        let new = pods.iter().find(is_it).context("none yet")?;
        ensure!(new.uid != old.uid, "the old one is still there");
        Ok(())
    })?;
    settled(namespace, 3)
}

/// The object is Ready, with so many brokers, and nothing is on its way.
fn settled(namespace: &Namespace, brokers: usize) -> Result<()> {
    wait::until(&format!("{brokers} brokers, Ready"), DEADLINE, || {
        namespace.is_ready(&format!("cluster/{NAME}"))?;
        let pods = namespace.pods("broker")?;
        ensure!(pods.len() == brokers, "there are {:?}", names(&pods));
        Ok(())
    })
}
