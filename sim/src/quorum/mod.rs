//! A whole metadata quorum from a seed: machines with disks and clocks of their own, a network that does what networks do,
//! faults, clients, an administrator who changes the voters, and checks of everything that was promised.
//!
//! | module | what |
//! |---|---|
//! | [`world`] | [`World`]: time, events, what happens next |
//! | [`machine`] | [`Machine`]: a [`quorum::node::QuorumNode`] with its disk and clock; dies and comes back |
//! | [`faults`] | what goes wrong when |
//! | [`client`] | proposals, changes of the voters |
//! | [`check`] | [`Checker`]: what must never happen |
//!
//! A run has a time of faults, then everything is healed, and the quorum must get on within a bound.

pub(crate) mod check;
pub(crate) mod client;
mod faults;
pub(crate) mod machine;
mod world;

pub use quorum::raft::Planted as Bug;

use crate::Violation;
use world::World;

/// How long faults go on, in milliseconds of the simulation's time.
pub const FAULTS_MS: u64 = 12_000;
/// How long the quorum has to get on after that.
pub const HEAL_MS: u64 = 15_000;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Proposals that were answered.
    pub acknowledged: u32,
    /// Leaders that there were.
    pub leaders: u32,
    /// Times that a machine died.
    pub deaths: u32,
    /// Disks that were lost.
    pub lost_disks: u32,
    /// Changes of the voters.
    pub voter_changes: u32,
    /// Snapshots that were taken from a leader.
    pub snapshots: u32,
    /// Messages that arrived.
    pub messages: u32,
    /// How long the run was by its own time.
    pub simulated_ms: u64,
}

impl Report {
    /// Adds another run's.
    pub fn add(&mut self, other: &Report) {
        self.acknowledged += other.acknowledged;
        self.leaders += other.leaders;
        self.deaths += other.deaths;
        self.lost_disks += other.lost_disks;
        self.voter_changes += other.voter_changes;
        self.snapshots += other.snapshots;
        self.messages += other.messages;
        self.simulated_ms += other.simulated_ms;
    }
}

/// Runs a quorum of three or five voters and one or two observers. With `trace` every event is written to standard error.
///
/// # Errors
/// The first broken promise; its step is the simulation's time in milliseconds.
pub fn run(seed: u64, bug: Option<Bug>, trace: bool) -> Result<Report, Violation> {
    let mut world = World::new(seed, bug, trace);
    let result = world.run();
    result.map_err(|what| Violation { seed, step: world.now() as u32, what })
}
