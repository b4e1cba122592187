//! Promise: brokers need no API server. While it is away the cluster serves; when it is back a change that was under way
//! goes on, and the operator has not been restarted for it.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::node::ApiAway;
use e2e::scenario::Scenario;

use crate::operator;

const LASTS: Duration =
    Duration::from_secs(if cfg!(feature = "kubernetes-long") { 60 } else { 20 });

#[test]
fn the_api_server_is_away_in_the_middle_of_scaling_and_of_a_roll() -> Result<()> {
    operator::installed()?;
    Scenario::run("api-away", 3, |scenario| {
        let brokers = &scenario.brokers;
        // When it is back it believes in no node for a while, and so in no pod: no reason to roll them all at once.
        scenario.at_most_away(1);
        let before = operator::pod()?;
        let lease = operator::lease()?;
        if cfg!(feature = "kubernetes-long") {
            scenario.step("3 to 5, in the middle of it without API server", || {
                brokers.scale(5)?;
                brokers.until_says("PodsNotReady", "3 of 5 brokers ready")?;
                away()?;
                brokers.settled(5)
            })?;
        }
        scenario.step("a roll, in the middle of it without API server", || {
            let all = brokers.pods()?;
            for pod in &all {
                scenario.hurts(&pod.name, 1);
            }
            brokers.apply(all.len(), &[], &["num.partitions: '2'"])?;
            brokers.until_says("PodsNotReady", "rolling, 1 of")?;
            away()?;
            brokers.settled(all.len())
        })?;
        let after = operator::pod()?;
        eprintln!("lease before: {lease}\nlease after: {}", operator::lease()?);
        ensure!(before == after, "the operator was {before:?} and is {after:?}");
        Ok(())
    })
}

fn away() -> Result<()> {
    let away = ApiAway::begin()?;
    std::thread::sleep(LASTS);
    away.end()
}
