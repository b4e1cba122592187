//! Promise: the operator may die at every step of removing brokers, and the next one goes on from there.

use anyhow::{Result, ensure};
use e2e::scenario::Scenario;

use crate::operator::{self, FailPoints};

/// All steps of a scale-down that gives a vote and takes one. An operator dies once at each.
const STEPS: [&str; 14] = [
    "add-voter-after",
    "add-voter-before",
    "evacuate-after",
    "evacuate-before",
    "forget-after",
    "forget-before",
    "forget-within",
    "intend-after",
    "intend-before",
    "remove-voter-after",
    "remove-voter-before",
    "retire-after",
    "retire-before",
    "retire-within",
];

#[test]
fn the_operator_dies_at_every_step_of_5_to_3() -> Result<()> {
    operator::installed()?;
    Scenario::run("operator-killed", 3, |scenario| {
        let brokers = &scenario.brokers;
        scenario.step("3 to 5", || {
            brokers.scale(5)?;
            brokers.settled(5)
        })?;
        let fail_points = FailPoints::install()?;
        scenario.step("5 to 3, without 1 and 3", || {
            brokers.apply(3, &[1, 3], &[])?;
            brokers.settled(3)
        })?;
        let left: Vec<String> = brokers.pods()?.into_iter().map(|pod| pod.name).collect();
        ensure!(
            left.iter().all(|name| !name.ends_with("-1-0") && !name.ends_with("-3-0")),
            "{left:?}"
        );

        fail_points.died_at(&STEPS)?;
        fail_points.remove()
    })
}
