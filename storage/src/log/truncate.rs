use super::error::{OpenError, ReadError};
use super::read::find;
use super::segment::Segment;
use super::{Log, OffsetPosition};
use crate::producers::Producers;

impl Log {
    /// Cuts the log so that it ends at `offset` (a follower that has diverged). Durable when it returns; the
    /// caller must have lowered the recovery point checkpoint first.
    ///
    /// # Errors
    /// As [`Log::read`] and [`Log::open`].
    pub fn truncate_to(&mut self, offset: i64, now_ms: i64) -> Result<(), OpenError> {
        if offset >= self.end_offset {
            return Ok(());
        }
        let offset = offset.max(self.start_offset);
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
                .map(|(position, _)| position)
        };
        if let Some(position) = position {
            self.cut(&active, position, offset)?;
        }
        self.end_offset = offset;
        self.recovery_point = self.recovery_point.min(offset);
        self.epochs.truncate_from_end(offset);
        self.producers = Producers::default();
        self.rebuild_state(now_ms)?;
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
