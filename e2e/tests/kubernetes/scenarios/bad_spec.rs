//! Promise: a spec with which brokers cannot start stops at the first of them, and a corrected one is taken up.

use anyhow::{Context, Result, ensure};
use e2e::scenario::Scenario;

use crate::operator;

/// As often as the first pod likes to crash.
const OFTEN: usize = 1_000;

#[test]
fn a_roll_to_a_spec_that_crashes_is_corrected() -> Result<()> {
    operator::installed()?;
    Scenario::run("bad-spec", 3, |scenario| {
        let brokers = &scenario.brokers;
        let before = brokers.pods()?;
        brokers.apply(3, &[], &["log.segment.bytes: 'plenty'"])?;
        let message = scenario.step("it crashes", || brokers.until_says("PodFailing", "pod "))?;
        eprintln!("{message}");
        let bad = before.iter().find(|pod| message.contains(&pod.name));
        let bad = bad.context("no pod of ours is named")?.name.clone();
        scenario.hurts(&bad, OFTEN);
        // It does not go on to the next one.
        std::thread::sleep(std::time::Duration::from_secs(20));
        let others = |pods: Vec<e2e::kubectl::Pod>| {
            pods.into_iter().filter(|pod| pod.name != bad).collect::<Vec<_>>()
        };
        ensure!(others(before) == others(brokers.pods()?), "more than one pod was touched");
        scenario.step("it is corrected to something else again", || {
            for pod in &others(brokers.pods()?) {
                scenario.hurts(&pod.name, 1);
            }
            brokers.apply(3, &[], &["num.partitions: '2'"])?;
            brokers.settled(3)
        })
    })
}
