use std::sync::Arc;

use super::error::{OpenError, ReadError};
use super::read::find;
use super::segment::Segment;
use super::{Log, OffsetPosition};
use crate::DiskError;
use crate::producers::Producers;

impl Log {
    /// Lowers the recovery point to what will be left of the log by [`Log::truncate_to`] or [`Log::reset_to`]. A flush that
    /// is under way does not raise it again; the caller writes the recovery point checkpoint and truncates then: a crash
    /// in between must not find records missing that the checkpoint calls durable.
    pub fn prepare_truncation(&mut self, offset: i64) {
        self.truncations += 1;
        // The cut is where a batch begins, which may be before `offset`, but not before its segment.
        let left = self.bound(offset).segment_base.min(offset);
        self.recovery_point = self.recovery_point.min(left).max(0);
    }

    /// Cuts the log so that it ends at `offset` (a follower that has diverged), or where the batch that holds `offset`
    /// begins. Durable when it returns; the caller must have lowered the recovery point checkpoint first (see
    /// [`Log::prepare_truncation`]).
    ///
    /// # Errors
    /// As [`Log::read`] and [`Log::open`]. The log takes no writes any more after an error.
    pub fn truncate_to(&mut self, offset: i64, now_ms: i64) -> Result<(), OpenError> {
        let truncated = self.truncate(offset, now_ms);
        if truncated.is_err() {
            // What is in memory may no longer be what is on disk.
            self.failed = true;
        }
        truncated
    }

    /// Drops all records and begins anew at `offset` (a follower whose leader no longer has what would come next). The
    /// caller must have lowered the recovery point checkpoint to 0 first (see [`Log::prepare_truncation`]).
    ///
    /// # Errors
    /// When files cannot be made or removed. The log takes no writes any more then.
    pub fn reset_to(&mut self, offset: i64, now_ms: i64) -> Result<(), DiskError> {
        let reset = self.reset(offset, now_ms);
        if reset.is_err() {
            self.failed = true;
        }
        reset
    }

    fn reset(&mut self, offset: i64, now_ms: i64) -> Result<(), DiskError> {
        self.truncations += 1;
        self.hot.clear();
        self.unsynced.clear();
        let new = Segment::create(&self.disk, &self.dir, offset)?;
        // Newest first: a crash in between leaves no gap but the one before the new segment, which holds nothing yet.
        for old in self.segments.drain(..).rev() {
            if old.base_offset() != offset {
                old.remove(&*self.disk)?;
            }
        }
        self.segments.push(Arc::new(new));
        self.start_offset = offset;
        self.end_offset = offset;
        // Nothing is there that could be missing; the log may yet begin anew at a smaller offset.
        self.recovery_point = 0;
        self.active_since_ms = now_ms;
        self.names_unsynced = true;
        self.epochs.clear();
        self.producers = Producers::default();
        // None may be past the log's end.
        Producers::load(&*self.disk, &self.dir, -1, now_ms)?;
        if let Some((path, content)) = self.epochs.take_dirty(&self.dir, offset) {
            self.disk.write_file_atomically(&path, content.as_bytes())?;
        }
        self.disk.sync_dir(&self.dir)
    }

    fn truncate(&mut self, offset: i64, now_ms: i64) -> Result<(), OpenError> {
        if offset >= self.end_offset {
            self.epochs.truncate_from_end(self.end_offset);
            return Ok(());
        }
        let mut offset = offset;
        if self.segments.first().is_some_and(|first| first.base_offset() > offset) {
            return Ok(self.reset(offset, now_ms)?);
        }
        self.truncations += 1;
        self.hot.clear();
        // Newest first: a crash in between leaves no gap.
        while self.segments.len() > 1 && self.active().base_offset() >= offset {
            if let Some(segment) = self.segments.pop() {
                self.unsynced.retain(|s| s.base_offset() != segment.base_offset());
                segment.remove(&*self.disk)?;
            }
        }
        let active = self.active().clone();
        self.unsynced.retain(|s| s.base_offset() != active.base_offset());
        let position = if active.base_offset() >= offset {
            Some(0)
        } else {
            find(&active, offset, active.len(), false)
                .map_err(super::open::open_error)?
                .flatten()
                .map(|(position, header)| {
                    offset = offset.min(header.base_offset);
                    position
                })
        };
        if let Some(position) = position {
            self.cut(&active, position, offset)?;
        }
        self.end_offset = offset;
        // As in Kafka: a start past the end would call records durable that are not there.
        self.start_offset = self.start_offset.min(offset);
        self.recovery_point = self.recovery_point.min(offset);
        self.epochs.truncate_from_end(offset);
        self.producers = Producers::default();
        let epochs = std::mem::take(&mut self.epochs);
        self.rebuild_state(Some(epochs), now_ms)?;
        self.disk.sync_dir(&self.dir)?;
        Ok(())
    }

    fn cut(&self, active: &Segment, position: u64, offset: i64) -> Result<(), OpenError> {
        active.truncate(position)?;
        active.truncate_times(offset)?;
        // What the indexes no longer say of the timestamps comes from the batches after the last entry.
        let start = active.last_indexed_position().unwrap_or(0);
        active.scan(start, i64::MAX, self.config.index_interval_bytes, &mut |_| {})?;
        Ok(())
    }

    /// Where `offset` begins, looked up.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn position_of(&self, offset: i64) -> Result<OffsetPosition, ReadError> {
        if offset >= self.end_offset {
            return Ok(self.end());
        }
        let at = self.segments.partition_point(|s| s.base_offset() <= offset).saturating_sub(1);
        let segment = &self.segments[at];
        let found = find(segment, offset, segment.len(), false)?.flatten();
        let position = found.map_or(segment.len(), |(position, _)| position);
        Ok(OffsetPosition { offset, segment_base: segment.base_offset(), position })
    }

    /// Forgets idempotent producers that have been silent for `expiration_ms`.
    pub fn expire_producers(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers.expire(now_ms, expiration_ms);
    }
}
