//! Deterministic simulation: a world made from a seed, and scenarios that check what must never happen in it.
//!
//! | module | what |
//! |---|---|
//! | [`disk`] | [`SimDisk`]: loses what was not synced, tears writes, runs full |
//! | [`log_crash`] | a partition's log through crashes: nothing durable is lost, nothing false is read |
//! | [`many`] | many seeds over all cores |
//! | [`metadata_crash`] | the metadata log through crashes: every answered command is there, none is half there |
//! | [`cluster`] | whole clusters: quorum, controllers, replicas, producers, consumers, groups, reassignments |
//! | [`quorum`](mod@quorum) | a whole metadata quorum: network, clocks, disks, changes of the voters |
//! | `network`, `clock`, `seams`, `metadata_check` | what the worlds share |
//!
//! The scenarios run the product's own code (`storage`, `quorum`) and know no time but their own steps: the same seed
//! gives the same run.
//!
//! A scenario that cannot fail proves nothing, so each can be told to break a rule ([`Planted`], [`quorum::Bug`](mod@quorum)); tests check that the
//! broken rule is found.

mod clock;
pub mod cluster;
pub mod disk;
pub mod log_crash;
pub mod many;
mod metadata_check;
pub mod metadata_crash;
mod network;
pub mod quorum;
mod seams;

pub use disk::SimDisk;

/// A bug made on purpose, to see that the checks find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// The disk says "synced" and does nothing.
    SyncDoesNothing,
    /// What was only appended is taken for acknowledged.
    AcknowledgeBeforeSync,
}

/// What a scenario found to be wrong, with the step at which it did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed}, step {step}: {what}")]
pub struct Violation {
    /// Gives this very run again.
    pub seed: u64,
    /// Counts from 0.
    pub step: u32,
    /// The broken rule.
    pub what: String,
}
