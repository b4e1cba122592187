//! Promise: one broker's pod after the other may be killed, long before the cluster has got over the last one.

use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::scenario::Scenario;

use crate::operator;

const LASTS: Duration = Duration::from_secs(300);
const EVERY: Duration = Duration::from_secs(20);

#[test]
fn a_pod_is_killed_every_20_s_for_5_minutes() -> Result<()> {
    operator::installed()?;
    Scenario::run("pods-killed-often", 3, |scenario| {
        let brokers = &scenario.brokers;
        let names: Vec<String> = brokers.pods()?.into_iter().map(|pod| pod.name).collect();
        let begun = Instant::now();
        for (round, name) in (0u32..).zip(names.iter().cycle()) {
            let at = EVERY * round;
            if at >= LASTS {
                break;
            }
            std::thread::sleep(at.saturating_sub(begun.elapsed()));
            eprintln!("{:.0} s: {name} is killed", begun.elapsed().as_secs_f64());
            scenario.hurts(name, 1);
            brokers.kill(name)?;
        }
        scenario.step("all is well again", || brokers.settled(3))
    })
}
