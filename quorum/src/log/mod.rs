//! The metadata log: the records, durable on a [`Disk`].
//!
//! A folder holds at most one snapshot and one log, both named by an offset (records since the cluster began) with 20
//! digits: `<offset>.snapshot` is everything before that offset, `<offset>.log` everything from it on. The log may begin
//! before the snapshot, so that followers that are a little behind need no snapshot.
//! [`frame`] says what the files look like inside. A log that has grown large is replaced: snapshot first (written
//! beside, synced, renamed), then a new log; what the older files say is in the snapshot, so a crash between any two
//! steps loses nothing, and the next start cleans up.
//!
//! # Invariants
//! - A snapshot holds committed records only; what is before its offset is never truncated.
//! - Frames are in the order of offsets without gaps, and epochs never fall.

mod compact;
mod frame;
mod frame_type;
mod frames;
mod recovery;
mod snapshot;
pub(crate) mod wire;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use storage::disk::{Disk, DiskError, DiskFailure, DiskFile, OpenMode};
use thiserror::Error;

pub use frame_type::Frame;
pub use frames::Mark;
pub use recovery::{Opened, Recovery};

use frames::Recent;

use crate::image::{ApplyError, MetadataImage};
use crate::record::MetadataRecord;

/// Longest payload of a frame, in bytes: bounds messages and what a damaged length makes us look at.
pub const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;
/// A log smaller than this is never compacted.
const COMPACT_FROM_BYTES: u64 = 4 * 1024 * 1024;
/// A log is compacted when it is this many times as large as the last snapshot.
const COMPACT_RATIO: u64 = 2;

/// Which snapshot: the records before `offset`, the last of them written in `epoch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SnapshotId {
    /// How many records it stands for; 0: there is none.
    pub offset: u64,
    /// Epoch of the last frame before `offset`.
    pub epoch: i32,
}

/// The open metadata log: one writer.
#[derive(Debug)]
pub struct MetadataLog {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    file: Arc<dyn DiskFile>,
    /// Bytes of complete frames in the file.
    end: u64,
    /// Frames that are not written yet: they belong at `end`.
    buffer: Vec<u8>,
    /// All frames, those in the buffer too.
    marks: VecDeque<Mark>,
    recent: Recent,
    /// Offset before which everything is on disk.
    durable_offset: u64,
    /// Offset of the next record.
    next_offset: u64,
    /// Offset in the file's name.
    base_offset: u64,
    snapshot: SnapshotId,
    snapshot_bytes: u64,
    compact_from_bytes: u64,
    /// After a failed sync nothing is known about the file: every later append is refused.
    poisoned: bool,
}

/// The metadata log cannot be read or written.
#[derive(Debug, Error)]
pub enum LogError {
    /// The disk refused.
    #[error("metadata log: {0}")]
    Disk(#[from] DiskError),
    /// A frame in the middle is damaged: acknowledged changes would be lost by going on.
    #[error(
        "metadata log {} is damaged at byte {at} ({why}); restore the folder from a backup or another replica",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where the damage begins.
        at: u64,
        /// What is wrong.
        why: String,
    },
    /// The records contradict each other.
    #[error("metadata log {}: record {offset} cannot be applied: {source}", path.display())]
    Apply {
        /// The file.
        path: PathBuf,
        /// Offset of the first record of the frame.
        offset: u64,
        /// Why.
        source: ApplyError,
    },
    /// The records cannot be written as a frame.
    #[error("metadata records of {0} bytes are more than a frame holds")]
    TooLarge(usize),
    /// A frame that does not continue the log.
    #[error(
        "a frame at offset {offset} of epoch {epoch} does not continue a metadata log that ends at {next_offset}"
    )]
    OutOfOrder {
        /// The frame's offset.
        offset: u64,
        /// The frame's epoch.
        epoch: i32,
        /// Where the log ends.
        next_offset: u64,
    },
    /// What is committed cannot be cut off.
    #[error(
        "a metadata log cannot be cut at {offset}: no frame ends there, or the snapshot at {snapshot} has it"
    )]
    Truncate {
        /// Where the cut was to be.
        offset: u64,
        /// Offset of the snapshot.
        snapshot: u64,
    },
    /// The records cannot be written as JSON.
    #[error("metadata records cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
    /// An earlier write failed.
    #[error("metadata log {}: an earlier write failed; restart the broker", .0.display())]
    Poisoned(PathBuf),
}

impl MetadataLog {
    /// Opens the log in a folder (made when missing), cuts off a torn tail, and gives the image that the records make.
    /// For a log that no other node has a part in: everything in it counts.
    ///
    /// # Errors
    /// Damage other than a torn tail, records that contradict each other, or a disk that refuses.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
    ) -> Result<(MetadataLog, MetadataImage, Recovery), LogError> {
        Self::open_with(disk, dir, COMPACT_FROM_BYTES)
    }

    /// As [`MetadataLog::open`], with another size from which the log is compacted.
    ///
    /// # Errors
    /// As [`MetadataLog::open`].
    pub fn open_with(
        disk: Arc<dyn Disk>,
        dir: &Path,
        compact_from_bytes: u64,
    ) -> Result<(MetadataLog, MetadataImage, Recovery), LogError> {
        let mut opened = recovery::open(disk, dir, compact_from_bytes)?;
        for frame in &opened.tail {
            opened.log.apply(&mut opened.image, frame)?;
        }
        Ok((opened.log, opened.image, opened.recovery))
    }

    /// Opens the log of a replica: what is behind the snapshot may be committed or not.
    ///
    /// # Errors
    /// Damage other than a torn tail, or a disk that refuses.
    pub fn open_replica(
        disk: Arc<dyn Disk>,
        dir: &Path,
        compact_from_bytes: u64,
    ) -> Result<Opened, LogError> {
        recovery::open(disk, dir, compact_from_bytes)
    }

    /// Offset of the next record.
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Bytes in the log file.
    pub fn len_bytes(&self) -> u64 {
        self.end
    }

    /// Offset of the first record in the file.
    pub fn start_offset(&self) -> u64 {
        self.base_offset
    }

    /// The newest snapshot; offset 0 when there is none.
    pub fn snapshot(&self) -> SnapshotId {
        self.snapshot
    }

    /// All frames, the oldest first.
    pub fn marks(&self) -> impl ExactSizeIterator<Item = &Mark> {
        self.marks.iter()
    }

    /// Epoch of the last frame, or of the snapshot when no frame follows it.
    pub fn last_epoch(&self) -> i32 {
        self.marks.back().map_or(self.snapshot.epoch, |mark| mark.epoch)
    }

    /// Applies a frame's records.
    ///
    /// # Errors
    /// They contradict the image.
    pub fn apply(&self, image: &mut MetadataImage, frame: &Frame) -> Result<(), LogError> {
        for record in frame.records() {
            image.apply(record).map_err(|e| self.cannot_apply(frame.first_offset(), e))?;
        }
        Ok(())
    }

    pub(crate) fn cannot_apply(&self, offset: u64, source: ApplyError) -> LogError {
        LogError::Apply { path: self.path(), offset, source }
    }

    /// Appends commands' records, each command's as one frame, and makes them durable by one sync.
    ///
    /// # Errors
    /// Nothing is durable then. After a full disk the next append may succeed; after a failed sync none will.
    pub fn append(&mut self, commands: &[&[MetadataRecord]]) -> Result<(), LogError> {
        for records in commands.iter().filter(|records| !records.is_empty()) {
            let frame = Frame::new(self.next_offset, self.last_epoch(), records.to_vec());
            if let Err(e) = frame.and_then(|frame| self.push(frame)) {
                self.drop_buffer();
                return Err(e);
            }
        }
        self.flush().map(drop)
    }

    /// Adds a frame at the end; it is durable after [`MetadataLog::flush`].
    ///
    /// # Errors
    /// The frame does not belong there; or an earlier write failed.
    pub fn push(&mut self, frame: Frame) -> Result<(), LogError> {
        if self.poisoned {
            return Err(LogError::Poisoned(self.path()));
        }
        if frame.first_offset() != self.next_offset || frame.epoch() < self.last_epoch() {
            return Err(LogError::OutOfOrder {
                offset: frame.first_offset(),
                epoch: frame.epoch(),
                next_offset: self.next_offset,
            });
        }
        let at = self.end + self.buffer.len() as u64;
        frame::encode(&mut self.buffer, frame.first_offset(), frame.epoch(), frame.payload())?;
        let mark = Mark { first_offset: frame.first_offset(), epoch: frame.epoch(), at };
        self.marks.push_back(mark);
        self.next_offset = frame.end_offset();
        self.recent.push(frame, self.durable_offset);
        Ok(())
    }

    /// Makes all frames durable by one sync. Whether there were any that were not.
    ///
    /// # Errors
    /// The frames since the last flush are dropped. After a full disk the next flush may succeed; after a failed sync none
    /// will.
    pub fn flush(&mut self) -> Result<bool, LogError> {
        if self.poisoned {
            return Err(LogError::Poisoned(self.path()));
        }
        if self.buffer.is_empty() {
            return Ok(false);
        }
        if let Err(e) = self.file.write_at(&mut [IoSlice::new(&self.buffer)], self.end) {
            // A part may be there: it must not be taken for a torn tail with something after it.
            let cut = self.file.truncate(self.end);
            self.poisoned = e.failure != DiskFailure::Full || cut.is_err();
            self.drop_buffer();
            return Err(e.into());
        }
        if let Err(e) = self.file.sync() {
            self.poisoned = true;
            self.drop_buffer();
            return Err(e.into());
        }
        self.end += self.buffer.len() as u64;
        self.buffer.clear();
        self.durable_offset = self.next_offset;
        Ok(true)
    }

    fn drop_buffer(&mut self) {
        self.buffer.clear();
        self.forget_from(self.durable_offset);
    }

    /// Drops what is known of the frames from an offset on.
    fn forget_from(&mut self, offset: u64) {
        while self.marks.pop_back_if(|mark| mark.first_offset >= offset).is_some() {}
        self.recent.truncate(offset);
        self.next_offset = offset;
    }

    /// Cuts the log so that the frame that ends at `offset` is the last one, durably. Nothing happens when it ends
    /// there or before.
    ///
    /// # Errors
    /// The snapshot has records behind `offset`, or no frame ends there; or the disk refuses, and then nothing is appended
    /// any more.
    pub fn truncate(&mut self, offset: u64) -> Result<(), LogError> {
        if offset >= self.next_offset {
            return Ok(());
        }
        self.flush()?;
        let index = self.marks.binary_search_by_key(&offset, |mark| mark.first_offset);
        let mark = index.ok().and_then(|index| self.marks.get(index));
        let Some(mark) = mark.filter(|_| offset >= self.snapshot.offset) else {
            return Err(LogError::Truncate { offset, snapshot: self.snapshot.offset });
        };
        let at = mark.at;
        let cut = self.file.truncate(at).and_then(|()| self.file.sync());
        self.poisoned = cut.is_err();
        cut?;
        self.end = at;
        self.durable_offset = offset;
        self.forget_from(offset);
        Ok(())
    }

    /// Frames from the one that begins at `offset` on, as many as fit into `max_bytes`, but at least one; none when no
    /// frame begins there.
    ///
    /// # Errors
    /// The file is damaged, or the disk refuses.
    pub fn frames(&self, offset: u64, max_bytes: usize) -> Result<Vec<Frame>, LogError> {
        if let Some(recent) = self.recent.from(offset) {
            let mut bytes = 0;
            let fits = |frame: &&Frame| {
                let first = bytes == 0;
                bytes += frame.payload().len();
                first || bytes <= max_bytes
            };
            return Ok(recent.take_while(fits).cloned().collect());
        }
        let index = self.marks.binary_search_by_key(&offset, |mark| mark.first_offset);
        let Some((index, first)) = index.ok().and_then(|i| Some((i, self.marks.get(i)?))) else {
            return Ok(Vec::new());
        };
        let ends = self.marks.range(index..).skip(1).map(|mark| mark.at).chain([self.end]);
        let ends = ends.filter(|end| *end <= self.end).enumerate();
        let within = ends.take_while(|(i, end)| *i == 0 || *end - first.at <= max_bytes as u64);
        let end = within.last().map_or(first.at, |(_, end)| end);
        self.read_frames(first.at, end)
    }

    fn read_frames(&self, from: u64, to: u64) -> Result<Vec<Frame>, LogError> {
        let bytes = read_range(&*self.file, from, (to - from) as usize)?;
        let corrupt = |why: String| LogError::Corrupt { path: self.path(), at: from, why };
        let mut frames = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            match frame::decode(bytes.get(at..).unwrap_or_default()) {
                frame::Found::Frame { first_offset, epoch, payload, len } => {
                    let payload = Bytes::copy_from_slice(payload);
                    frames.push(Frame::parse(first_offset, epoch, payload).map_err(corrupt)?);
                    at += len;
                }
                frame::Found::Broken(why) => return Err(corrupt(why.to_owned())),
                frame::Found::End => break,
            }
        }
        Ok(frames)
    }

    fn path(&self) -> PathBuf {
        self.dir.join(log_name(self.base_offset))
    }
}

/// Reads up to `len` bytes; fewer at the end of the file.
fn read_range(file: &dyn DiskFile, from: u64, len: usize) -> Result<Vec<u8>, DiskError> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from + filled as u64)? {
            0 => break,
            n => filled += n,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn log_name(base_offset: u64) -> String {
    format!("{base_offset:020}.log")
}

fn create_log(
    disk: &dyn Disk,
    dir: &Path,
    base_offset: u64,
) -> Result<Arc<dyn DiskFile>, DiskError> {
    let file = disk.open(&dir.join(log_name(base_offset)), OpenMode::Create)?;
    file.truncate(0)?;
    file.sync()?;
    disk.sync_dir(dir)?;
    Ok(file)
}

#[cfg(test)]
mod tests;
