//! A scenario: a cluster under load, something that happens to it, and what must hold afterwards whatever happened:
//! every acknowledged record there once and in order, no write failed for good, Ready never claimed early, no pod
//! restarted that need not.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::admin::Admin;
use crate::brokers::Brokers;
use crate::kubectl::Namespace;
use crate::verify::Checker;
use crate::volume::Claim;
use crate::witness::Witness;

/// Records a second.
const RATE: u32 = 300;

/// What the events of a scenario may use.
#[derive(Debug)]
pub struct Scenario<'a> {
    /// The Cluster.
    pub brokers: Brokers<'a>,
    /// Where it is.
    pub namespace: &'a Namespace,
    hurt: RefCell<BTreeMap<String, usize>>,
    most_away: Cell<Option<usize>>,
    zones: RefCell<Option<BTreeMap<String, String>>>,
}

impl Scenario<'_> {
    /// Makes a Cluster of so many brokers, puts load on it, lets `events` happen, and judges.
    pub fn run(
        name: &str,
        brokers: usize,
        events: impl FnOnce(&Scenario<'_>) -> Result<()>,
    ) -> Result<()> {
        Namespace::run(name, |namespace| {
            let begun = Instant::now();
            let scenario = Scenario {
                brokers: Brokers::of(namespace, name),
                namespace,
                hurt: RefCell::default(),
                most_away: Cell::default(),
                zones: RefCell::default(),
            };
            let witness = scenario.make(brokers)?;
            let checker = Checker::start_on(namespace, name, RATE, &scenario.busy_node()?)?;
            events(&scenario)?;
            let report = checker.finish()?;
            report.note(name, begun.elapsed())?;
            report.is_well()?;
            let seen = witness.finish()?;
            scenario.most_away.get().map_or(Ok(()), |brokers| seen.at_most_away(brokers))?;
            scenario.zones.borrow().as_ref().map_or(Ok(()), |zones| seen.one_zone_away(zones))?;
            seen.judge(&scenario.hurt.borrow())
        })
    }

    fn make(&self, brokers: usize) -> Result<Witness> {
        let begun = Instant::now();
        self.brokers.apply(brokers, &[], &[])?;
        let witness = Witness::start(self.namespace.name(), self.brokers.name());
        self.brokers.settled(brokers)?;
        eprintln!("{brokers} brokers Ready {:.1} s after apply", begun.elapsed().as_secs_f64());
        let (racks, zones) = (self.brokers.racks()?, self.brokers.zones()?);
        ensure!(racks == zones, "racks of brokers {racks:?}, zones of their nodes {zones:?}");
        Ok(witness)
    }

    /// The node with most brokers, on which the load runs: it is none that a scenario switches off.
    pub fn busy_node(&self) -> Result<String> {
        let nodes = self.brokers.nodes()?;
        let busy = nodes.into_iter().max_by_key(|(_, pods)| pods.len());
        Ok(busy.context("no brokers")?.0)
    }

    /// From now on this pod may be replaced or restarted that many times more.
    pub fn hurts(&self, pod: &str, times: usize) {
        *self.hurt.borrow_mut().entry(pod.to_owned()).or_default() += times;
    }

    /// In all of the scenario no more brokers than this may be away at the same time.
    pub fn at_most_away(&self, brokers: usize) {
        self.most_away.set(Some(brokers));
    }

    /// In all of the scenario brokers that are away at the same time must be of one zone, and several must be so at least
    /// once. `zones`: by pod.
    pub fn one_zone_away(&self, zones: BTreeMap<String, String>) {
        *self.zones.borrow_mut() = Some(zones);
    }

    /// What the brokers say.
    pub fn admin(&self) -> Admin<'_> {
        Admin::of(self.namespace, self.brokers)
    }

    /// The claim of a broker's volume.
    pub fn claim(&self, id: i32) -> Claim<'_> {
        Claim::of(self.namespace, &self.brokers, id)
    }

    /// Lets partitions move until these brokers have equal shares, and tells what was copied for that: no more replicas than
    /// must be.
    pub fn moves(
        &self,
        what: &str,
        brokers: &[i32],
        act: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let admin = self.admin();
        let (before, moved) = (admin.placement()?, admin.moved_bytes()?);
        self.step(what, act)?;
        let (after, now) = (admin.placement()?, admin.moved_bytes()?);
        ensure!(after.is_even(brokers), "{what}: unequal shares: {after:?}");
        let (copies, fewest) = (before.copies_to(&after), before.fewest_copies(brokers));
        ensure!(copies == fewest, "{what}: {copies} replicas copied, where {fewest} do");
        let since = |(pod, bytes): (&String, &u64)| bytes - moved.get(pod).unwrap_or(&0);
        let bytes: u64 = now.iter().map(since).sum();
        ensure!(bytes > 0 || copies == 0, "{what}: {copies} replicas copied, and no bytes counted");
        let ids: Vec<String> = brokers.iter().map(ToString::to_string).collect();
        let all = admin.get(&format!("/safety/replicas?brokers={}", ids.join(",")))?;
        let all = all["bytesLeft"].as_u64().context("no size of the replicas")?;
        let least = all as f64 / after.replicas() as f64 * fewest as f64;
        eprintln!(
            "{what}: {copies} of {} replicas copied, the fewest; {bytes} bytes, {:.2} times what those replicas hold now",
            after.replicas(),
            bytes as f64 / least
        );
        Ok(())
    }

    /// Does something that has a name and takes its time, and tells how long.
    pub fn step<T>(&self, what: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let begun = Instant::now();
        let result = act().with_context(|| what.to_owned())?;
        eprintln!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
        Ok(result)
    }
}
