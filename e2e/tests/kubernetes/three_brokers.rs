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
        foretells(
            scenario,
            (5, &[]),
            &[],
            &["brokers.replicas: 3 -> 5", "brokers 3, 4 would be added"],
        )?;
        scenario.moves("3 to 5", &[0, 1, 2, 3, 4], || {
            brokers.scale(5)?;
            brokers.settled(5)
        })?;
        let told = ["brokers 1, 3 would be removed", "would move to the others first"];
        foretells(scenario, (3, &[1, 3]), &[], &told)?;
        scenario.moves("5 to 3, without 1 and 3", &[0, 2, 4], || {
            brokers.apply(3, &[1, 3], &[])?;
            brokers.settled(3)?;
            let left: Vec<String> = brokers.pods()?.into_iter().map(|pod| pod.name).collect();
            ensure!(left == ["trio-0-0", "trio-2-0", "trio-4-0"], "{left:?}");
            Ok(())
        })?;
        let two = "num.partitions: '2'";
        let told =
            ["brokers 0, 2, 4 would be restarted, one at a time, for spec.config.num.partitions"];
        foretells(scenario, (3, &[1, 3]), &[two], &told)?;
        scenario.step("a roll", || {
            let before = brokers.pods()?;
            for pod in &before {
                scenario.hurts(&pod.name, 1);
            }
            brokers.apply(3, &[1, 3], &[two])?;
            brokers.settled(3)?;
            let after = brokers.pods()?;
            let same = |pod: &&Pod| before.iter().any(|old| old.uid == pod.uid);
            ensure!(after.iter().find(same).is_none(), "not every broker was replaced: {after:?}");
            Ok(())
        })
    })
}

/// The plan of an edit says all of this, and changes nothing.
fn foretells(
    scenario: &Scenario<'_>,
    (replicas, remove): (usize, &[i32]),
    config: &[&str],
    all: &[&str],
) -> Result<()> {
    let before = scenario.brokers.says()?;
    let told = scenario.brokers.foretold(replicas, remove, config)?;
    eprintln!("{told}");
    for part in all {
        ensure!(told.contains(part), "no {part:?} in {told}");
    }
    let after = scenario.brokers.says()?;
    ensure!(before == after, "it was {before:?} and is {after:?}");
    Ok(())
}
