use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use protocol::records::{Batch, TimestampType};
use protocol::{ErrorCode, Str, Uuid};
use replica::{Assignment, Changed, Replica, ServeError};
use storage::log::{AppendError, Appended};
use storage::producers::{SequenceCheck, SequenceError};
use storage::{DiskError, DiskFailure, FlushTarget, Flusher};
use tokio::sync::Notify;

use super::gate::LogDirGate;
use super::settings::TopicSettings;
use super::validate;
use super::waiters::{CommitWait, FetchWait, News, Waiters, Wakeups, Watched};
use crate::throttle::{Limits, Marks};
use crate::traffic::PartitionTraffic;

/// A partition replica on this broker.
///
/// One lock covers replica and waiters: an append decides, writes and registers its wait under it, in one system
/// call. Syncs and cold reads run without it.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) topic: Str,
    pub(crate) topic_id: Uuid,
    pub(crate) index: i32,
    settings: RwLock<Arc<TopicSettings>>,
    pub(super) inner: Mutex<Inner>,
    /// Bytes in and out.
    pub(crate) traffic: PartitionTraffic,
    flusher: Arc<Flusher>,
    pub(super) gate: Arc<LogDirGate>,
    /// Which of its replication is limited; `marked` says whether any is, without a lock.
    marks: RwLock<Marks>,
    marked: AtomicBool,
    /// A flush is queued that will include what is appended now.
    flush_queued: AtomicBool,
    /// A follower has become fit to join the in-sync replicas.
    pub(super) isr_wanted: AtomicBool,
    /// A follower's log starts elsewhere.
    pub(super) starts: Notify,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) replica: Replica,
    pub(super) waiters: Waiters,
    /// Appends since housekeeping last looked: a partition without any gives its memory back.
    pub(super) touched: bool,
    /// A disk error has been reported: once is enough until it is over.
    reported: bool,
}

/// A produce that was appended, or recognised as appended before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) base_offset: i64,
    /// -1 under CreateTime.
    pub(crate) log_append_time_ms: i64,
    pub(crate) log_start_offset: i64,
    /// Records appended; 0 for a duplicate.
    pub(crate) records: u64,
}

/// A produce that was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<String>,
    /// Index in the batch and reason, of records that caused it (KIP-467).
    pub(crate) record_errors: Vec<(i32, &'static str)>,
    pub(crate) log_start_offset: i64,
}

impl Refusal {
    pub(crate) fn of(code: ErrorCode) -> Self {
        Self { code, message: None, record_errors: Vec::new(), log_start_offset: -1 }
    }
}

impl Partition {
    pub(super) fn new(
        (topic, topic_id, index): (Str, Uuid, i32),
        replica: Replica,
        settings: Arc<TopicSettings>,
        (flusher, gate): (Arc<Flusher>, Arc<LogDirGate>),
    ) -> Self {
        Self {
            topic,
            topic_id,
            index,
            settings: RwLock::new(settings),
            inner: Mutex::new(Inner {
                replica,
                waiters: Waiters::default(),
                touched: true,
                reported: false,
            }),
            traffic: PartitionTraffic::default(),
            flusher,
            gate,
            marks: RwLock::default(),
            marked: AtomicBool::new(false),
            flush_queued: AtomicBool::new(false),
            isr_wanted: AtomicBool::new(false),
            starts: Notify::new(),
        }
    }

    /// Bytes of the log, and how many records short of what is known to be committed it is.
    pub(crate) fn size_and_lag(&self) -> (u64, i64) {
        let inner = self.inner.lock();
        let (log, committed) = (inner.replica.log(), inner.replica.high_watermark().offset);
        (log.size(), (committed - log.end_offset()).max(0))
    }

    pub(crate) fn settings(&self) -> Arc<TopicSettings> {
        Arc::clone(&self.settings.read())
    }

    /// Appends what a client sent. With `wait` (acks=all) the wait is over when the records are committed; the number
    /// names this partition in its failures.
    ///
    /// Locks: settings (shared), partition. System calls: one `pwritev`. Copies: none of records of 4 KiB and
    /// more, one of smaller ones (into the hot tail).
    ///
    /// # Errors
    /// [`Refusal`]; nothing was appended.
    pub(crate) fn append(
        self: &Arc<Self>,
        records: Option<&Bytes>,
        produce_version: i16,
        wait: Option<(&Arc<CommitWait>, usize)>,
        now_ms: i64,
    ) -> Result<Accepted, Refusal> {
        let settings = self.settings();
        let batch = validate::produced(records, &settings, produce_version, now_ms)?;
        self.append_batch(&batch, &settings, wait, now_ms)
    }

    /// Appends a batch of the broker's own (a coordinator's), as under acks=all: `wait` is over when it is committed.
    ///
    /// # Errors
    /// As for a client's produce.
    pub(crate) fn append_own(
        self: &Arc<Self>,
        batch: &Batch,
        wait: &Arc<CommitWait>,
        now_ms: i64,
    ) -> Result<Accepted, Refusal> {
        self.append_batch(batch, &self.settings(), Some((wait, 0)), now_ms)
    }

    fn append_batch(
        self: &Arc<Self>,
        batch: &Batch,
        settings: &TopicSettings,
        wait: Option<(&Arc<CommitWait>, usize)>,
        now_ms: i64,
    ) -> Result<Accepted, Refusal> {
        let mut inner = self.inner.lock();
        let inner_mut = &mut *inner;
        let acks = if wait.is_some() { -1 } else { 1 };
        inner_mut.replica.admit(acks).map_err(|error| Refusal::of(error.code()))?;
        if !self.gate.is_open() {
            // Clients look for another leader then; there is one as soon as the controller knows.
            return Err(Refusal::of(ErrorCode::KAFKA_STORAGE_ERROR));
        }
        let log_start_offset = inner_mut.replica.log().start_offset();
        match inner_mut.replica.log().producers().check(batch.header()) {
            Ok(SequenceCheck::Append) => {}
            Ok(SequenceCheck::Duplicate { base_offset, timestamp }) => {
                let end = base_offset + i64::from(batch.header().last_offset_delta) + 1;
                if let Some(wait) = wait {
                    inner_mut.wait_for(end, wait);
                }
                let log_append_time_ms = append_time(settings, timestamp);
                return Ok(Accepted {
                    base_offset,
                    log_append_time_ms,
                    log_start_offset,
                    records: 0,
                });
            }
            Err(error) => return Err(sequence_refusal(error, log_start_offset)),
        }
        let append_time_ms =
            (settings.timestamp_type == TimestampType::LogAppendTime).then_some(now_ms);
        let (appended, changed) = match inner_mut.replica.append(batch, append_time_ms, now_ms) {
            Ok(appended) => appended,
            Err(error) => {
                if let AppendError::Disk(error) = &error {
                    inner_mut.report(self, error);
                }
                return Err(append_refusal(&error, log_start_offset));
            }
        };
        let wakeups = inner_mut.appended(&appended, changed, wait);
        let flush = inner_mut.replica.rules().flush_before_ack;
        drop(inner);
        self.traffic.appended(batch.bytes().len());
        wakeups.wake();
        if flush {
            self.request_flush();
        }
        Ok(Accepted {
            base_offset: appended.base_offset,
            log_append_time_ms: append_time(settings, appended.max_timestamp),
            log_start_offset,
            records: batch.header().record_count as u64,
        })
    }

    /// A wait for everything that is in the log now to be committed, under this leadership.
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER and what else keeps this replica from leading.
    pub(crate) fn settle(self: &Arc<Self>) -> Result<Arc<CommitWait>, ErrorCode> {
        let wait = CommitWait::new();
        let mut inner = self.inner.lock();
        inner.replica.serve(-1).map_err(ServeError::code)?;
        let end = inner.replica.log().end_offset();
        inner.wait_for(end, (&wait, 0));
        let flush = inner.replica.needs_flush();
        drop(inner);
        if flush {
            self.request_flush();
        }
        Ok(wait)
    }

    /// Queues a flush of everything that is appended until it begins.
    pub(super) fn request_flush(self: &Arc<Self>) {
        if !self.flush_queued.swap(true, Ordering::AcqRel) {
            self.flusher.request(Arc::clone(self) as Arc<dyn FlushTarget>);
        }
    }

    /// `wait` is told about the next news of this kind.
    pub(crate) fn watch(&self, wait: &Arc<FetchWait>, news: News) {
        self.inner.lock().waiters.add_fetch(wait, news);
    }

    /// A follower's session is told about all news, until it is dropped.
    pub(crate) fn join(&self, watched: &Arc<Watched>) {
        self.inner.lock().waiters.add_session(watched);
    }

    /// Takes a new leader and replicas from the metadata image.
    pub(super) fn assign(&self, assignment: Assignment, monotonic_ms: i64) {
        let mut inner = self.inner.lock();
        let changed = inner.replica.assign(assignment, monotonic_ms);
        let wakeups = inner.news(changed);
        drop(inner);
        wakeups.wake();
    }

    /// Takes which of its replication is limited.
    pub(super) fn mark(&self, marks: Marks) {
        let any = marks.any();
        if any || self.is_marked() {
            *self.marks.write() = marks;
            self.marked.store(any, Ordering::Release);
        }
    }

    /// Whether some of its replication may be limited.
    pub(crate) fn is_marked(&self) -> bool {
        self.marked.load(Ordering::Acquire)
    }

    /// What limits what is sent to a follower: nothing when it is in sync.
    pub(crate) fn limits_of_sending(&self, follower: i32) -> Limits {
        if !self.is_marked() {
            return Limits::default();
        }
        let isr = self.isr();
        self.marks.read().sending(follower, &isr)
    }

    /// What limits what this node takes as a follower: nothing when it is in sync.
    pub(crate) fn limits_of_taking(&self, node_id: i32) -> Limits {
        if !self.is_marked() {
            return Limits::default();
        }
        let isr = self.isr();
        self.marks.read().taking(node_id, &isr)
    }

    fn isr(&self) -> Arc<[i32]> {
        Arc::clone(&self.inner.lock().replica.assignment().isr)
    }

    /// Takes changed configs.
    pub(super) fn configure(&self, settings: Arc<TopicSettings>) {
        let mut inner = self.inner.lock();
        inner.replica.log_mut().set_config(settings.log.clone());
        let changed = inner.replica.set_rules(settings.rules);
        let wakeups = inner.news(changed);
        drop(inner);
        *self.settings.write() = settings;
        wakeups.wake();
    }

    /// The topic was deleted, or its replica here is no longer wanted: whoever waits is told, nothing is served any more.
    pub(super) fn remove(&self) {
        let mut inner = self.inner.lock();
        let changed = inner.replica.remove();
        let wakeups = inner.news(changed);
        drop(inner);
        wakeups.wake();
    }
}

impl Inner {
    /// One clear error, not one for each request that meets it.
    pub(super) fn report(&mut self, partition: &Partition, error: &DiskError) {
        partition.gate.refused(error);
        if !std::mem::replace(&mut self.reported, true) {
            tracing::error!(%partition, "records are refused: {error}");
        }
    }

    fn appended(
        &mut self,
        appended: &Appended,
        changed: Changed,
        wait: Option<(&Arc<CommitWait>, usize)>,
    ) -> Wakeups {
        self.touched = true;
        self.reported = false;
        if let Some(wait) = wait {
            self.wait_for(appended.end.offset, wait);
        }
        self.news(changed)
    }

    fn wait_for(&mut self, offset: i64, (wait, part): (&Arc<CommitWait>, usize)) {
        if self.replica.high_watermark().offset < offset {
            self.waiters.add_commit(offset, wait, part);
        }
    }

    /// Whom to tell of what has changed.
    pub(super) fn news(&mut self, changed: Changed) -> Wakeups {
        if changed.lost {
            return self.waiters.fail(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        let mut wakeups = Wakeups::default();
        if changed.committed {
            wakeups = self.waiters.committed(self.replica.high_watermark().offset);
        } else if changed.role {
            self.waiters.told(News::Committed, &mut wakeups);
        }
        if changed.grown || changed.role {
            self.waiters.told(News::Grown, &mut wakeups);
        }
        wakeups
    }
}

impl FlushTarget for Partition {
    fn flush(&self) -> Result<(), DiskError> {
        self.flush_queued.store(false, Ordering::Release);
        let plan = self.inner.lock().replica.log_mut().plan_flush();
        let result = plan.run();
        let mut inner = self.inner.lock();
        let wakeups = match &result {
            Ok(()) => {
                let changed = inner.replica.flushed(&plan);
                let mut wakeups = inner.news(changed);
                inner.waiters.told(News::Flushed, &mut wakeups);
                wakeups
            }
            Err(error) => {
                inner.replica.log_mut().flush_failed(&plan, error);
                if error.is_transient() {
                    inner.report(self, error);
                }
                inner.waiters.fail(ErrorCode::KAFKA_STORAGE_ERROR)
            }
        };
        drop(inner);
        wakeups.wake();
        match result {
            // A full disk is not the end; the next append asks again. The folder of a deleted topic may vanish
            // under a flush; that is no failure of the disk.
            Err(error) if error.is_transient() || error.failure == DiskFailure::NotFound => Ok(()),
            other => other,
        }
    }
}

impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

fn append_refusal(error: &AppendError, log_start_offset: i64) -> Refusal {
    let code = match error {
        AppendError::LargerThanSegment { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
        AppendError::Disk(_) | AppendError::Failed => ErrorCode::KAFKA_STORAGE_ERROR,
        AppendError::OutOfOrder { .. } => ErrorCode::UNKNOWN_SERVER_ERROR,
    };
    Refusal { message: Some(error.to_string()), log_start_offset, ..Refusal::of(code) }
}

fn append_time(settings: &TopicSettings, timestamp: i64) -> i64 {
    match settings.timestamp_type {
        TimestampType::CreateTime => -1,
        TimestampType::LogAppendTime => timestamp,
    }
}

fn sequence_refusal(error: SequenceError, log_start_offset: i64) -> Refusal {
    let code = match error {
        SequenceError::OldEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
        SequenceError::OutOfOrder { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        SequenceError::NoSequence { .. } => ErrorCode::INVALID_RECORD,
    };
    Refusal { message: Some(error.to_string()), log_start_offset, ..Refusal::of(code) }
}
