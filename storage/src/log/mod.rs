//! One partition's log: segments, the newest of which is appended to.
//!
//! Not thread safe by itself: its owner holds it under a short mutex. What takes long runs outside of it on
//! values that the log hands out: [`ColdRead`], [`FlushPlan`].

mod config;
mod error;
mod flush;
mod hot;
mod index;
mod open;
mod read;
mod retention;
mod segment;
mod timestamps;
mod truncate;
mod walk;

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::records::{
    BATCH_OVERHEAD, Batch, BatchHeader, patch_base_offset, patch_log_append_time,
    patch_partition_leader_epoch,
};

pub use config::{HOT_TAIL_BYTES, HOT_TAIL_TOTAL_BYTES, HotBudget, LogConfig};
pub use error::{AppendError, OpenError, ReadError};
pub use flush::FlushPlan;
use hot::HotTail;
pub use open::{OpenState, RecoveryReport};
pub use read::{ColdRead, LogSlice, Read, SENDFILE_FROM_BYTES};
use segment::Segment;
pub(crate) use segment::file_name;
pub use timestamps::{TimeSearch, TimestampedOffset};

use crate::disk::{Disk, DiskError};
use crate::epochs::LeaderEpochs;
use crate::producers::Producers;

/// An offset and where in which segment it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetPosition {
    /// The offset.
    pub offset: i64,
    /// First offset of the segment that holds it.
    pub segment_base: i64,
    /// Byte in that segment, or [`OffsetPosition::UNKNOWN`].
    pub position: u64,
}

impl OffsetPosition {
    /// The position has to be looked up.
    pub const UNKNOWN: u64 = u64::MAX;
}

/// Where a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset of its last record.
    pub last_offset: i64,
    /// Its max timestamp as stored: changed under LogAppendTime.
    pub max_timestamp: i64,
    /// The log's end after it.
    pub end: OffsetPosition,
}

/// One partition's log.
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    config: LogConfig,
    /// Oldest first; never empty: the last one is the active one.
    segments: Vec<Arc<Segment>>,
    start_offset: i64,
    end_offset: i64,
    /// Everything before it is durable.
    recovery_point: i64,
    /// Closed segments whose content is not durable yet.
    unsynced: Vec<Arc<Segment>>,
    /// A segment file was made and its name is not durable yet.
    names_unsynced: bool,
    /// The folder's own name is not durable yet.
    folder_unsynced: bool,
    /// Wall clock when the active segment was made, ms since 1970.
    active_since_ms: i64,
    hot: HotTail,
    producers: Producers,
    epochs: LeaderEpochs,
    /// How often the log was truncated: a flush that began before says nothing of what was appended after.
    truncations: u64,
    failed: bool,
}

impl Log {
    /// First offset that may be read.
    pub fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// Offset that the next record gets.
    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// `offset` as a bound for readers: the segment that holds it, without looking for its place there.
    pub fn bound(&self, offset: i64) -> OffsetPosition {
        if offset >= self.end_offset {
            return self.end();
        }
        let at = self.segments.partition_point(|s| s.base_offset() <= offset).saturating_sub(1);
        let segment_base = self.segments.get(at).map_or(offset, |s| s.base_offset());
        OffsetPosition { offset, segment_base, position: OffsetPosition::UNKNOWN }
    }

    /// Notes that this node leads under `epoch` from the log's end on (KIP-101).
    pub fn begin_epoch(&mut self, epoch: i32) {
        self.epochs.begin(epoch, self.end_offset);
    }

    /// Forgets the epochs that have no record: those under which this node led without being written to.
    pub fn drop_empty_epochs(&mut self) {
        self.epochs.truncate_from_end(self.end_offset);
    }

    /// Whether the log takes writes.
    pub fn is_failed(&self) -> bool {
        self.failed
    }

    /// The log's end and where it is.
    pub fn end(&self) -> OffsetPosition {
        let active = self.active();
        OffsetPosition {
            offset: self.end_offset,
            segment_base: active.base_offset(),
            position: active.len(),
        }
    }

    /// Everything before this offset is durable.
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point
    }

    /// Bytes of all segments.
    pub fn size(&self) -> u64 {
        self.segments.iter().map(|s| s.len()).sum()
    }

    /// Number of segments, 1 or more.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// The partition's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Current settings.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Changes the settings; they hold from the next append or retention on.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// Idempotent producers' state: ask it before an append.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Leader epochs and where they begin.
    pub fn epochs(&self) -> &LeaderEpochs {
        &self.epochs
    }

    /// Appends a batch as leader: it gets the next offsets and the leader epoch. `append_time_ms` turns it to
    /// LogAppendTime. The caller has validated it ([`Batch::verify_crc`], producer state, size).
    ///
    /// One system call (`pwritev`); the records are not copied.
    ///
    /// # Errors
    /// [`AppendError`]; the log is unchanged then.
    pub fn append(
        &mut self,
        batch: &Batch,
        leader_epoch: i32,
        append_time_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let size = batch.header().size();
        if size > self.config.segment_bytes as usize {
            let limit = self.config.segment_bytes;
            return Err(AppendError::LargerThanSegment { size, limit });
        }
        let (mut head, records) = split(batch);
        patch_base_offset(&mut head, self.end_offset);
        patch_partition_leader_epoch(&mut head, leader_epoch);
        let mut header = *batch.header();
        header.base_offset = self.end_offset;
        header.partition_leader_epoch = leader_epoch;
        if let Some(now) = append_time_ms {
            patch_log_append_time(&mut head, &records, now);
            header.max_timestamp = now;
        }
        self.append_patched(&header, &head, &records, now_ms)
    }

    /// Appends a batch as follower: offsets and leader epoch are the leader's, and so was the decision about its size. Its
    /// bytes are a part of a large response, so they are not kept in memory.
    ///
    /// # Errors
    /// [`AppendError::OutOfOrder`] when the batch begins before the log's end; others as [`Log::append`].
    pub fn append_as_follower(
        &mut self,
        batch: &Batch,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let header = batch.header();
        if header.base_offset < self.end_offset {
            return Err(AppendError::OutOfOrder {
                base_offset: header.base_offset,
                end_offset: self.end_offset,
            });
        }
        let (head, records) = split(batch);
        let appended = self.append_patched(header, &head, &records, now_ms);
        self.hot.clear();
        appended
    }

    fn append_patched(
        &mut self,
        header: &BatchHeader,
        head: &[u8; BATCH_OVERHEAD],
        records: &bytes::Bytes,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        if self.failed {
            return Err(AppendError::Failed);
        }
        if self.must_roll(header, now_ms) {
            self.roll(now_ms)?;
        }
        if self.epochs.latest() != Some(header.partition_leader_epoch) {
            self.epochs.assign(header.partition_leader_epoch, header.base_offset);
        }
        let pieces = &mut [IoSlice::new(head), IoSlice::new(records)];
        let appended = self.active().append(header, pieces, self.config.index_interval_bytes);
        appended.map_err(|error| self.disk_failed(error))?;
        self.end_offset = header.next_offset();
        self.hot.push(header.base_offset, self.end_offset, head, records);
        self.producers.update(header, now_ms);
        Ok(Appended {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
            end: self.end(),
        })
    }

    /// Remembers a disk error; all but a full disk end the log's writing life.
    fn disk_failed(&mut self, error: DiskError) -> DiskError {
        if !error.is_transient() {
            self.failed = true;
        }
        error
    }

    /// No write will be taken any more: a sync of the directory has failed.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    fn must_roll(&self, header: &BatchHeader, now_ms: i64) -> bool {
        let active = self.active();
        let len = active.len();
        if len == 0 {
            return false;
        }
        let first = active.first_timestamp();
        let age = if first >= 0 {
            header.max_timestamp.saturating_sub(first)
        } else {
            now_ms - self.active_since_ms
        };
        len + header.size() as u64 > u64::from(self.config.segment_bytes)
            || age > self.config.segment_ms
            || active.index_bytes() >= u64::from(self.config.segment_index_bytes)
            || header.last_offset() - active.base_offset() > i64::from(i32::MAX)
    }

    /// Closes the active segment and begins a new one at the log's end.
    ///
    /// # Errors
    /// When files cannot be made; the log goes on with the old segment then.
    pub fn roll(&mut self, now_ms: i64) -> Result<(), DiskError> {
        if self.active().len() == 0 {
            return Ok(());
        }
        self.producers.write_snapshot(&*self.disk, &self.dir, self.end_offset)?;
        let new = Segment::create(&self.disk, &self.dir, self.end_offset)?;
        self.unsynced.push(self.active().clone());
        self.segments.push(Arc::new(new));
        self.names_unsynced = true;
        self.active_since_ms = now_ms;
        Ok(())
    }

    fn active(&self) -> &Arc<Segment> {
        // `segments` is never empty: `open` makes one, retention and truncation leave one.
        &self.segments[self.segments.len() - 1]
    }

    /// Reads from `offset` up to `upper` (the high watermark, or the log's end for a follower), at most
    /// `max_bytes`, but one batch in any case when `min_one` (KIP-74).
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`].
    pub fn read(
        &self,
        offset: i64,
        upper: OffsetPosition,
        max_bytes: usize,
        min_one: bool,
    ) -> Result<Read, ReadError> {
        if offset < self.start_offset || offset > self.end_offset {
            let (start, end) = (self.start_offset, self.end_offset);
            return Err(ReadError::OutOfRange { offset, start, end });
        }
        if offset >= upper.offset || (max_bytes == 0 && !min_one) {
            return Ok(Read::Empty);
        }
        if let Some(slice) = self.hot.read(offset, upper.offset, max_bytes, min_one) {
            return Ok(Read::Memory(slice));
        }
        let at = self.segments.partition_point(|s| s.base_offset() <= offset).saturating_sub(1);
        Ok(Read::Cold(ColdRead {
            segment: self.segments[at].clone(),
            next: self.segments.get(at + 1).cloned(),
            offset,
            max_bytes,
            min_one,
            upper,
            index_interval_bytes: self.config.index_interval_bytes,
        }))
    }

    /// Gives back the memory of the hot tail and the index files that lookups have opened; for a partition that nobody writes to.
    pub fn cool(&mut self) {
        self.hot.clear();
        for segment in &self.segments {
            segment.cool();
        }
    }
}

fn split(batch: &Batch) -> ([u8; BATCH_OVERHEAD], bytes::Bytes) {
    let mut head = [0; BATCH_OVERHEAD];
    head.copy_from_slice(&batch.bytes()[..BATCH_OVERHEAD]);
    (head, batch.bytes().slice(BATCH_OVERHEAD..))
}
