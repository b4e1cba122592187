//! Whole clusters from a seed: every machine runs a node of the metadata quorum with its controller and the replicas that the
//! metadata gives it, on one thread, over a simulated network, disks and clocks; producers, consumers, groups and an
//! administrator use it; and everything that was promised to them is checked.
//!
//! | file | what |
//! |---|---|
//! | `scenario`, `bug` | [`Scenario`]: what goes wrong; [`Bug`]: mistakes on purpose |
//! | `world` | time, events, what happens next |
//! | `machine` | a disk, clocks, and the broker that runs on it |
//! | `quorum_io`, `calls` | the quorum's node; what is asked of the active controller |
//! | `lifecycle` | registration, heartbeats, a controlled stop |
//! | `apply` | from a committed image to replicas |
//! | `hosted`, `serve`, `fetcher`, `isr`, `disk_work`, `throttle`, `coordinator`, `group_work` | a broker's work around [`replica::Replica`] |
//! | `client`, `producer`, `consumer`, `member`, `admin`, `topics` | who uses the cluster |
//! | `faults`, `ambush`, `behind`, `heir` | what goes wrong when, and the end of it |
//! | `check`, `group_check`, `topic_check`, `progress` | what must never happen, and what has to |
//!
//! The state machines are the product's own (`quorum`, `replica`, `groups`, `storage`); what is here stands for the executors of `broker`,
//! with their rules and without their threads. A run has a time of faults, then everything is healed, and the cluster must
//! get on within a bound.

mod admin;
mod ambush;
mod apply;
mod behind;
mod bug;
mod calls;
mod check;
mod client;
mod consumer;
mod coordinator;
mod disk_work;
mod faults;
mod fetcher;
mod group_check;
mod group_work;
mod heir;
mod hosted;
mod isr;
mod lifecycle;
mod machine;
mod member;
mod message;
mod producer;
mod progress;
mod quorum_io;
mod scenario;
mod serve;
mod throttle;
mod topic_check;
mod topics;
mod world;

pub use bug::{Bug, Mistake};
pub use scenario::Scenario;

use crate::Violation;
use world::World;

/// How long faults go on, in milliseconds of the simulation's time.
pub const FAULTS_MS: u64 = 15_000;
/// How long the cluster has to get on after that.
pub const HEAL_MS: u64 = 20_000;

/// `broker.session.timeout.ms`.
const SESSION_MS: u64 = 1_500;
/// `broker.heartbeat.interval.ms`.
const HEARTBEAT_MS: u64 = 300;
/// `replica.lag.time.max.ms`.
const MAX_LAG_MS: i64 = 500;
/// How long a leader waits for a produce to be committed.
const PRODUCE_MS: u64 = 700;

const DATA_TOPIC: &str = "data";
/// A topic that comes and goes while it is written and read.
const CHURN_TOPIC: &str = "churn";
/// Partitions that it has at most.
const CHURN_PARTITIONS: i32 = 3;
const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Batches and groups' offsets that were acknowledged.
    pub acknowledged: u32,
    /// Assignments that members of groups were given.
    pub assignments: u32,
    /// Leaders that partitions have had.
    pub elections: u32,
    /// Controllers that there were.
    pub controllers: u32,
    /// Times that a machine died.
    pub deaths: u32,
    /// Times that a broker stopped as it should.
    pub stops: u32,
    /// Disks that were lost.
    pub lost_disks: u32,
    /// Disks that had no room for a record.
    pub full_disks: u32,
    /// Old copies of disks that were put back.
    pub old_disks: u32,
    /// Topics that were deleted.
    pub deleted_topics: u32,
    /// Partitions that were added to topics.
    pub added_partitions: u32,
    /// Times that a throttle held a replica back.
    pub held_back: u32,
    /// Logs that were truncated.
    pub truncations: u32,
    /// Reassignments that were asked for.
    pub reassignments: u32,
    /// Messages that arrived.
    pub messages: u64,
    /// How long the run was by its own time.
    pub simulated_ms: u64,
}

impl Report {
    /// Adds another run's.
    pub fn add(&mut self, other: &Report) {
        self.acknowledged += other.acknowledged;
        self.assignments += other.assignments;
        self.elections += other.elections;
        self.controllers += other.controllers;
        self.deaths += other.deaths;
        self.stops += other.stops;
        self.lost_disks += other.lost_disks;
        self.full_disks += other.full_disks;
        self.old_disks += other.old_disks;
        self.deleted_topics += other.deleted_topics;
        self.added_partitions += other.added_partitions;
        self.held_back += other.held_back;
        self.truncations += other.truncations;
        self.reassignments += other.reassignments;
        self.messages += other.messages;
        self.simulated_ms += other.simulated_ms;
    }
}

/// Runs a cluster of three to five brokers. With `trace` what happens is written to standard error.
///
/// # Errors
/// The first broken promise; its step is the simulation's time in milliseconds.
pub fn run(
    scenario: Scenario,
    seed: u64,
    bug: Option<Bug>,
    trace: bool,
) -> Result<Report, Violation> {
    let mut world = World::new(seed, scenario, bug, trace);
    let result = world.run();
    result.map_err(|what| Violation { seed, step: world.now() as u32, what })
}
