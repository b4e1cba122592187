use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use protocol::{ErrorCode, Str, Uuid};
use quorum::MetadataImage;
use quorum::image::{PartitionImage, TopicImage};
use replica::{Assignment, Replica};
use storage::log::OpenError;
use storage::{Flusher, LogDir};
use tokio::sync::{Notify, watch};

use super::gate::LogDirGate;
use super::hosted::Partition;
use super::settings::TopicSettings;
use crate::config::Configs;
use crate::context::Clock;
use crate::metrics::Metrics;
use crate::throttle::{Marks, Throttles};

/// Threads that open logs at the start, a processor: they mostly wait for the disk.
const OPENERS_PER_CPU: usize = 2;
/// This few partitions are opened without threads.
const OPEN_INLINE: usize = 4;

/// One partition of a topic, as far as this broker is concerned.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    /// It is not on this broker.
    Elsewhere,
    /// It is served.
    Online(Arc<Partition>),
    /// Its log could not be opened; the log says why.
    Offline,
    /// The disk had no room, or the process no descriptor, for what opening it takes: it is opened when there is.
    NoRoom,
}

/// A topic's partitions.
#[derive(Debug)]
pub(crate) struct HostedTopic {
    pub(crate) name: Str,
    pub(crate) id: Uuid,
    slots: Vec<Slot>,
}

impl HostedTopic {
    /// A partition that this broker serves.
    ///
    /// # Errors
    /// UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR.
    pub(crate) fn partition(&self, index: i32) -> Result<&Arc<Partition>, ErrorCode> {
        match usize::try_from(index).ok().and_then(|index| self.slots.get(index)) {
            Some(Slot::Online(partition)) => Ok(partition),
            Some(Slot::Offline | Slot::NoRoom) => Err(ErrorCode::KAFKA_STORAGE_ERROR),
            Some(Slot::Elsewhere) => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
            None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        }
    }

    fn lacks_room(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot, Slot::NoRoom))
    }

    fn online(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Online(partition) => Some(partition),
            _ => None,
        })
    }
}

/// A partition as the image says that it should be: topic, what is hosted of it so far, settings, index.
type Wanted<'a> = (&'a Arc<TopicImage>, Option<&'a Arc<HostedTopic>>, &'a Arc<TopicSettings>, i32);

/// All topics at one moment. A request takes it once: further lookups cost no lock.
#[derive(Debug, Default)]
pub(crate) struct PartitionsView {
    by_name: HashMap<Str, Arc<HostedTopic>>,
    by_id: HashMap<Uuid, Arc<HostedTopic>>,
}

impl PartitionsView {
    /// A topic by name.
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<HostedTopic>> {
        self.by_name.get(name)
    }

    /// A topic by id.
    pub(crate) fn by_id(&self, id: &Uuid) -> Option<&Arc<HostedTopic>> {
        self.by_id.get(id)
    }

    /// Every partition that is served.
    pub(crate) fn online(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.by_name.values().flat_map(|topic| topic.online())
    }
}

/// The partitions of this broker, kept as the metadata image says.
#[derive(Debug)]
pub(crate) struct Partitions {
    pub(super) node_id: i32,
    pub(super) log_dir: Arc<LogDir>,
    flusher: Arc<Flusher>,
    gate: Arc<LogDirGate>,
    configs: Arc<Configs>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    throttles: Throttles,
    view: RwLock<Arc<PartitionsView>>,
    /// The image that was applied last; the lock makes one image be applied at a time.
    applied: Mutex<Arc<MetadataImage>>,
    /// Raised with every image that was applied.
    changes: watch::Sender<u64>,
    /// A follower has become fit to join the in-sync replicas of some partition.
    isr_wanted: Notify,
}

impl Partitions {
    pub(crate) fn new(
        node_id: i32,
        log_dir: Arc<LogDir>,
        (flusher, gate): (Arc<Flusher>, Arc<LogDirGate>),
        configs: Arc<Configs>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            node_id,
            log_dir,
            flusher,
            gate,
            configs,
            clock,
            throttles: Throttles::new(&metrics),
            metrics,
            view: RwLock::default(),
            applied: Mutex::default(),
            changes: watch::Sender::new(0),
            isr_wanted: Notify::new(),
        }
    }

    /// Says when an image has been applied.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Notified when some partition's in-sync replicas may grow.
    pub(crate) fn isr_wanted(&self) -> &Notify {
        &self.isr_wanted
    }

    /// Counts what lacks in-sync replicas, for the metrics.
    pub(crate) fn count_under_replicated(&self) {
        let view = self.view();
        let lacking = view.online().filter(|partition| partition.is_under_replicated());
        self.metrics.under_replicated.set(lacking.count() as i64);
    }

    /// How fast replicas that are not in sync are filled.
    pub(crate) fn throttles(&self) -> &Throttles {
        &self.throttles
    }

    /// Whether the folder takes writes.
    pub(crate) fn gate(&self) -> &Arc<LogDirGate> {
        &self.gate
    }

    /// The folder that holds the logs.
    pub(crate) fn log_dir(&self) -> &Arc<LogDir> {
        &self.log_dir
    }

    /// All topics as of now.
    pub(crate) fn view(&self) -> Arc<PartitionsView> {
        Arc::clone(&self.view.read())
    }

    /// A partition that this broker serves.
    ///
    /// # Errors
    /// As [`HostedTopic::partition`].
    pub(crate) fn get(&self, topic: &str, index: i32) -> Result<Arc<Partition>, ErrorCode> {
        let view = self.view();
        let topic = view.by_name(topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        topic.partition(index).cloned()
    }

    /// Makes the partitions what `image` says: opens new logs, passes on leaders and configs, removes what was deleted.
    /// Blocks on the disk. A log that cannot be opened leaves its partition offline; the others go on.
    pub(crate) fn apply(&self, image: &Arc<MetadataImage>) {
        self.apply_over(&mut self.applied.lock(), image);
    }

    /// Opens what could not be opened for want of room or descriptors. Blocks on the disk.
    pub(super) fn reopen(&self) {
        let mut applied = self.applied.lock();
        // Under the lock: an image that is being applied may just have found none.
        if self.view().by_name.values().any(|topic| topic.lacks_room()) {
            let image = Arc::clone(&applied);
            self.apply_over(&mut applied, &image);
        }
    }

    fn apply_over(&self, applied: &mut Arc<MetadataImage>, image: &Arc<MetadataImage>) {
        let old = self.view();
        self.throttles.configure(&self.configs, image, self.clock.monotonic_ms());
        let reconfigured = self.broker_configs_differ(applied, image);
        let mut next = PartitionsView::default();
        let mut work = Vec::new();
        // First of all: a topic that was deleted and made anew since the last image opens its logs in the same places.
        self.remove_what_leaves(&old, applied, image);
        for topic in image.topics().iter() {
            let known = old.by_id(&topic.id);
            let unchanged = !reconfigured
                && applied.topic_by_id(&topic.id).is_some_and(|before| Arc::ptr_eq(before, topic));
            match known {
                Some(known) if unchanged && !known.lacks_room() => next.insert(Arc::clone(known)),
                known => work.push((topic, known)),
            }
        }
        for hosted in self.host_all(image, &work) {
            next.insert(Arc::new(hosted));
        }
        self.metrics.partitions.set(next.online().count() as i64);
        self.metrics.offline_partitions.set(next.offline() as i64);
        *self.view.write() = Arc::new(next);
        *applied = Arc::clone(image);
        self.changes.send_modify(|count| *count += 1);
    }

    fn broker_configs_differ(&self, old: &MetadataImage, new: &MetadataImage) -> bool {
        use quorum::record::ConfigResource::Broker;
        [Broker(None), Broker(Some(self.node_id))].iter().any(|r| old.configs(r) != new.configs(r))
    }

    fn host_all(
        &self,
        image: &MetadataImage,
        work: &[(&Arc<TopicImage>, Option<&Arc<HostedTopic>>)],
    ) -> Vec<HostedTopic> {
        let settings: Vec<_> = work
            .iter()
            .map(|(topic, _)| Arc::new(TopicSettings::of(&self.configs, image, topic)))
            .collect();
        let partitions = work.iter().zip(&settings).flat_map(|((topic, known), settings)| {
            topic.iter().map(move |(index, _)| (*topic, *known, settings, index))
        });
        let partitions: Vec<_> = partitions.collect();
        let mut slots = self.host_partitions(&partitions).into_iter();
        let hosted = work.iter().map(|(topic, _)| HostedTopic {
            name: topic.name.clone(),
            id: topic.id,
            slots: slots.by_ref().take(topic.partitions.len()).collect(),
        });
        hosted.collect()
    }

    /// Hosts partitions, on several threads if there are many; one topic may have thousands.
    fn host_partitions(&self, partitions: &[Wanted<'_>]) -> Vec<Slot> {
        let host_some = |some: &[Wanted<'_>]| some.iter().map(|p| self.host(p)).collect::<Vec<_>>();
        if partitions.len() <= OPEN_INLINE {
            return host_some(partitions);
        }
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let share = partitions.len().div_ceil(cpus * OPENERS_PER_CPU).max(1);
        std::thread::scope(|scope| {
            let chunks: Vec<_> = partitions
                .chunks(share)
                .map(|chunk| (scope.spawn(|| host_some(chunk)), chunk))
                .collect();
            let mut slots = Vec::with_capacity(partitions.len());
            for (thread, chunk) in chunks {
                // A panic in a thread is a bug; doing its share here shows it again where it can be seen.
                slots.extend(thread.join().unwrap_or_else(|_| host_some(chunk)));
            }
            slots
        })
    }

    fn host(&self, (topic, known, settings, index): &Wanted<'_>) -> Slot {
        let index = *index;
        let slot = known.and_then(|known| known.slots.get(index as usize));
        let Some(partition) = topic.partition(index) else { return Slot::Elsewhere };
        if !partition.replicas.contains(&self.node_id) {
            return Slot::Elsewhere;
        }
        let lists = (&settings.throttled_leaders, &settings.throttled_followers);
        let marks = Marks::of((self.node_id, index), lists, &partition.adding_replicas);
        let assignment = assignment(partition);
        match slot {
            Some(Slot::Online(online)) => {
                online.configure(Arc::clone(settings));
                online.mark(marks);
                online.assign(assignment, self.clock.monotonic_ms() as i64);
                Slot::Online(Arc::clone(online))
            }
            Some(Slot::Offline) => Slot::Offline,
            Some(Slot::NoRoom) if !self.gate.is_open() => Slot::NoRoom,
            _ => {
                let slot = self.open(topic, index, assignment, settings);
                if let Slot::Online(opened) = &slot {
                    opened.mark(marks);
                }
                slot
            }
        }
    }

    fn open(
        &self,
        topic: &TopicImage,
        index: i32,
        assignment: Assignment,
        settings: &Arc<TopicSettings>,
    ) -> Slot {
        let (id, config) = (topic.id.to_string(), settings.log.clone());
        match self.log_dir.open_log(&topic.name, index, &id, config, self.clock.now_ms()) {
            Ok((log, report)) => {
                if report.truncated_bytes > 0 {
                    tracing::warn!(
                        topic = %topic.name, partition = index,
                        "cut {} bytes that had not been acknowledged as durable off the log's end: {}",
                        report.truncated_bytes, report.reason.as_deref().unwrap_or_default(),
                    );
                }
                let high_watermark = self.log_dir.high_watermark(&topic.name, index);
                let (rules, now_ms) = (settings.rules, self.clock.monotonic_ms() as i64);
                let replica =
                    Replica::new(self.node_id, log, rules, assignment, high_watermark, now_ms);
                let name = (topic.name.clone(), topic.id, index);
                let disk = (Arc::clone(&self.flusher), Arc::clone(&self.gate));
                Slot::Online(Arc::new(Partition::new(name, replica, Arc::clone(settings), disk)))
            }
            Err(error) => {
                tracing::error!(topic = %topic.name, partition = index, "partition is offline: {error}");
                match error {
                    OpenError::Disk(error) if error.is_transient() => {
                        self.gate.refused(&error);
                        Slot::NoRoom
                    }
                    OpenError::Disk(error) if error.leaves_in_doubt() => {
                        // As with any other write that fails, the process ends and begins with what is on the disk.
                        self.gate.refused(&error);
                        Slot::Offline
                    }
                    // What cannot be read, or makes no sense, concerns this partition alone; the log says what it is.
                    _ => Slot::Offline,
                }
            }
        }
    }

    /// Ends and removes replicas that are not this node's any more. The view still has them, and they answer that they do not lead.
    fn remove_what_leaves(
        &self,
        old: &PartitionsView,
        applied: &MetadataImage,
        image: &MetadataImage,
    ) {
        for topic in old.by_id.values() {
            let before = applied.topic_by_id(&topic.id);
            let now = image.topic_by_id(&topic.id);
            if before.zip(now).is_some_and(|(before, now)| Arc::ptr_eq(before, now)) {
                continue;
            }
            for (index, slot) in (0..).zip(&topic.slots) {
                if !image.hosts(self.node_id, &topic.id, index) {
                    self.remove((&topic.name, &topic.id), index, slot);
                }
            }
        }
    }

    /// The topic was deleted, or the replica has been given to another node.
    fn remove(&self, (name, id): (&Str, &Uuid), index: i32, slot: &Slot) {
        match slot {
            Slot::Online(partition) => partition.remove(),
            Slot::Offline | Slot::NoRoom => {}
            Slot::Elsewhere => return,
        }
        if let Err(error) = self.log_dir.remove_log(name, index, &id.to_string()) {
            tracing::error!(topic = %name, partition = index, "cannot remove a deleted partition: {error}");
        }
    }
}

impl PartitionsView {
    fn offline(&self) -> usize {
        let slots = self.by_name.values().flat_map(|topic| &topic.slots);
        slots.filter(|slot| matches!(slot, Slot::Offline | Slot::NoRoom)).count()
    }

    fn insert(&mut self, topic: Arc<HostedTopic>) {
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(topic.name.clone(), topic);
    }
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

#[cfg(test)]
mod tests;
