//! [`Scenario`]: what goes wrong in a run; [`Plan`]: how its cluster is made.

use quorum::raft::Voter;

use super::machine::Machine;
use super::throttle::Throttle;
use super::{CHURN_PARTITIONS, CHURN_TOPIC, DATA_TOPIC};

/// What goes wrong in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Processes are killed, leaders first.
    Kills,
    /// The power fails, of one machine, of several, of all.
    PowerLoss,
    /// The network falls apart, also one way, and loses, delays, reorders and duplicates.
    Partitions,
    /// Processes stand still and go on as if nothing had been.
    Pauses,
    /// Disks are lost, replaced by old copies, full, slow; syncs fail.
    Disks,
    /// Clocks drift and jump.
    Clocks,
    /// One broker after another stops as it should, and comes back.
    RollingRestarts,
    /// Partitions move between brokers, and change their mind.
    Reassignments,
    /// Leaders, of partitions and of the quorum, change without a cause.
    Elections,
    /// A topic is deleted and made anew under the same name, and given more partitions, while others go on.
    Topics,
    /// Partitions move, and disks are filled anew, at a bounded rate.
    Throttles,
    /// All of it.
    Everything,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 12] = [
        Scenario::Kills,
        Scenario::PowerLoss,
        Scenario::Partitions,
        Scenario::Pauses,
        Scenario::Disks,
        Scenario::Clocks,
        Scenario::RollingRestarts,
        Scenario::Reassignments,
        Scenario::Elections,
        Scenario::Topics,
        Scenario::Throttles,
        Scenario::Everything,
    ];

    /// As the command line calls it.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Kills => "kills",
            Scenario::PowerLoss => "power-loss",
            Scenario::Partitions => "partitions",
            Scenario::Pauses => "pauses",
            Scenario::Disks => "disks",
            Scenario::Clocks => "clocks",
            Scenario::RollingRestarts => "rolling-restarts",
            Scenario::Reassignments => "reassignments",
            Scenario::Elections => "elections",
            Scenario::Topics => "topics",
            Scenario::Throttles => "throttles",
            Scenario::Everything => "everything",
        }
    }

    /// How often each fault happens, in relation to the others. Every scenario has some of what makes its own faults hurt.
    pub(super) fn weights(self) -> Weights {
        let none = Weights::default();
        match self {
            Scenario::Kills => Weights { kill: 8, elect: 1, ..none },
            Scenario::PowerLoss => {
                Weights { power: 6, all_power: 2, cut_call: 3, behind: 2, ..none }
            }
            Scenario::Partitions => Weights { split: 4, cut: 4, kill: 1, ..none },
            Scenario::Pauses => Weights { pause: 8, kill: 1, ..none },
            Scenario::Disks => {
                let lost = Weights { lost: 4, old: 6, ambush: 4, ..none };
                Weights { full: 2, sync: 2, slow: 2, power: 2, kill: 2, ..lost }
            }
            Scenario::Clocks => Weights { clock: 8, kill: 2, pause: 1, ..none },
            Scenario::RollingRestarts => Weights { stop: 8, kill: 1, behind: 2, ..none },
            Scenario::Reassignments => {
                Weights { reassign: 8, kill: 2, split: 1, stop: 1, behind: 2, ..none }
            }
            Scenario::Elections => {
                let chosen = Weights { behind: 4, echo: 3, heir: 2, ..none };
                Weights { elect: 5, resign: 3, cut: 2, split: 1, pause: 1, ..chosen }
            }
            Scenario::Topics => {
                let topics = Weights { delete: 9, grow: 5, behind: 2, ..none };
                Weights { kill: 5, power: 1, split: 2, pause: 2, stop: 2, reassign: 1, ..topics }
            }
            Scenario::Throttles => {
                Weights { reassign: 7, kill: 3, lost: 3, split: 1, stop: 1, ..none }
            }
            Scenario::Everything => Weights {
                kill: 3,
                power: 2,
                all_power: 1,
                cut_call: 2,
                split: 3,
                cut: 3,
                pause: 3,
                clock: 2,
                lost: 1,
                old: 1,
                ambush: 1,
                full: 1,
                sync: 1,
                slow: 1,
                stop: 2,
                reassign: 4,
                elect: 2,
                resign: 1,
                delete: 2,
                grow: 1,
                behind: 2,
                echo: 1,
                heir: 1,
            },
        }
    }
}

impl Scenario {
    fn loses_power(self) -> bool {
        let weights = self.weights();
        weights.power + weights.all_power + weights.cut_call > 0
    }
}

/// How often what happens.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weights {
    pub(super) kill: u32,
    pub(super) power: u32,
    pub(super) all_power: u32,
    /// The power fails in the middle of a call on the disk.
    pub(super) cut_call: u32,
    pub(super) split: u32,
    pub(super) cut: u32,
    pub(super) pause: u32,
    pub(super) clock: u32,
    pub(super) lost: u32,
    pub(super) old: u32,
    /// A disk is lost while what its follower said is on its way.
    pub(super) ambush: u32,
    pub(super) full: u32,
    pub(super) sync: u32,
    pub(super) slow: u32,
    pub(super) stop: u32,
    pub(super) reassign: u32,
    pub(super) elect: u32,
    pub(super) resign: u32,
    /// A topic is deleted, and perhaps made anew at once.
    pub(super) delete: u32,
    /// A topic is given another partition.
    pub(super) grow: u32,
    /// A machine acts late on what it learns of the metadata, as one that has much to open: it may sleep through all of a leadership.
    pub(super) behind: u32,
    /// What a leader asked of the controller arrives once more, when it is long past.
    pub(super) echo: u32,
    /// Leadership goes to who has what nobody else has, and goes on.
    pub(super) heir: u32,
}

/// How a cluster is made.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) scenario: Scenario,
    pub(super) voters: usize,
    pub(super) machines: usize,
    pub(super) initial_voters: Vec<Voter>,
    pub(super) compact_from_bytes: u64,
    /// Most bytes of one partition in a fetch.
    pub(super) fetch_bytes: usize,
    pub(super) segment_bytes: u32,
    /// How long a sync takes at most.
    pub(super) sync_ms: u64,
    /// One machine stays down for a while after everything else is healed.
    pub(super) straggler: bool,
    pub(super) data_partitions: i32,
    /// How fast replicas that are not in sync are filled, if that is bounded.
    pub(super) throttle: Option<Throttle>,
    /// There is a topic that comes and goes.
    pub(super) churns: bool,
    pub(super) replication_factor: usize,
    pub(super) min_isr: usize,
    pub(super) flush_before_ack: bool,
    /// `retention.bytes` of the data; -1: no limit.
    pub(super) retention_bytes: i64,
    /// Now and then somebody deletes the oldest records.
    pub(super) trims: bool,
    /// Consumers read from any replica.
    pub(super) follower_reads: bool,
    /// Batches of one producer that may be on their way to a partition.
    pub(super) in_flight: usize,
    pub(super) producers: usize,
    pub(super) consumers: usize,
    pub(super) groups: usize,
    /// Of each group.
    pub(super) members: usize,
    /// The longest pause between two faults.
    pub(super) fault_every_ms: u64,
    /// The longest pause between two changes of the metadata that concern no partition.
    pub(super) note_every_ms: u64,
}

impl Plan {
    pub(super) fn new(scenario: Scenario, random: &mut fastrand::Rng) -> Self {
        let observers = match scenario {
            Scenario::Disks
            | Scenario::Reassignments
            | Scenario::Topics
            | Scenario::Throttles
            | Scenario::Everything => random.usize(1..=2),
            _ => random.usize(0..=1),
        };
        let machines = 3 + observers;
        let replication_factor = if random.u8(..5) == 0 { 2 } else { 3 };
        // What only one has may be lost with its disk.
        let safe = scenario.weights().lost + scenario.weights().old > 0;
        let flush_before_ack = safe || random.u8(..3) > 0;
        let safe = safe || (!flush_before_ack && scenario.loses_power());
        let min_isr = if safe || random.u8(..3) > 0 { 2 } else { 1 };
        Self {
            scenario,
            voters: 3,
            machines,
            initial_voters: Vec::new(),
            compact_from_bytes: [1_500, 6_000, u64::MAX / 4][random.usize(..3)],
            fetch_bytes: [400, 1_000, 4_000][random.usize(..3)],
            segment_bytes: [500, 1_200, 100_000][random.usize(..3)],
            sync_ms: [1, 4, 12][random.usize(..3)],
            straggler: random.u8(..4) == 0,
            data_partitions: random.i32(1..=3),
            replication_factor,
            min_isr,
            flush_before_ack,
            retention_bytes: [-1, -1, 1_500][random.usize(..3)],
            trims: random.u8(..3) == 0,
            follower_reads: random.u8(..3) == 0,
            in_flight: [1, 2, 5][random.usize(..3)],
            producers: random.usize(1..=3),
            consumers: random.usize(1..=2),
            groups: random.usize(1..=2),
            members: random.usize(1..=3),
            fault_every_ms: [300, 900, 2_500][random.usize(..3)],
            note_every_ms: [20, 200, 1_500][random.usize(..3)],
            churns: match scenario {
                Scenario::Topics => true,
                Scenario::Everything => random.u8(..3) == 0,
                _ => false,
            },
            throttle: match scenario {
                Scenario::Throttles => Some(Throttle::of(random)),
                Scenario::Everything if random.u8(..4) == 0 => Some(Throttle::of(random)),
                _ => None,
            },
        }
    }

    /// How many partitions clients look at, whether they are there or not: those of the data, then those of the topic that
    /// comes and goes.
    pub(super) fn lanes(&self) -> i32 {
        self.data_partitions + if self.churns { CHURN_PARTITIONS } else { 0 }
    }

    /// Topic and partition of one of them.
    pub(super) fn lane(&self, lane: i32) -> (&'static str, i32) {
        match lane - self.data_partitions {
            churn @ 0.. => (CHURN_TOPIC, churn),
            _ => (DATA_TOPIC, lane),
        }
    }

    /// Whether records go that were committed.
    pub(super) fn deletes(&self) -> bool {
        self.trims || self.retention_bytes >= 0
    }

    /// What is acknowledged need not be on disks, and the power may fail: then every death counts as the loss of the end of the
    /// logs (KIP-966), and what is committed survives one at a time.
    pub(super) fn one_at_a_time(&self) -> bool {
        !self.flush_before_ack && self.scenario.loses_power()
    }

    pub(super) fn set_voters(&mut self, machines: &[Machine]) {
        self.initial_voters = machines.iter().take(self.voters).map(Machine::replica).collect();
    }
}
