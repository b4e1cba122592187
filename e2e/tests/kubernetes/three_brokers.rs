//! Promise: a cluster of several brokers grows, shrinks, rolls and loses pods under load, and keeps every record that it
//! acknowledged, once and in order; no write fails for good.

use anyhow::{Result, ensure};
use e2e::kubectl::Pod;
use e2e::scenario::Scenario;

use crate::operator;

#[test]
fn a_cluster_grows_shrinks_rolls_and_loses_pods_under_load() -> Result<()> {
    operator::installed()?;
    Scenario::run("trio", 3, |scenario| {
        let brokers = &scenario.brokers;
        scenario.step("a pod is killed", || {
            scenario.hurts("trio-0-0", 1);
            brokers.replace("trio-0-0")?;
            brokers.settled(3)
        })?;
        scenario.step("3 to 5", || {
            brokers.scale(5)?;
            brokers.settled(5)
        })?;
        scenario.step("5 to 3, without 1 and 3", || {
            brokers.apply(3, &[1, 3], &[])?;
            brokers.settled(3)?;
            let left: Vec<String> = brokers.pods()?.into_iter().map(|pod| pod.name).collect();
            ensure!(left == ["trio-0-0", "trio-2-0", "trio-4-0"], "{left:?}");
            Ok(())
        })?;
        scenario.step("a roll", || {
            let before = brokers.pods()?;
            for pod in &before {
                scenario.hurts(&pod.name, 1);
            }
            brokers.apply(3, &[1, 3], &["num.partitions: '2'"])?;
            brokers.settled(3)?;
            let after = brokers.pods()?;
            let same = |pod: &&Pod| before.iter().any(|old| old.uid == pod.uid);
            ensure!(after.iter().find(same).is_none(), "not every broker was replaced: {after:?}");
            Ok(())
        })
    })
}
