//! Promise: with `maxUnavailable` above 1 a roll restarts brokers of one zone together, and never two zones at once.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use e2e::kubectl::Pod;
use e2e::node::ThirdZone;
use e2e::scenario::Scenario;

use crate::operator;

const BROKERS: usize = 6;
const TOGETHER: usize = 2;

#[test]
fn brokers_of_a_zone_roll_together() -> Result<()> {
    operator::installed()?;
    // The workers are in two zones: with a third one a partition has a replica in each, and one zone may be away.
    let _third = ThirdZone::open("c")?;
    Scenario::run("zone-roll", BROKERS, |scenario| {
        let brokers = &scenario.brokers;
        let zones = brokers.zones()?;
        eprintln!("zones: {zones:?}");
        let of: BTreeSet<&String> = zones.values().collect();
        ensure!(zones.len() == BROKERS && of.len() == 3, "not in three zones: {zones:?}");
        scenario.at_most_away(TOGETHER);
        scenario.one_zone_away(zones.clone());
        let before = brokers.pods()?;
        for pod in &before {
            scenario.hurts(&pod.name, 1);
        }
        let together = format!("maxUnavailable: {TOGETHER}");
        scenario.step("a roll by zones", || {
            brokers.apply_with(BROKERS, &[], &["num.partitions: '2'"], &[&together])?;
            brokers.settled(BROKERS)
        })?;
        let after = brokers.pods()?;
        let same = |pod: &&Pod| before.iter().any(|old| old.uid == pod.uid);
        ensure!(after.iter().find(same).is_none(), "not every broker was replaced: {after:?}");
        ensure!(brokers.zones()? == zones, "a broker is in another zone");
        Ok(())
    })
}
