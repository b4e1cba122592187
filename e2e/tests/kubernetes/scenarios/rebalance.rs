//! Promise: a Rebalance proposes moves and makes none before somebody approves them; then it makes these and no others, says
//! how far it is, and the brokers have equal shares.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::kubectl::{condition, is_ready};
use e2e::scenario::Scenario;
use e2e::wait;
use serde_json::Value;

use crate::operator;

const DEADLINE: Duration = Duration::from_secs(240);
const OBJECT: &str = "rebalance/even";
/// Slow enough that the moves, of some tens of KiB, can be seen at work, and twice as fast as the load writes, or they never ended.
const BANDWIDTH: &str = "32Ki";
/// The broker that is emptied before.
const EMPTY: i32 = 3;
const BROKERS: [i32; 4] = [0, 1, 2, 3];

#[test]
fn moves_are_proposed_approved_and_made() -> Result<()> {
    operator::installed()?;
    Scenario::run("rebalanced", BROKERS.len(), |scenario| {
        scenario.step("an imbalance", || emptied(scenario))?;
        let before = scenario.admin().placement()?;
        ensure!(before.share(EMPTY) == 0, "broker {EMPTY} is not empty: {before:?}");
        apply(scenario, false)?;
        let moves = scenario.step("a proposal", || proposed(scenario))?;
        // Time to do what nobody has approved.
        std::thread::sleep(Duration::from_secs(5));
        ensure!(scenario.admin().placement()? == before, "moved without approval");

        let fewest = before.fewest_copies(&BROKERS);
        ensure!(moves == u64::try_from(fewest)?, "{moves} moves, where {fewest} do: {before:?}");
        apply(scenario, true)?;
        let carried_out = || {
            let seen = completed(scenario)?;
            eprintln!("partitions left: {seen:?}");
            ensure!(seen.iter().any(|left| (1..=moves).contains(left)), "no progress: {seen:?}");
            Ok(())
        };
        scenario.moves("the moves", &BROKERS, carried_out)?;
        scenario.brokers.settled(BROKERS.len())
    })
}

/// Moves everything off a broker that stays.
fn emptied(scenario: &Scenario<'_>) -> Result<()> {
    wait::until("an empty broker", DEADLINE, || {
        let answer = scenario.admin().post(&format!("/safety/evacuate?brokers={EMPTY}"))?;
        ensure!(answer["left"] == 0 && answer["moving"] == 0, "{answer}");
        Ok(())
    })
}

fn apply(scenario: &Scenario<'_>, approved: bool) -> Result<()> {
    let name = scenario.brokers.name();
    let yaml = format!(
        "apiVersion: vltava.dev/v1alpha1\n\
         kind: Rebalance\n\
         metadata: {{name: even}}\n\
         spec: {{clusterRef: {{name: {name}}}, bandwidth: {BANDWIDTH}, approved: {approved}}}\n"
    );
    scenario.namespace.apply(&yaml).map(drop)
}

/// How many moves the proposal has.
fn proposed(scenario: &Scenario<'_>) -> Result<u64> {
    let object = wait::until("a proposal", DEADLINE, || {
        let object = scenario.namespace.object(OBJECT)?;
        is_ready(&object)?;
        Ok(object)
    })?;
    let status = &object["status"];
    ensure!(status["phase"] == "Proposed", "{status}");
    let said = condition(&object, "Ready").context("no condition Ready")?;
    ensure!(said["reason"] == "ProposalReady", "{said}");
    let listed = status["proposal"]["partitions"].as_array().context("no moves are listed")?;
    let to = |one: &Value| one["to"].as_array().is_some_and(|to| to.contains(&EMPTY.into()));
    ensure!(!listed.is_empty() && listed.iter().all(to), "{status}");
    status["proposal"]["moves"].as_u64().context("no number of moves")
}

/// Waits until all moves are made; gives what was told to be left meanwhile.
fn completed(scenario: &Scenario<'_>) -> Result<Vec<u64>> {
    let mut seen = Vec::new();
    wait::until("the end of the moves", DEADLINE, || {
        let object = scenario.namespace.object(OBJECT)?;
        let status = &object["status"];
        seen.extend(status["progress"]["partitionsLeft"].as_u64());
        ensure!(status["phase"] == "Completed", "{status}");
        is_ready(&object)
    })?;
    seen.dedup();
    Ok(seen)
}
