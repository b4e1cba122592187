//! The metadata log: the records, durable on a [`Disk`].
//!
//! A folder holds at most one snapshot and one log, both named by an offset (records since the cluster began) with 20
//! digits: `<offset>.snapshot` is everything before that offset, `<offset>.log` everything from it on.
//! [`frame`] says what the files look like inside. A log that has grown large is replaced: snapshot first (written
//! beside, synced, renamed), then a new log; what the older files say is in the snapshot, so a crash between any two
//! steps loses nothing, and the next start cleans up.

mod frame;
mod frame_type;
mod recovery;
mod snapshot;

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::disk::{Disk, DiskError, DiskFailure, DiskFile, OpenMode};
use thiserror::Error;

pub use frame_type::Frame;
pub use recovery::Recovery;

use crate::image::{ApplyError, MetadataImage};
use crate::record::MetadataRecord;

/// Longest payload of a frame, in bytes: bounds messages and what a damaged length makes us look at.
pub const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;
/// A log smaller than this is never compacted.
const COMPACT_FROM_BYTES: u64 = 4 * 1024 * 1024;
/// A log is compacted when it is this many times as large as the last snapshot.
const COMPACT_RATIO: u64 = 2;

/// The open metadata log: one writer.
#[derive(Debug)]
pub struct MetadataLog {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    file: Arc<dyn DiskFile>,
    /// Bytes of complete frames in the file.
    end: u64,
    /// Offset of the next record.
    next_offset: u64,
    /// Offset in the file's name.
    base_offset: u64,
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
    /// The records cannot be written as JSON.
    #[error("metadata records cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
    /// An earlier write failed.
    #[error("metadata log {}: an earlier write failed; restart the broker", .0.display())]
    Poisoned(PathBuf),
}

impl MetadataLog {
    /// Opens the log in a folder (made when missing), cuts off a torn tail, and gives the image that the records make.
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

    /// Appends commands' records, each command's as one frame, and makes them durable by one sync.
    ///
    /// # Errors
    /// Nothing is durable then. After a full disk the next append may succeed; after a failed sync none will.
    pub fn append(&mut self, commands: &[&[MetadataRecord]]) -> Result<(), LogError> {
        if self.poisoned {
            return Err(LogError::Poisoned(self.path()));
        }
        let mut bytes = Vec::new();
        let mut next_offset = self.next_offset;
        for records in commands.iter().filter(|records| !records.is_empty()) {
            frame::encode(&mut bytes, next_offset, &serde_json::to_vec(records)?)?;
            next_offset += records.len() as u64;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        if let Err(e) = self.file.write_at(&mut [IoSlice::new(&bytes)], self.end) {
            // A part may be there: it must not be taken for a torn tail with something after it.
            let cut = self.file.truncate(self.end);
            self.poisoned = e.failure != DiskFailure::Full || cut.is_err();
            return Err(e.into());
        }
        if let Err(e) = self.file.sync() {
            self.poisoned = true;
            return Err(e.into());
        }
        self.end += bytes.len() as u64;
        self.next_offset = next_offset;
        Ok(())
    }

    /// Writes a snapshot and starts a new log when the present one has grown large. `image` must be what the log says.
    ///
    /// # Errors
    /// The log is as before and can go on, unless it is poisoned.
    pub fn compact_if_large(&mut self, image: &MetadataImage) -> Result<bool, LogError> {
        let limit = self.compact_from_bytes.max(self.snapshot_bytes * COMPACT_RATIO);
        if self.poisoned || self.end < limit || image.offset() != self.next_offset {
            return Ok(false);
        }
        let snapshot = snapshot::encode(image)?;
        let path = self.dir.join(snapshot::name(self.next_offset));
        self.disk.write_file_atomically(&path, &snapshot)?;
        let file = create_log(&*self.disk, &self.dir, self.next_offset)?;
        let old_base = std::mem::replace(&mut self.base_offset, self.next_offset);
        self.file = file;
        self.end = 0;
        self.snapshot_bytes = snapshot.len() as u64;
        // What is left behind by a failure here is removed by the next start.
        self.disk.remove(&self.dir.join(log_name(old_base)))?;
        self.disk.remove(&self.dir.join(snapshot::name(old_base)))?;
        Ok(true)
    }

    fn path(&self) -> PathBuf {
        self.dir.join(log_name(self.base_offset))
    }
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
