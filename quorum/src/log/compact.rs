//! Snapshots: making one, installing a leader's, reading one for a follower.

use bytes::Bytes;
use storage::disk::{DiskFailure, OpenMode};

use super::frames::{Mark, Recent};
use super::{
    COMPACT_RATIO, LogError, MetadataLog, SnapshotId, create_log, log_name, read_range, snapshot,
};
use crate::image::MetadataImage;
use crate::raft::VoterSet;

impl MetadataLog {
    /// Writes a snapshot and starts a new log when the present one has grown large. `image` must be what the log says.
    ///
    /// # Errors
    /// The log is as before and can go on, unless it is poisoned.
    pub fn compact_if_large(&mut self, image: &MetadataImage) -> Result<bool, LogError> {
        if image.offset() != self.next_offset {
            return Ok(false);
        }
        self.compact_committed(image, None, 0)
    }

    /// As [`MetadataLog::compact_if_large`] for the log of a replica: `image` is what is committed, `voters` are those that
    /// the log names up to there. Frames behind the image stay, and `keep_bytes` of those before it, for followers.
    ///
    /// # Errors
    /// The log is as before and can go on, unless it is poisoned.
    pub fn compact_committed(
        &mut self,
        image: &MetadataImage,
        voters: Option<&VoterSet>,
        keep_bytes: u64,
    ) -> Result<bool, LogError> {
        let limit = self.compact_from_bytes.max(self.snapshot_bytes * COMPACT_RATIO);
        let offset = image.offset();
        if self.poisoned
            || !self.buffer.is_empty()
            || self.end < limit.saturating_add(keep_bytes)
            || offset <= self.snapshot.offset
        {
            return Ok(false);
        }
        let behind = self.marks.partition_point(|mark| mark.first_offset < offset);
        let Some(last) = behind.checked_sub(1).and_then(|index| self.marks.get(index)) else {
            return Ok(false);
        };
        let id = SnapshotId { offset, epoch: last.epoch };
        let snapshot_at = self.marks.get(behind).map_or(self.end, |mark| mark.at);
        let kept_from = snapshot_at.saturating_sub(keep_bytes);
        let first_kept = self.marks.partition_point(|mark| mark.at < kept_from).min(behind);
        let bytes = snapshot::encode(image, id.epoch, voters)?;
        let path = self.dir.join(snapshot::name(offset));
        self.disk.write_file_atomically(&path, &bytes)?;
        let old = std::mem::replace(&mut self.snapshot, id);
        self.snapshot_bytes = bytes.len() as u64;
        self.restart_from(first_kept)?;
        // What is left behind by a failure here is removed by the next start.
        self.disk.remove(&self.dir.join(snapshot::name(old.offset)))?;
        Ok(true)
    }

    /// Puts a new log file in place of the present one, with the frames from `first_kept` on.
    fn restart_from(&mut self, first_kept: usize) -> Result<(), LogError> {
        let (base_offset, at) = match self.marks.get(first_kept) {
            Some(mark) => (mark.first_offset, mark.at),
            None => (self.next_offset, self.end),
        };
        if base_offset == self.base_offset {
            return Ok(());
        }
        let path = self.dir.join(log_name(base_offset));
        let file = if at == self.end {
            create_log(&*self.disk, &self.dir, base_offset)?
        } else {
            let kept = read_range(&*self.file, at, (self.end - at) as usize)?;
            self.disk.write_file_atomically(&path, &kept)?;
            self.disk.open(&path, OpenMode::Write)?
        };
        let old_base = std::mem::replace(&mut self.base_offset, base_offset);
        self.file = file;
        self.end -= at;
        self.marks.drain(..first_kept);
        for mark in &mut self.marks {
            *mark = Mark { at: mark.at - at, ..*mark };
        }
        self.disk.remove(&self.dir.join(log_name(old_base)))?;
        Ok(())
    }

    /// Replaces everything by a snapshot that came from the leader; `wanted` is what was asked for. Gives its image and
    /// the voters that it names.
    ///
    /// # Errors
    /// The bytes are no snapshot, or another one: nothing has changed then ([`LogError::Corrupt`], [`LogError::Apply`]). Or
    /// the disk refuses: nothing is appended any more.
    pub fn install(
        &mut self,
        wanted: SnapshotId,
        bytes: &[u8],
    ) -> Result<(MetadataImage, Option<VoterSet>), LogError> {
        let path = self.dir.join(snapshot::name(wanted.offset));
        let read = snapshot::decode(&path, bytes)?;
        if (read.image.offset(), read.epoch) != (wanted.offset, wanted.epoch) {
            let why = "the snapshot is not the one that was asked for".to_owned();
            return Err(LogError::Corrupt { path, at: 0, why });
        }
        self.poisoned = true;
        self.disk.write_file_atomically(&path, bytes)?;
        let file = create_log(&*self.disk, &self.dir, wanted.offset)?;
        let old_snapshot = std::mem::replace(&mut self.snapshot, wanted);
        let old_base = std::mem::replace(&mut self.base_offset, wanted.offset);
        self.file = file;
        self.end = 0;
        self.buffer.clear();
        self.marks.clear();
        self.recent = Recent::default();
        self.durable_offset = wanted.offset;
        self.next_offset = wanted.offset;
        self.snapshot_bytes = bytes.len() as u64;
        self.poisoned = false;
        if old_base != wanted.offset {
            self.disk.remove(&self.dir.join(log_name(old_base)))?;
        }
        if old_snapshot.offset != wanted.offset {
            self.disk.remove(&self.dir.join(snapshot::name(old_snapshot.offset)))?;
        }
        Ok((read.image, read.voters))
    }

    /// A part of the present snapshot's file, and the file's length; `None` when it is another one.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn read_snapshot(
        &self,
        id: SnapshotId,
        position: u64,
        max_bytes: usize,
    ) -> Result<Option<(Bytes, u64)>, LogError> {
        if id != self.snapshot || position > self.snapshot_bytes {
            return Ok(None);
        }
        let path = self.dir.join(snapshot::name(id.offset));
        let file = match self.disk.open(&path, OpenMode::Read) {
            Ok(file) => file,
            Err(e) if e.failure == DiskFailure::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let len = max_bytes.min((self.snapshot_bytes - position) as usize);
        let bytes = read_range(&*file, position, len)?;
        Ok(Some((bytes.into(), self.snapshot_bytes)))
    }
}
