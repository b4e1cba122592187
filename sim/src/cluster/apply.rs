//! From a committed image to what a broker does, as `broker::cluster::metadata` and `broker::partition::registry` do it.

use std::sync::Arc;

use protocol::{ErrorCode, Str, Uuid};
use quorum::MetadataImage;
use quorum::image::{PartitionImage, TopicImage};
use replica::{Assignment, Changed, Replica, Rules};
use storage::log::OpenError;
use storage::{DiskError, Folder, LogConfig};

use super::coordinator::Coordinator;
use super::hosted::Hosted;
use super::machine::{Offline, Process};
use super::message::Key;
use super::throttle::Throttle;
use super::world::{Task, World};
use super::{MAX_LAG_MS, Mistake, OFFSETS_TOPIC};

/// The id of all topics, for who mistakes names for topics.
const BY_NAME: &str = "any";

impl World {
    /// Acts by the newest image.
    pub(super) fn apply(&mut self, machine: usize) -> Result<(), String> {
        let early = self.has(Mistake::OpensBeforeRegistered);
        let noted = self.has(Mistake::EpochNotedUnflushed);
        let flush = self.plan.flush_before_ack && !noted;
        let behind = self.machines[machine].behind_until.saturating_sub(self.now());
        if behind > 0 {
            self.task(machine, behind, Task::Apply);
            return Ok(());
        }
        let Some(process) = self.process(machine) else { return Ok(()) };
        process.applying = false;
        let image = Arc::clone(&process.newest);
        let known = image.broker(machine as i32);
        let registered = process.broker_epoch >= 0
            && known.is_some_and(|broker| broker.epoch >= process.broker_epoch);
        let acts = registered || process.opened || (early && known.is_some());
        if acts && let Err(error) = self.act_on(machine, &image, registered, flush || noted) {
            return self.disk_failed(machine, &error);
        }
        let Some(process) = self.process(machine) else { return Ok(()) };
        process.applied = image;
        self.look_at_polls(machine, None)
    }

    fn act_on(
        &mut self,
        machine: usize,
        image: &Arc<MetadataImage>,
        registered: bool,
        durable: bool,
    ) -> Result<(), DiskError> {
        let (forgets, by_name) =
            (self.has(Mistake::DeletionForgotten), self.has(Mistake::FoldersByName));
        let late = self.has(Mistake::OpensBeforeRemoving);
        let Some(process) = self.process(machine) else { return Ok(()) };
        if registered {
            process.epoch_file.note(process.broker_epoch, durable)?;
        }
        if !process.opened {
            let folders = if forgets { Vec::new() } else { process.log_dir.folders()? };
            for Folder { topic, partition, topic_id } in folders {
                let topic_id = topic_id.as_deref();
                let by_id = if by_name { None } else { topic_id };
                if !image.claims(machine as i32, &topic, partition, by_id) {
                    process.log_dir.put_aside(&topic, partition, topic_id)?;
                }
            }
            let mut names = process.log_dir.disk().list(process.log_dir.path())?;
            names.retain(|name| name.ends_with("-stray"));
            process.strays = names;
            process.opened = true;
        }
        if !late {
            self.remove_what_leaves(machine, image)?;
        }
        let topics: Vec<Arc<TopicImage>> = image.topics().iter().cloned().collect();
        for topic in topics {
            let before = self.process(machine).and_then(|process| {
                process.applied.topic_by_id(&topic.id).map(|known| Arc::ptr_eq(known, &topic))
            });
            let same = before == Some(true) && self.bug.and_then(|bug| bug.replica()).is_none();
            for (index, partition) in topic.iter() {
                if self.overlooks(machine, (topic.id, index)) {
                    continue;
                }
                self.host(machine, &topic, (topic.id, index), partition, same)?;
            }
        }
        if late {
            self.remove_what_leaves(machine, image)?;
        }
        self.folders_are_their_own(machine);
        self.forget_deleted(machine, image);
        Ok(())
    }

    /// The mistake of taking no notice of partitions that are added to a topic that is known.
    fn overlooks(&mut self, machine: usize, key: Key) -> bool {
        let mistaken = self.has(Mistake::AddedPartitionsIgnored);
        let Some(process) = self.process(machine).filter(|_| mistaken) else { return false };
        let known = process.applied.topic_by_id(&key.0);
        if known.is_some_and(|topic| topic.partition(key.1).is_none()) {
            process.unnoticed.insert(key);
        }
        process.unnoticed.contains(&key)
    }

    /// Replicas that are not this node's any more end, and their folders go: first of all, because others may take their names.
    fn remove_what_leaves(
        &mut self,
        machine: usize,
        image: &MetadataImage,
    ) -> Result<(), DiskError> {
        let by_name = self.has(Mistake::OpensBeforeRemoving);
        let of_any_id = self.has(Mistake::FoldersByName);
        let id = machine as i32;
        let Some(process) = self.process(machine) else { return Ok(()) };
        let offline = process.offline.extract_if(.., |key, _| !image.hosts(id, &key.0, key.1));
        for (key, _) in offline.collect::<Vec<_>>() {
            if let Some(topic) = process.applied.topic_by_id(&key.0) {
                process.log_dir.remove_log(&topic.name, key.1, &key.0.to_string())?;
            }
        }
        let leaves = process.partitions.extract_if(.., |key, _| !image.hosts(id, &key.0, key.1));
        let leaves: Vec<(Key, Hosted)> = leaves.collect();
        for (key, mut hosted) in leaves {
            // Who waits is told below.
            let _: Changed = hosted.replica.remove();
            let Some(process) = self.process(machine) else { return Ok(()) };
            let name = image.topic(&hosted.topic).filter(|_| by_name);
            let topic_id = name.map_or(key.0, |topic| topic.id).to_string();
            let topic_id = if of_any_id { BY_NAME.to_owned() } else { topic_id };
            process.log_dir.remove_log(&hosted.topic, key.1, &topic_id)?;
            self.say(|| format!("{machine} removes {}-{} of {}", hosted.topic, key.1, key.0));
            let waits = std::mem::take(&mut hosted.waits);
            self.fail_waits(machine, key, waits, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        Ok(())
    }

    /// Coordinators forget what was committed for topics that are gone since the last image.
    fn forget_deleted(&mut self, machine: usize, image: &MetadataImage) {
        let Some(process) = self.process(machine) else { return };
        let before = process.applied.topics().iter();
        let deleted = before.filter(|topic| image.topic_by_id(&topic.id).is_none());
        let deleted: Vec<(Str, Uuid)> =
            deleted.map(|topic| (topic.name.clone(), topic.id)).collect();
        if !deleted.is_empty() && !self.has(Mistake::OffsetsByName) {
            self.forget_offsets(machine, &deleted);
        }
    }

    /// Makes one partition what the image says.
    fn host(
        &mut self,
        machine: usize,
        topic: &TopicImage,
        key: Key,
        partition: &PartitionImage,
        same: bool,
    ) -> Result<(), DiskError> {
        let (now, wall) = self.clocks(machine);
        let (rules, config) = (self.rules(), self.log_config(&topic.name));
        let planted = self.bug.and_then(|bug| bug.replica());
        let by_name = self.has(Mistake::FoldersByName);
        let Some(process) = self.process(machine) else { return Ok(()) };
        let id = machine as i32;
        if !partition.replicas.contains(&id) {
            return Ok(());
        }
        let assignment = assignment(partition);
        if let Some(hosted) = process.partitions.get_mut(&key) {
            if same {
                // Nobody is woken by what does not concern it.
                return Ok(());
            }
            let changed = hosted.replica.assign(assignment, now);
            self.news(machine, key, changed);
        } else if process.offline.get(&key) != Some(&Offline::Waits) {
            let topic_id = if by_name { BY_NAME.to_owned() } else { key.0.to_string() };
            let of = (topic, key, &*topic_id);
            match open(process, id, of, (rules, config), assignment, (now, wall)) {
                Ok(mut hosted) => {
                    hosted.replica.plant(planted);
                    let log = hosted.replica.log();
                    let range = log.start_offset()..log.end_offset();
                    let of = &self.machines[machine];
                    let own =
                        of.disk.look(|| self.checker.topics.holds_its_own(machine, key, &hosted));
                    self.checker.note(own);
                    let Some(process) = self.process(machine) else { return Ok(()) };
                    process.offline.remove(&key);
                    process.partitions.insert(key, hosted);
                    self.say(|| format!("{machine} opens {} with {range:?}", key.1));
                }
                Err(OpenError::Disk(error)) if error.leaves_in_doubt() => return Err(error),
                Err(what) => {
                    process.offline.insert(key, Offline::Waits);
                    if let OpenError::Disk(error) = &what
                        && error.is_transient()
                    {
                        process.gate.lock().refused(error);
                    }
                    self.say(|| format!("{machine} cannot open {key:?}: {what}"));
                    self.look_at_gate(machine);
                    return Ok(());
                }
            }
        }
        let marks = Throttle::marks(self.plan.throttle, machine as i32, key.1, partition);
        if let Some(process) = self.process(machine)
            && let Some(hosted) = process.partitions.get_mut(&key)
        {
            hosted.marks = marks;
        }
        self.role_taken(machine, key);
        Ok(())
    }

    /// What begins with a role: fetching, or the groups of a partition; and the checks of a new leader.
    pub(super) fn role_taken(&mut self, machine: usize, key: Key) {
        let Some(process) = self.process(machine) else { return };
        let Some(hosted) = process.partitions.get_mut(&key) else { return };
        let epoch = hosted.replica.assignment().leader_epoch;
        if hosted.replica.is_follower() {
            hosted.coordinator = None;
            let leader = hosted.replica.assignment().leader;
            self.task(machine, 0, Task::Fetch(leader));
            return;
        }
        if !hosted.replica.is_leader() {
            hosted.coordinator = None;
            return;
        }
        if hosted.led_from.0 == epoch {
            return;
        }
        hosted.led_from = (epoch, hosted.replica.log().end_offset());
        let loads = hosted.is_offsets();
        if loads {
            hosted.coordinator = Some(Coordinator::new(epoch));
        }
        let Some(process) = &self.machines[machine].process else { return };
        let Some(hosted) = process.partitions.get(&key) else { return };
        self.machines[machine].disk.look(|| self.checker.leads(machine, key, hosted));
        self.say(|| format!("{machine} leads {} {} in epoch {epoch}", key.1, key.0));
        self.inherits(machine, key);
        if loads {
            let delay = self.random.u64(1..30);
            self.task(machine, delay, Task::Load(key));
        }
    }

    /// What others have committed is known before groups are served.
    pub(super) fn load_coordinator(&mut self, machine: usize, key: Key) -> Result<(), String> {
        let skips = self.has(Mistake::CoordinatorServesUnloaded);
        let hasty = self.has(Mistake::CoordinatorServesUncommitted);
        let now = self.group_now(machine);
        let Some(process) = &mut self.machines[machine].process else { return Ok(()) };
        let Some(hosted) = process.partitions.get_mut(&key) else { return Ok(()) };
        let log = hosted.replica.log();
        let (start, end) = (log.start_offset(), log.end_offset());
        let leads = hosted.replica.is_leader();
        if leads && hosted.replica.high_watermark().offset < end && !(skips || hasty) {
            // What nobody has committed may be lost again.
            self.task(machine, 5, Task::Load(key));
            return Ok(());
        }
        let Some(process) = &mut self.machines[machine].process else { return Ok(()) };
        let Some(hosted) = process.partitions.get_mut(&key) else { return Ok(()) };
        let epoch = hosted.replica.assignment().leader_epoch;
        let batches = if skips { Ok(Vec::new()) } else { hosted.batches(start, end) };
        let batches = match batches {
            Ok(batches) => batches,
            Err(_) if self.machines[machine].disk.stops() => {
                self.die(machine, true);
                return Ok(());
            }
            Err(what) => return Err(what),
        };
        let Some(coordinator) = &mut hosted.coordinator else { return Ok(()) };
        if leads && coordinator.epoch == epoch && !coordinator.loaded {
            coordinator.load(&batches, now)?;
            self.checker.coordinator_loaded(key, epoch, coordinator)?;
            self.task(machine, 1, Task::Groups(key, epoch));
        }
        Ok(())
    }

    /// Clocks of a machine: one that never goes back, and the wall's.
    pub(super) fn clocks(&self, machine: usize) -> (i64, i64) {
        let (of, now) = (&self.machines[machine], self.now());
        (of.mono(now) as i64, of.wall(now))
    }

    fn rules(&self) -> Rules {
        Rules {
            min_insync_replicas: self.plan.min_isr,
            flush_before_ack: self.plan.flush_before_ack,
            max_lag_ms: MAX_LAG_MS,
            compacted: false,
        }
    }

    fn log_config(&self, topic: &str) -> LogConfig {
        LogConfig {
            segment_bytes: self.plan.segment_bytes,
            index_interval_bytes: 100,
            delete: topic != OFFSETS_TOPIC,
            retention_ms: -1,
            retention_bytes: self.plan.retention_bytes,
            ..LogConfig::default()
        }
    }
}

fn open(
    process: &Process,
    id: i32,
    (topic, key, topic_id): (&TopicImage, Key, &str),
    (rules, config): (Rules, LogConfig),
    assignment: Assignment,
    (now, wall): (i64, i64),
) -> Result<Hosted, OpenError> {
    let (log, _) = process.log_dir.open_log(&topic.name, key.1, topic_id, config, wall)?;
    let high_watermark = process.log_dir.high_watermark(&topic.name, key.1);
    let replica = Replica::new(id, log, rules, assignment, high_watermark, now);
    Ok(Hosted::new(topic.name.to_string(), replica))
}

fn assignment(partition: &PartitionImage) -> Assignment {
    Assignment {
        leader: partition.leader,
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        replicas: Arc::clone(&partition.replicas),
        isr: Arc::clone(&partition.isr),
    }
}
