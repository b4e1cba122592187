use super::Log;
use crate::DiskError;

impl Log {
    /// Removes closed segments that retention lets go: older than `retention.ms` (by their largest timestamp),
    /// over `retention.bytes`, or before the log's start. Nothing past `high_watermark` goes. An active segment
    /// whose records are all too old is closed first. Returns the number of segments removed.
    ///
    /// # Errors
    /// When a file cannot be made or removed; what is removed stays so.
    pub fn apply_retention(
        &mut self,
        high_watermark: i64,
        now_ms: i64,
    ) -> Result<usize, DiskError> {
        if self.config.delete && self.is_expired(self.segments.len() - 1, now_ms) {
            self.roll(now_ms)?;
        }
        let mut size = self.size();
        let mut count = 0;
        while count + 1 < self.segments.len() {
            let next_base = self.segments[count + 1].base_offset();
            let len = self.segments[count].len();
            let too_big = self.config.retention_bytes >= 0
                && size.saturating_sub(len) >= self.config.retention_bytes as u64;
            let policy = self.config.delete && (too_big || self.is_expired(count, now_ms));
            let deleted = next_base <= self.start_offset;
            if next_base > high_watermark || !(policy || deleted) {
                break;
            }
            size -= len;
            count += 1;
        }
        self.remove_first(count)?;
        Ok(count)
    }

    fn is_expired(&self, index: usize, now_ms: i64) -> bool {
        let segment = &self.segments[index];
        let newest = segment.max_timestamp();
        self.config.retention_ms >= 0
            && segment.len() > 0
            && newest >= 0
            && now_ms.saturating_sub(newest) > self.config.retention_ms
    }

    fn remove_first(&mut self, count: usize) -> Result<(), DiskError> {
        // One by one, oldest first: a crash or an error in between leaves a log without a gap.
        for _ in 0..count {
            self.start_offset = self.start_offset.max(self.segments[1].base_offset());
            let old = self.segments.remove(0);
            self.unsynced.retain(|s| s.base_offset() != old.base_offset());
            old.remove(&*self.disk)?;
        }
        if count > 0 {
            self.producers.remove_snapshots(&*self.disk, &self.dir, self.start_offset)?;
            self.epochs.truncate_from_start(self.start_offset);
        }
        Ok(())
    }

    /// Moves the log's start (DeleteRecords). The caller makes it durable (checkpoint) before it answers.
    /// Clamped to the log's end; never moves back. Returns the new start.
    pub fn advance_start(&mut self, offset: i64) -> i64 {
        self.start_offset = self.start_offset.max(offset.min(self.end_offset));
        self.start_offset
    }
}
