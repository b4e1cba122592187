//! [`Machine`]: a node with its disk and its clock.

use std::path::Path;
use std::sync::Arc;

use protocol::Uuid;
use quorum::controller::ControllerSettings;
use quorum::node::{Limits, NodeConfig, QuorumNode};
use quorum::raft::{Timing, Voter};
use storage::Disk;

use super::{Bug, world::Plan};
use crate::clock::MachineClock;
use crate::disk::{SimDisk, data_dir};
use crate::seams::AnyConfig;

/// Short, so that much happens in a short run.
pub(crate) const TIMING: Timing = Timing {
    election_timeout_ms: 300,
    election_backoff_max_ms: 300,
    fetch_timeout_ms: 600,
    request_timeout_ms: 400,
    retry_backoff_ms: 20,
    fetch_max_wait_ms: 150,
};

/// A node with its disk and its clock.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) id: usize,
    pub(super) directory_id: Uuid,
    pub(super) disk: SimDisk,
    /// `None` while it is down.
    pub(super) node: Option<QuorumNode>,
    /// Raised by every start: ticks of an earlier life are of no use.
    pub(super) life: u64,
    /// Raised by every new deadline.
    pub(super) alarm: u64,
    pub(super) paused_until: u64,
    /// The offset of the image that this life published last.
    pub(super) published: u64,
    time: MachineClock,
    seed: u64,
}

impl Machine {
    pub(super) fn new(id: usize, seed: u64, random: &mut fastrand::Rng) -> Self {
        let mut machine = Self {
            id,
            directory_id: Uuid::ZERO,
            disk: SimDisk::new(0),
            node: None,
            life: 0,
            alarm: 0,
            paused_until: 0,
            published: 0,
            time: MachineClock::new(random),
            seed,
        };
        machine.new_disk(random);
        machine
    }

    /// An empty disk in place of the old one.
    pub(super) fn new_disk(&mut self, random: &mut fastrand::Rng) {
        self.disk = SimDisk::new(random.u64(..));
        self.directory_id = Uuid::from_random(random.u128(..));
    }

    pub(super) fn replica(&self) -> Voter {
        Voter { id: self.id as i32, directory_id: self.directory_id }
    }

    /// The machine's own time.
    pub(super) fn clock(&self, now: u64) -> u64 {
        self.time.at(now)
    }

    /// The clock is set.
    pub(super) fn jump(&mut self, ms: i64) {
        self.time.jump(ms);
    }

    pub(super) fn start(&mut self, now: u64, plan: &Plan, bug: Option<Bug>) -> Result<(), String> {
        self.life += 1;
        self.published = 0;
        let config = NodeConfig {
            node_id: self.id as i32,
            directory_id: self.directory_id,
            cluster_id: "simulated".into(),
            initial_voters: plan.initial_voters.clone(),
            is_voter: self.id < plan.voters,
            timing: TIMING,
            controller: ControllerSettings::default(),
            seed: self.seed ^ self.life,
        };
        let text = |error: &dyn std::fmt::Display| format!("machine {}: {error}", self.id);
        let dir = data_dir();
        self.disk.create_dir(&dir).map_err(|e| text(&e))?;
        for folder in dir.ancestors() {
            self.disk.sync_dir(folder).map_err(|e| text(&e))?;
        }
        let limits = Limits {
            compact_from_bytes: plan.compact_from_bytes,
            keep_bytes: plan.compact_from_bytes / 4,
            max_fetch_bytes: plan.max_fetch_bytes,
        };
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let dir = dir.join(Path::new("__cluster_metadata"));
        let now = self.clock(now);
        let mut node = QuorumNode::open_with(config, Arc::new(AnyConfig), disk, &dir, now, limits)
            .map_err(|e| text(&e))?;
        if let Some(bug) = bug {
            node.plant(bug);
        }
        self.published = node.image().offset();
        self.node = Some(node);
        Ok(())
    }
}
