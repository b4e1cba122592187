//! Promise: a broker's volume is replaced by an empty one, because a person asks or because it is gone, and filled from the
//! other brokers; also when the operator dies at every step of that.

use anyhow::{Result, ensure};
use e2e::scenario::Scenario;

use crate::operator::{self, FailPoints};

/// All steps of a replacement: the broker's vote goes, then its volume, then it gets its vote again.
const STEPS: [&str; 9] = [
    "add-voter-after",
    "add-voter-before",
    "empty-after",
    "empty-before",
    "empty-within",
    "intend-after",
    "intend-before",
    "remove-voter-after",
    "remove-voter-before",
];
const REPLACE: [&str; 1] = ["persistentVolumeClaimRetentionPolicy: {whenLost: Replace}"];

#[test]
fn a_volume_is_replaced_on_request_and_by_policy() -> Result<()> {
    operator::installed()?;
    Scenario::run("lost-volume", 3, |scenario| {
        scenario.at_most_away(1);
        let brokers = &scenario.brokers;
        scenario.hurts(&brokers.pod_name(1), 1);
        let asks = || scenario.claim(1).ask_to_replace();
        scenario.step("replaced on request", || emptied(scenario, 1, asks))?;

        // Killed with its disk, and once more by the operator: the pod that waits for the lost volume goes with its claim.
        scenario.hurts(&brokers.pod_name(2), 2);
        scenario.step("a volume is lost", || scenario.claim(2).lose())?;
        let message = scenario.step("the object says what to do", || {
            brokers.until_says("VolumeLost", "whenLost: Replace")
        })?;
        eprintln!("{message}");
        let allows = || brokers.apply_with(3, &[], &[], &REPLACE);
        scenario.step("replaced by policy", || emptied(scenario, 2, allows))
    })
}

#[test]
fn the_operator_dies_at_every_step_of_replacing_a_volume() -> Result<()> {
    operator::installed()?;
    Scenario::run("volume-operator", 3, |scenario| {
        scenario.at_most_away(1);
        let fail_points = FailPoints::install()?;
        scenario.hurts(&scenario.brokers.pod_name(0), 1);
        let asks = || scenario.claim(0).ask_to_replace();
        scenario.step("replaced by operators that die", || emptied(scenario, 0, asks))?;
        fail_points.died_at(&STEPS)?;
        fail_points.remove()
    })
}

/// Lets it happen, and waits until the broker has another volume and everything that it had on the old one.
fn emptied(scenario: &Scenario<'_>, id: i32, happens: impl FnOnce() -> Result<()>) -> Result<()> {
    let (admin, claim) = (scenario.admin(), scenario.claim(id));
    let (uid, before) = (claim.uid()?, admin.placement()?);
    let folder = admin.data_folder(id)?;
    happens()?;
    claim.until_other_than(&uid)?;
    scenario.brokers.settled(3)?;
    let now = admin.data_folder(id)?;
    ensure!(folder != now, "broker {id} still has the data folder {folder}");
    ensure!(before == admin.placement()?, "replicas are elsewhere than before: {before:?}");
    let left = admin.get(&format!("/safety/replicas?brokers={id}"))?;
    let replicas = before.share(id);
    ensure!(replicas > 0, "it had no replicas: {before:?}");
    ensure!(left["replicas"] == replicas && left["behind"] == 0, "it is Ready without all: {left}");
    Ok(())
}
