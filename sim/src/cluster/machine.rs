//! [`Machine`]: a disk and clocks; [`Process`]: a broker, voter or observer of the quorum, that runs on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::Uuid;
use quorum::MetadataImage;
use quorum::controller::ControllerSettings;
use quorum::node::{Limits, NodeConfig, QuorumNode};
use quorum::raft::Voter;
use storage::{BoundedDisk, Disk, DiskError, EpochFile, LogDir, Reserve, ReservedDisk, WriteGate};

use super::calls::PendingCall;
use super::fetcher::Fetcher;
use super::hosted::Hosted;
use super::message::Key;
use super::scenario::Plan;
use super::serve::Poll;
use super::throttle::Rates;
use super::{Bug, SESSION_MS};
use crate::clock::MachineClock;
use crate::disk::{SimDisk, data_dir};
use crate::quorum::machine::TIMING;
use crate::seams::AnyConfig;

/// 2026, in milliseconds since 1970.
const WALL_MS: i64 = 1_780_000_000_000;

/// What is kept free for the metadata, in proportion to logs of some kilobytes.
const RESERVE_BYTES: u64 = 3_000;

/// Log files that a process keeps open: fewer than it has, so that all the time one is closed for another.
const KEPT_FILES: usize = 3;

/// A machine with its disk and clocks.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) id: usize,
    pub(super) directory_id: Uuid,
    pub(super) disk: SimDisk,
    /// A copy of the disk that an administrator has made, and the registration that the broker had then.
    pub(super) backup: Option<(SimDisk, i64)>,
    /// `None` while it is down.
    pub(super) process: Option<Process>,
    /// Raised by every start: what an earlier life wanted is of no use.
    pub(super) life: u64,
    /// Raised by every new deadline of the quorum's node.
    pub(super) alarm: u64,
    pub(super) paused_until: u64,
    /// Until then it does not act on metadata.
    pub(super) behind_until: u64,
    /// The offset of the image that this life's quorum node published last.
    pub(super) published: u64,
    /// Syncs take this long.
    pub(super) sync_ms: u64,
    /// Never goes back, but may be fast or slow.
    pub(super) time: MachineClock,
    /// What people set.
    pub(super) wall_offset_ms: i64,
    /// The disk is another than the one before, and not known to be whole again.
    pub(super) replaced: bool,
    seed: u64,
}

/// What becomes of a log that could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offline {
    /// The disk has no room.
    Waits,
    /// There is room again.
    MayOpen,
}

/// A running broker.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) quorum: QuorumNode,
    pub(super) log_dir: LogDir,
    /// Whether the disk takes writes, as this process has found.
    pub(super) gate: Arc<Mutex<WriteGate>>,
    pub(super) reserve: Arc<Reserve>,
    /// The disk is full, and is looked at now and then.
    pub(super) probing: bool,
    pub(super) epoch_file: EpochFile,
    pub(super) incarnation: Uuid,
    /// What the folder remembers, -1 for nothing.
    pub(super) previous_epoch: i64,
    /// -1 until it is registered.
    pub(super) broker_epoch: i64,
    /// The newest committed image, and the one that is acted on.
    pub(super) newest: Arc<MetadataImage>,
    pub(super) applied: Arc<MetadataImage>,
    pub(super) applying: bool,
    /// Logs are opened.
    pub(super) opened: bool,
    pub(super) serving: bool,
    /// Wants to stop, since.
    pub(super) stopping: Option<u64>,
    /// When the controller last answered a heartbeat of the stop.
    pub(super) stop_answered: u64,
    pub(super) partitions: BTreeMap<Key, Hosted>,
    /// Partitions whose logs could not be opened.
    pub(super) offline: BTreeMap<Key, Offline>,
    /// Partitions that this process takes no notice of (a mistake on purpose).
    pub(super) unnoticed: BTreeSet<Key>,
    /// Folders that were out of the way when this process had looked through what it found.
    pub(super) strays: Vec<String>,
    pub(super) fetchers: BTreeMap<i32, Fetcher>,
    pub(super) calls: BTreeMap<u64, PendingCall>,
    pub(super) polls: Vec<Poll>,
    /// How fast followers are filled that are not in sync.
    pub(super) sending: Mutex<Rates>,
    /// How fast this broker's own replicas are.
    pub(super) taking: Mutex<Rates>,
    /// Proposals of in-sync replicas are under way.
    pub(super) altering: bool,
    pub(super) isr_due: bool,
    pub(super) next_id: u64,
}

impl Machine {
    pub(super) fn new(id: usize, seed: u64, random: &mut fastrand::Rng) -> Self {
        let mut machine = Self {
            id,
            directory_id: Uuid::ZERO,
            disk: SimDisk::new(0),
            backup: None,
            process: None,
            life: 0,
            alarm: 0,
            paused_until: 0,
            behind_until: 0,
            published: 0,
            sync_ms: 2,
            time: MachineClock::new(random),
            wall_offset_ms: 0,
            replaced: false,
            seed,
        };
        machine.new_disk(random);
        machine
    }

    /// An empty disk in place of the old one.
    pub(super) fn new_disk(&mut self, random: &mut fastrand::Rng) {
        self.disk = SimDisk::new(random.u64(..));
        self.directory_id = Uuid::from_random(random.u128(..));
        self.backup = None;
    }

    pub(super) fn replica(&self) -> Voter {
        Voter { id: self.id as i32, directory_id: self.directory_id }
    }

    pub(super) fn mono(&self, now: u64) -> u64 {
        self.time.at(now)
    }

    pub(super) fn wall(&self, now: u64) -> i64 {
        WALL_MS + self.time.at(now) as i64 + self.wall_offset_ms
    }

    /// Starts the process. The disk may refuse: then it is tried again later.
    pub(super) fn start(
        &mut self,
        now: u64,
        plan: &Plan,
        bug: Option<Bug>,
        incarnation: Uuid,
    ) -> Result<(), String> {
        self.life += 1;
        let text = |error: &dyn std::fmt::Display| format!("machine {}: {error}", self.id);
        let dir = data_dir();
        self.disk.create_dir(&dir).map_err(|e| text(&e))?;
        for folder in dir.ancestors() {
            self.disk.sync_dir(folder).map_err(|e| text(&e))?;
        }
        let disk: Arc<dyn Disk> =
            Arc::new(BoundedDisk::new(Arc::new(self.disk.clone()), KEPT_FILES));
        let log_dir = LogDir::open(Arc::clone(&disk), &dir).map_err(|e| text(&e))?;
        let gate = Arc::new(Mutex::new(WriteGate::default()));
        let told = Arc::clone(&gate);
        let released = move |error: &DiskError| {
            told.lock().refused(error);
        };
        let file = dir.join("metadata.reserve");
        let reserve = Reserve::open(Arc::clone(&disk), &file, RESERVE_BYTES, Box::new(released));
        let disk: Arc<dyn Disk> = Arc::new(ReservedDisk(Arc::clone(&reserve)));
        let epoch_file = EpochFile::open(Arc::clone(&disk), &data_dir()).map_err(|e| text(&e))?;
        let noted = epoch_file.epoch();
        let previous_epoch = log_dir.clean_shutdown_epoch().unwrap_or(-1).max(noted);
        let quorum = self.open_quorum(now, plan, bug, disk)?;
        let image = Arc::clone(quorum.image());
        self.published = image.offset();
        self.process = Some(Process {
            quorum,
            log_dir,
            gate,
            reserve,
            probing: false,
            epoch_file,
            incarnation,
            previous_epoch,
            broker_epoch: -1,
            newest: Arc::clone(&image),
            applied: image,
            applying: false,
            opened: false,
            serving: false,
            stopping: None,
            stop_answered: 0,
            partitions: BTreeMap::new(),
            offline: BTreeMap::new(),
            unnoticed: BTreeSet::new(),
            strays: Vec::new(),
            fetchers: BTreeMap::new(),
            calls: BTreeMap::new(),
            polls: Vec::new(),
            sending: Mutex::new(Rates::new(plan.throttle, self.mono(now))),
            taking: Mutex::new(Rates::new(plan.throttle, self.mono(now))),
            altering: false,
            isr_due: false,
            next_id: self.life << 40,
        });
        Ok(())
    }

    fn open_quorum(
        &self,
        now: u64,
        plan: &Plan,
        bug: Option<Bug>,
        disk: Arc<dyn Disk>,
    ) -> Result<QuorumNode, String> {
        let config = NodeConfig {
            node_id: self.id as i32,
            directory_id: self.directory_id,
            cluster_id: "simulated".into(),
            initial_voters: plan.initial_voters.clone(),
            is_voter: self.id < plan.voters,
            timing: TIMING,
            controller: ControllerSettings {
                session_timeout_ms: SESSION_MS,
                ..ControllerSettings::default()
            },
            seed: self.seed ^ self.life,
        };
        let limits = Limits {
            compact_from_bytes: plan.compact_from_bytes,
            keep_bytes: plan.compact_from_bytes / 4,
            max_fetch_bytes: 1 << 20,
        };
        let dir = data_dir().join(Path::new("__cluster_metadata"));
        let now = self.mono(now);
        let opened = QuorumNode::open_with(config, Arc::new(AnyConfig), disk, &dir, now, limits);
        let mut node = opened.map_err(|e| format!("machine {}: {e}", self.id))?;
        match bug {
            Some(Bug::Quorum(bug)) => node.plant(bug),
            Some(Bug::Controller(bug)) => node.plant_controller(bug),
            _ => {}
        }
        Ok(node)
    }
}

impl Machine {
    /// What it is about, for who follows a run.
    pub(super) fn state(&self) -> String {
        let Some(process) = &self.process else { return format!("{} is down", self.id) };
        let mut out = format!("{}: altering {}", self.id, process.altering);
        for (key, hosted) in &process.partitions {
            let (log, next) = (hosted.replica.log(), hosted.replica.next_fetch());
            let (end, mark) = (log.end_offset(), hosted.replica.high_watermark().offset);
            let (failing, flush) = (hosted.failing, hosted.flush_queued);
            let leads = hosted.replica.is_leader();
            out += &format!(
                "\n  {}-{}: end {end}, mark {mark}, leads {leads}, {next:?}, failing {failing:?}, {flush} {}",
                hosted.topic,
                key.1,
                hosted.flushing.is_some()
            );
        }
        out
    }
}

impl Process {
    pub(super) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// What the image that is acted on says of a broker, as far as a leader needs it.
    pub(super) fn registration(&self, id: i32) -> Option<replica::Registration> {
        let broker = self.applied.broker(id)?;
        Some(replica::Registration { epoch: broker.epoch, in_service: broker.is_active() })
    }
}
