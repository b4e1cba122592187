//! Carries out what groups decide: writes their records, answers who waits, wakes them in time.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use groups::record::{self, KeyValue};
use groups::{Effect, GroupSettings, Now, OFFSETS_TOPIC, Persist, partition_for, refusal};
use parking_lot::{Mutex, RwLock};
use protocol::records::{BatchBuilder, Compression};
use protocol::{EncodeError, ErrorCode, Str, Uuid};
use quorum::MetadataImage;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::load;
use super::timer::Timer;
use super::waiter::{Shard, Waiter};
use crate::config::Configs;
use crate::context::{Clock, ImageCell};

/// Records in one batch of tombstones.
const RECORDS_PER_BATCH: usize = 500;

/// What the coordinator needs of the partitions of `__consumer_offsets` that this broker leads.
pub(crate) trait GroupLog: Send + Sync + Debug {
    /// Appends a batch. Appends of one partition get offsets in the order of the calls.
    ///
    /// # Errors
    /// Kafka's code for why the partition does not take it.
    fn append(&self, partition: i32, batch: Bytes, now_ms: i64) -> Result<Appended, ErrorCode>;

    /// Over when everything that is in the log now is committed, or will never be.
    ///
    /// # Errors
    /// The partition is not led here.
    fn settle(&self, partition: i32) -> Result<Committed, ErrorCode>;

    /// Batches from an offset on, committed or not, as many as are convenient; empty at the end. May block.
    ///
    /// # Errors
    /// The partition is not here or cannot be read.
    fn read(&self, partition: i32, offset: i64) -> Result<Bytes, ErrorCode>;
}

/// A batch that was appended.
pub(crate) struct Appended {
    /// Offset of its first record.
    pub(crate) base_offset: i64,
    /// Over when it is as durable as under acks=all, or will never be.
    pub(crate) committed: Committed,
}

/// Over with what became of records.
pub(crate) type Committed = Pin<Box<dyn Future<Output = Result<(), ErrorCode>> + Send>>;

/// The group coordinator; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct GroupCoordinator {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    node_id: i32,
    pub(super) settings: GroupSettings,
    offsets_retention_ms: i64,
    sweep_interval_ms: u64,
    log: Arc<dyn GroupLog>,
    clock: Arc<dyn Clock>,
    image: Arc<ImageCell>,
    slots: RwLock<HashMap<i32, Arc<Slot>>>,
    /// The image that [`Inner::follow`] saw last: topics that are missing since were deleted.
    last_image: Mutex<Arc<MetadataImage>>,
    next_request: AtomicU64,
    pub(super) timer: Timer,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A partition of `__consumer_offsets` that this broker leads.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) partition: i32,
    term: Term,
    pub(super) state: Mutex<SlotState>,
}

/// What must stay the same for a slot to stay: the topic, and this broker's leadership of the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Term {
    topic_id: Uuid,
    leader_epoch: i32,
}

#[derive(Debug)]
pub(super) enum SlotState {
    Loading,
    Ready(Shard),
    /// Another broker leads it now, or it cannot be read.
    Gone,
}

impl GroupCoordinator {
    /// A coordinator over the partitions that the image gives to this broker, now and later. It does nothing before
    /// [`GroupCoordinator::start`].
    pub(crate) fn new(
        node_id: i32,
        configs: &Configs,
        log: Arc<dyn GroupLog>,
        clock: Arc<dyn Clock>,
        image: Arc<ImageCell>,
        (tasks, stop): (TaskTracker, CancellationToken),
    ) -> Self {
        let long = |key: &str| configs.static_long(key);
        let at_least_0 = |key: &str| u64::try_from(long(key)).unwrap_or(0);
        let int = |key: &str| i32::try_from(long(key)).unwrap_or(i32::MAX);
        let inner = Inner {
            node_id,
            settings: GroupSettings {
                initial_rebalance_delay_ms: at_least_0("group.initial.rebalance.delay.ms"),
                min_session_timeout_ms: int("group.min.session.timeout.ms"),
                max_session_timeout_ms: int("group.max.session.timeout.ms"),
                max_size: usize::try_from(long("group.max.size")).unwrap_or(usize::MAX),
            },
            offsets_retention_ms: long("offsets.retention.minutes").saturating_mul(60_000),
            sweep_interval_ms: at_least_0("offsets.retention.check.interval.ms").max(1),
            log,
            clock,
            image,
            slots: RwLock::default(),
            last_image: Mutex::default(),
            next_request: AtomicU64::new(1),
            timer: Timer::default(),
            tasks,
            stop,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Begins to load groups and to wake them in time. Call it within the runtime.
    pub(crate) fn start(&self) {
        let inner = &self.inner;
        inner.follow(&inner.image());
        inner.spawn(Arc::clone(inner).follow_forever());
        inner.spawn(Arc::clone(inner).wake_groups());
        inner.spawn(Arc::clone(inner).sweep_forever());
    }

    /// Whether no partition is being read.
    pub(crate) fn is_loaded(&self) -> bool {
        self.inner
            .slots
            .read()
            .values()
            .all(|slot| !matches!(*slot.state.lock(), SlotState::Loading))
    }
}

impl Inner {
    pub(super) fn now(&self) -> Now {
        Now { monotonic_ms: self.clock.monotonic_ms(), wall_ms: self.clock.now_ms() }
    }

    pub(super) fn next_request(&self) -> u64 {
        self.next_request.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn image(&self) -> Arc<MetadataImage> {
        self.image.load()
    }

    /// Runs a task until it ends or the broker stops.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
    }

    async fn follow_forever(self: Arc<Self>) {
        loop {
            let published = self.image.published();
            self.follow(&self.image());
            published.await;
        }
    }

    /// Takes over partitions that this broker leads now, gives up others, forgets offsets of deleted topics. Does not
    /// block on the disk.
    fn follow(self: &Arc<Self>, image: &Arc<MetadataImage>) {
        let mut last = self.last_image.lock();
        if last.offset() >= image.offset() {
            return;
        }
        self.follow_leaders(image);
        let deleted: Vec<(Str, Uuid)> = last
            .topics()
            .iter()
            .filter(|old| image.topic_by_id(&old.id).is_none())
            .map(|old| (old.name.clone(), old.id))
            .collect();
        *last = Arc::clone(image);
        drop(last);
        if !deleted.is_empty() {
            self.on_every_shard(|inner, slot, shard| {
                let tombstones = shard.forget_topics(&deleted);
                inner.write_tombstones(slot.partition, tombstones);
            });
        }
    }

    /// The slot of a group's partition.
    ///
    /// # Errors
    /// COORDINATOR_NOT_AVAILABLE before there is a topic for offsets, NOT_COORDINATOR when another broker leads.
    pub(super) fn slot(self: &Arc<Self>, group_id: &str) -> Result<Arc<Slot>, ErrorCode> {
        let image = self.image();
        // The task that follows images may be a moment late, and the client that made the topic is here already.
        self.follow(&image);
        let topic = image.topic(OFFSETS_TOPIC).ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let partition = partition_for(group_id, count);
        self.slots.read().get(&partition).cloned().ok_or(ErrorCode::NOT_COORDINATOR)
    }

    /// Does something with the shard of a group.
    ///
    /// # Errors
    /// As [`Inner::slot`]; COORDINATOR_LOAD_IN_PROGRESS.
    pub(super) fn with_shard<R>(
        self: &Arc<Self>,
        group_id: &str,
        act: impl FnOnce(&Arc<Slot>, &mut Shard) -> R,
    ) -> Result<R, ErrorCode> {
        let slot = self.slot(group_id)?;
        let mut state = slot.state.lock();
        match &mut *state {
            SlotState::Loading => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            SlotState::Gone => Err(ErrorCode::NOT_COORDINATOR),
            SlotState::Ready(shard) => Ok(act(&slot, shard)),
        }
    }

    /// Does something with every shard that is loaded; whether all were.
    pub(super) fn on_every_shard(
        self: &Arc<Self>,
        mut act: impl FnMut(&Arc<Self>, &Arc<Slot>, &mut Shard),
    ) -> bool {
        let mut slots: Vec<Arc<Slot>> = self.slots.read().values().cloned().collect();
        slots.sort_by_key(|slot| slot.partition);
        let mut all = true;
        for slot in slots {
            match &mut *slot.state.lock() {
                SlotState::Ready(shard) => act(self, &slot, shard),
                SlotState::Loading => all = false,
                SlotState::Gone => {}
            }
        }
        all
    }

    fn follow_leaders(self: &Arc<Self>, image: &MetadataImage) {
        let mut led: HashMap<i32, Term> = HashMap::new();
        if let Some(topic) = image.topic(OFFSETS_TOPIC) {
            let mine = topic.iter().filter(|(_, partition)| partition.leader == self.node_id);
            led.extend(mine.map(|(id, partition)| {
                (id, Term { topic_id: topic.id, leader_epoch: partition.leader_epoch })
            }));
        }
        let mut slots = self.slots.write();
        slots.retain(|id, slot| {
            let stays = led.get(id) == Some(&slot.term);
            if !stays {
                *slot.state.lock() = SlotState::Gone;
            }
            stays
        });
        for (partition, term) in led {
            if let Entry::Vacant(vacant) = slots.entry(partition) {
                let state = Mutex::new(SlotState::Loading);
                let slot = Arc::new(Slot { partition, term, state });
                vacant.insert(Arc::clone(&slot));
                self.spawn(Arc::clone(self).load(slot));
            }
        }
    }

    async fn load(self: Arc<Self>, slot: Arc<Slot>) {
        let (log, partition) = (Arc::clone(&self.log), slot.partition);
        // What the leader before has written and nobody has committed may be lost again: it is told to nobody until then.
        let settled = match self.log.settle(partition) {
            Ok(committed) => committed.await,
            Err(error) => Err(error),
        };
        let read = match settled {
            Ok(()) => tokio::task::spawn_blocking(move || load::read(&*log, partition)).await,
            Err(error) => Ok(Err(load::LoadError::Read(error))),
        };
        let loaded = match read {
            Ok(Ok(replay)) => SlotState::Ready(replay.finish(self.now())),
            Ok(Err(error)) => {
                tracing::error!(partition, %error, "cannot load groups and offsets; the groups of this partition are not served");
                SlotState::Gone
            }
            Err(_) => SlotState::Gone,
        };
        let mut state = slot.state.lock();
        if matches!(*state, SlotState::Loading) {
            *state = loaded;
        }
        if let SlotState::Ready(shard) = &mut *state {
            let ids: Vec<Str> = shard.cells.keys().cloned().collect();
            for id in ids {
                self.schedule(&slot, shard, &id);
            }
        }
    }

    /// Carries out a group's effects, and those that follow from them. Under the shard's lock.
    pub(super) fn carry_out(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        shard: &mut Shard,
        group_id: &Str,
        effects: Vec<Effect>,
    ) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                // A client that has gone does not want its answer.
                Effect::Joined(request, answer) => {
                    if let Some(Waiter::Join(sender)) = shard.waiting.remove(&request) {
                        let _gone = sender.send(answer);
                    }
                }
                Effect::Synced(request, answer) => {
                    if let Some(Waiter::Sync(sender)) = shard.waiting.remove(&request) {
                        let _gone = sender.send(answer);
                    }
                }
                Effect::Persist(persist) => {
                    if let Err(error) = self.persist(slot, shard, group_id, &persist) {
                        let now = self.now();
                        let mut more = Vec::new();
                        if let Some(cell) = shard.cells.get_mut(group_id) {
                            let settings = &self.settings;
                            cell.group.persisted(persist, Err(error), settings, now, &mut more);
                        }
                        effects.extend(more);
                    }
                }
            }
        }
        self.schedule(slot, shard, group_id);
    }

    fn persist(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        shard: &Shard,
        group_id: &Str,
        persist: &Persist,
    ) -> Result<(), ErrorCode> {
        let Some(cell) = shard.cells.get(group_id) else { return Ok(()) };
        let record = record::group_record(&cell.group).map_err(|_| ErrorCode::INVALID_REQUEST)?;
        let appended = self.append(slot.partition, &[record])?;
        if *persist == Persist::Emptied {
            return Ok(());
        }
        let (inner, slot, id) = (Arc::clone(self), Arc::clone(slot), group_id.clone());
        let persist = persist.clone();
        self.spawn(async move {
            let result = appended.committed.await.map_err(refusal);
            let SlotState::Ready(shard) = &mut *slot.state.lock() else { return };
            let mut effects = Vec::new();
            if let Some(cell) = shard.cells.get_mut(&id) {
                let (settings, now) = (&inner.settings, inner.now());
                cell.group.persisted(persist, result, settings, now, &mut effects);
            }
            inner.carry_out(&slot, shard, &id, effects);
        });
        Ok(())
    }

    /// Appends records as one batch.
    ///
    /// # Errors
    /// In the codes that group APIs use.
    pub(super) fn append(
        &self,
        partition: i32,
        records: &[KeyValue],
    ) -> Result<Appended, ErrorCode> {
        let now_ms = self.clock.now_ms();
        let mut batch = BatchBuilder::new(Compression::None);
        for (key, value) in records {
            batch
                .append(now_ms, Some(key), value.as_deref(), &[])
                .map_err(|_| ErrorCode::INVALID_REQUEST)?;
        }
        let batch = batch.build().map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)?;
        self.log.append(partition, batch, now_ms).map_err(refusal)
    }

    /// Writes tombstones that nobody waits for: if they get lost, what they forget is forgotten again.
    pub(super) fn write_tombstones(
        &self,
        partition: i32,
        tombstones: Result<Vec<KeyValue>, EncodeError>,
    ) {
        let tombstones = match tombstones {
            Ok(tombstones) => tombstones,
            Err(error) => {
                tracing::error!(partition, %error, "cannot encode tombstones of offsets");
                return;
            }
        };
        for chunk in tombstones.chunks(RECORDS_PER_BATCH) {
            if let Err(error) = self.append(partition, chunk) {
                tracing::warn!(
                    partition,
                    error = error.name(),
                    "cannot write tombstones of offsets"
                );
                return;
            }
        }
    }

    async fn sweep_forever(self: Arc<Self>) {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(self.sweep_interval_ms)).await;
            let (now, retention_ms) = (self.now(), self.offsets_retention_ms);
            self.on_every_shard(|inner, slot, shard| {
                let tombstones = shard.sweep(now, retention_ms);
                inner.write_tombstones(slot.partition, tombstones);
            });
        }
    }
}
