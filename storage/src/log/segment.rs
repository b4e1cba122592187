//! One segment: a `.log` file with its `.index` and `.timeindex`. Named by its first offset in 20 digits.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;
use protocol::records::BatchHeader;

use super::index::{OffsetEntry, SparseIndex, TimeEntry};
use super::walk::{Walk, WalkError};
use crate::{Disk, DiskError, DiskFile, OpenMode};

/// No record yet: Kafka's value for "no timestamp".
const NO_TIMESTAMP: i64 = -1;

pub(super) const LOG_SUFFIX: &str = ".log";
pub(super) const INDEX_SUFFIX: &str = ".index";
pub(super) const TIME_INDEX_SUFFIX: &str = ".timeindex";

/// `<20 digits><suffix>`.
pub(crate) fn file_name(base_offset: i64, suffix: &str) -> String {
    format!("{base_offset:020}{suffix}")
}

#[derive(Debug)]
struct Indexes {
    offsets: SparseIndex<OffsetEntry>,
    times: SparseIndex<TimeEntry>,
    /// Log bytes since the last entry.
    since_last: u64,
    /// The segment's files are gone: none may be made again.
    removed: bool,
}

/// A segment. Readers share it; one writer at a time (under the log's lock) appends.
#[derive(Debug)]
pub(super) struct Segment {
    base_offset: i64,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    /// Bytes that hold whole batches; published after the write, so that a reader never goes past it.
    len: AtomicU64,
    max_timestamp: AtomicI64,
    /// Last offset of the batch with the largest timestamp.
    max_timestamp_offset: AtomicI64,
    /// Timestamp of the first batch, for `segment.ms`; -1 while empty.
    first_timestamp: AtomicI64,
    indexes: Mutex<Indexes>,
}

impl Segment {
    /// Makes an empty segment; what old files of these names hold is dropped.
    pub(super) fn create(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        base_offset: i64,
    ) -> Result<Self, DiskError> {
        let path = dir.join(file_name(base_offset, LOG_SUFFIX));
        let file = disk.open_kept(&path, OpenMode::Create)?;
        if !file.is_empty()? {
            file.truncate(0)?;
        }
        // Its index files are made when there are entries for them, or when it is sealed.
        Ok(Self::new(disk, path, file, base_offset, 0, None))
    }

    /// The first segment of a log that has no file yet: it is made with the first record.
    pub(super) fn first(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        base_offset: i64,
    ) -> Result<Self, DiskError> {
        let path = dir.join(file_name(base_offset, LOG_SUFFIX));
        let file = disk.create_kept(&path)?;
        Ok(Self::new(disk, path, file, base_offset, 0, None))
    }

    /// Opens the files of a segment. `indexed`: take the index files as they are, when they are there;
    /// otherwise the indexes are empty and must be built by [`Segment::scan`].
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        base_offset: i64,
        indexed: bool,
    ) -> Result<(Self, bool), DiskError> {
        let path = dir.join(file_name(base_offset, LOG_SUFFIX));
        let file = disk.open_kept(&path, OpenMode::Write)?;
        let len = file.len()?;
        let mut loaded = None;
        if len == 0 {
            // Nothing is indexed, whatever files there are: an empty segment is sealed without any.
            return Ok((Self::new(disk, path, file, base_offset, len, None), indexed));
        }
        if indexed {
            let offsets = SparseIndex::load(disk.clone(), path.with_extension("index"))?;
            let times = SparseIndex::load(disk.clone(), path.with_extension("timeindex"))?;
            loaded = offsets.zip(times);
        }
        let has_indexes = loaded.is_some();
        Ok((Self::new(disk, path, file, base_offset, len, loaded), has_indexes))
    }

    fn new(
        disk: &Arc<dyn Disk>,
        path: PathBuf,
        file: Arc<dyn DiskFile>,
        base_offset: i64,
        len: u64,
        indexes: Option<(SparseIndex<OffsetEntry>, SparseIndex<TimeEntry>)>,
    ) -> Self {
        let (offsets, times) = indexes.unwrap_or_else(|| {
            (
                SparseIndex::empty(disk.clone(), path.with_extension("index")),
                SparseIndex::empty(disk.clone(), path.with_extension("timeindex")),
            )
        });
        let (max_timestamp, max_timestamp_offset) = times.last().map_or((NO_TIMESTAMP, -1), |t| {
            (t.timestamp, base_offset + i64::from(t.relative_offset))
        });
        Self {
            base_offset,
            path,
            file,
            len: AtomicU64::new(len),
            max_timestamp: AtomicI64::new(max_timestamp),
            max_timestamp_offset: AtomicI64::new(max_timestamp_offset),
            first_timestamp: AtomicI64::new(NO_TIMESTAMP),
            indexes: Mutex::new(Indexes { offsets, times, since_last: 0, removed: false }),
        }
    }

    pub(super) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    pub(super) fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// Largest timestamp of the records, ms since 1970; -1 when there is none.
    pub(super) fn max_timestamp(&self) -> i64 {
        self.max_timestamp.load(Ordering::Relaxed)
    }

    pub(super) fn first_timestamp(&self) -> i64 {
        self.first_timestamp.load(Ordering::Relaxed)
    }

    pub(super) fn index_bytes(&self) -> u64 {
        self.indexes.lock().offsets.bytes()
    }

    /// Appends one batch in one system call. After an error the file is cut back to what it was; if that fails
    /// too the error says so by not being [`crate::DiskFailure::Full`].
    pub(super) fn append(
        &self,
        header: &BatchHeader,
        pieces: &mut [IoSlice<'_>],
        index_interval_bytes: u32,
    ) -> Result<u64, DiskError> {
        let position = self.len.load(Ordering::Relaxed);
        let written = self
            .file
            .write_at(pieces, position)
            .and_then(|()| self.note(header, position, index_interval_bytes));
        if let Err(error) = written {
            self.file.truncate(position)?;
            return Err(error);
        }
        self.len.store(position + header.size() as u64, Ordering::Release);
        Ok(position)
    }

    /// Indexes a batch that begins at `position`, if an entry is due.
    fn note(&self, header: &BatchHeader, position: u64, interval: u32) -> Result<(), DiskError> {
        let relative_offset = (header.last_offset() - self.base_offset) as u32;
        if position == 0 {
            self.first_timestamp.store(header.max_timestamp, Ordering::Relaxed);
        }
        if header.max_timestamp > self.max_timestamp() {
            self.max_timestamp.store(header.max_timestamp, Ordering::Relaxed);
            self.max_timestamp_offset.store(header.last_offset(), Ordering::Relaxed);
        }
        let indexes = &mut *self.indexes.lock();
        if indexes.since_last > u64::from(interval) {
            // Positions fit: a segment is closed before 2^31 bytes, and one batch cannot exceed that.
            indexes.offsets.push(OffsetEntry { relative_offset, position: position as u32 })?;
            self.note_time(indexes)?;
            indexes.since_last = 0;
        }
        indexes.since_last += header.size() as u64;
        Ok(())
    }

    fn note_time(&self, indexes: &mut Indexes) -> Result<(), DiskError> {
        let timestamp = self.max_timestamp();
        if timestamp > indexes.times.last().map_or(NO_TIMESTAMP, |t| t.timestamp) {
            let offset = self.max_timestamp_offset.load(Ordering::Relaxed);
            let relative_offset = (offset - self.base_offset) as u32;
            indexes.times.push(TimeEntry { timestamp, relative_offset })?;
        }
        Ok(())
    }

    /// Completes the indexes of a segment that gets no more batches and makes them durable.
    pub(super) fn seal(&self) -> Result<(), DiskError> {
        if self.len() == 0 {
            return Ok(());
        }
        let indexes = &mut *self.indexes.lock();
        if indexes.removed {
            // By retention or a truncation while a flush was under way.
            return Ok(());
        }
        self.note_time(indexes)?;
        indexes.offsets.seal()?;
        indexes.times.seal()
    }

    /// Takes the batches from `start` on into account, calling `visit` for each; the indexes get entries for
    /// them. Stops at the first bad one and says where and why.
    pub(super) fn scan(
        &self,
        start: u64,
        verify_crc_from: i64,
        interval: u32,
        visit: &mut dyn FnMut(&BatchHeader),
    ) -> Result<Scan, DiskError> {
        let mut walk = Walk::new(&*self.file, start, self.len());
        let mut next_offset = self.base_offset;
        loop {
            let step = walk.peek().and_then(|header| {
                if let Some(header) = &header {
                    if header.base_offset < next_offset {
                        let error = protocol::records::RecordsError::Header("offsets go backwards");
                        return Err(WalkError::Bad(error));
                    }
                    if header.last_offset() - self.base_offset > i64::from(i32::MAX) {
                        let error =
                            protocol::records::RecordsError::Header("offset of another segment");
                        return Err(WalkError::Bad(error));
                    }
                    if header.last_offset() >= verify_crc_from {
                        walk.verify_crc(header)?;
                    }
                }
                Ok(header)
            });
            match step {
                Ok(None) => return Ok(Scan { next_offset, valid: walk.position(), bad: None }),
                Ok(Some(header)) => {
                    self.note(&header, walk.position(), interval)?;
                    next_offset = header.next_offset();
                    visit(&header);
                    walk.skip(&header);
                }
                Err(WalkError::Disk(error)) => return Err(error),
                Err(WalkError::Bad(reason)) => {
                    let bad = Some(reason.to_string());
                    return Ok(Scan { next_offset, valid: walk.position(), bad });
                }
            }
        }
    }

    /// Where the last batch that the index knows begins: 0 without entries, `None` when that is past the end of
    /// the segment, so that the index cannot be its own.
    pub(super) fn last_indexed_position(&self) -> Option<u64> {
        let last = self.indexes.lock().offsets.last().map_or(0, |e| u64::from(e.position));
        (last < self.len() || last == 0).then_some(last)
    }

    pub(super) fn load_first_timestamp(&self) -> Result<(), WalkError> {
        let mut walk = Walk::new(&*self.file, 0, self.len()).in_chunks_of(0);
        if let Some(header) = walk.peek()? {
            self.first_timestamp.store(header.max_timestamp, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Cuts the segment at `position`, where a batch begins, and makes that durable.
    pub(super) fn truncate(&self, position: u64) -> Result<(), DiskError> {
        let indexes = &mut *self.indexes.lock();
        // A batch that begins before `position` also ends there or before.
        indexes.offsets.truncate(|e| u64::from(e.position) < position)?;
        indexes.since_last = 0;
        self.len.store(position, Ordering::Release);
        self.file.truncate(position)?;
        self.file.sync()
    }

    /// After [`Segment::truncate`]: forgets timestamps past `next_offset`; the caller rescans what the time
    /// index does not say.
    pub(super) fn truncate_times(&self, next_offset: i64) -> Result<(), DiskError> {
        let indexes = &mut *self.indexes.lock();
        let base = self.base_offset;
        indexes.times.truncate(|e| base + i64::from(e.relative_offset) < next_offset)?;
        let (timestamp, offset) = indexes
            .times
            .last()
            .map_or((NO_TIMESTAMP, -1), |t| (t.timestamp, base + i64::from(t.relative_offset)));
        self.max_timestamp.store(timestamp, Ordering::Relaxed);
        self.max_timestamp_offset.store(offset, Ordering::Relaxed);
        Ok(())
    }

    /// Lets go of the index files; a lookup opens them again.
    pub(super) fn cool(&self) {
        // Whoever looks something up just now shows that they are needed.
        if let Some(mut indexes) = self.indexes.try_lock() {
            indexes.offsets.close();
            indexes.times.close();
        }
    }

    /// Where to start looking for the batch that holds `offset`; `None` when that must wait for the disk and
    /// `cached` forbids it.
    pub(super) fn position_before(
        &self,
        offset: i64,
        cached: bool,
    ) -> Result<Option<u64>, DiskError> {
        let found = self.indexes.lock().offsets.floor(offset - self.base_offset, cached)?;
        Ok(found.map(|entry| entry.map_or(0, |e| u64::from(e.position))))
    }

    /// The last place, not after `position`, of which the index knows that a batch begins there: 0 if it knows of none. `None`
    /// when that must wait for the disk and `cached` forbids it.
    pub(super) fn boundary_before(
        &self,
        position: u64,
        cached: bool,
    ) -> Result<Option<u64>, DiskError> {
        let within = |entry: &OffsetEntry| u64::from(entry.position) <= position;
        let found = self.indexes.lock().offsets.last_of(within, cached)?;
        Ok(found.map(|entry| entry.map_or(0, |e| u64::from(e.position))))
    }

    /// Where to start looking for the first record that is not older than `timestamp`: an offset.
    pub(super) fn offset_before_time(&self, timestamp: i64) -> Result<i64, DiskError> {
        let found = self.indexes.lock().times.floor(timestamp - 1, false)?.flatten();
        Ok(found.map_or(self.base_offset, |e| self.base_offset + i64::from(e.relative_offset)))
    }

    /// Removes the three files. Readers that still hold the segment read on while its file is open: it has no name any more,
    /// but is there until they let go. If it is closed just then they get [`crate::DiskFailure::NotFound`].
    pub(super) fn remove(&self, disk: &dyn Disk) -> Result<(), DiskError> {
        let indexes = &mut *self.indexes.lock();
        indexes.removed = true;
        disk.remove(&self.path)?;
        disk.remove(&self.path.with_extension("index"))?;
        disk.remove(&self.path.with_extension("timeindex"))
    }
}

/// What a scan found.
#[derive(Debug)]
pub(super) struct Scan {
    /// Offset after the last good batch.
    pub(super) next_offset: i64,
    /// Bytes up to the end of the last good batch.
    pub(super) valid: u64,
    /// Why the bytes after that are no batch; `None` at the end of the file.
    pub(super) bad: Option<String>,
}
