//! Promise: brokers need no API server. While it is away the cluster serves; when it is back a change that was under way
//! goes on, and no operator was restarted but one whose lease another one has taken over.

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
        let (before, led) = (operator::pods()?, operator::leader()?);
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
        let (after, leads) = (operator::pods()?, operator::leader()?);
        eprintln!("{led} led, and now {leads}; operators before {before:?}, after {after:?}");
        // The lease has run out: if another operator was quicker to take it, the one that led begins anew.
        for (old, new) in before.iter().zip(&after) {
            let handed_over = led != leads && old.name == led;
            let allowed = old.restarts + u64::from(handed_over);
            ensure!(new.uid == old.uid && new.restarts <= allowed, "was {old:?}, is {new:?}");
        }
        ensure!(before.len() == after.len(), "there were {before:?}, there are {after:?}");
        Ok(())
    })
}

fn away() -> Result<()> {
    let away = ApiAway::begin()?;
    std::thread::sleep(LASTS);
    away.end()
}
