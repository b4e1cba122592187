use std::sync::Arc;

use protocol::records::{Batch, BatchHeader, RecordsError};

use super::Log;
use super::error::ReadError;
use super::read::{copy, find, read_error};
use super::segment::Segment;
use super::walk::{Walk, WalkError};

/// A record found by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampedOffset {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, ms since 1970.
    pub timestamp: i64,
    /// Its batch's leader epoch.
    pub leader_epoch: i32,
}

/// A search by time: run it without the log's lock, on a thread that may block.
#[derive(Debug)]
pub struct TimeSearch {
    segments: Vec<Arc<Segment>>,
    start_offset: i64,
}

impl Log {
    /// Prepares a search over the current segments.
    pub fn time_search(&self) -> TimeSearch {
        TimeSearch { segments: self.segments.clone(), start_offset: self.start_offset }
    }
}

impl TimeSearch {
    /// The first record with a timestamp of `timestamp` or later; `None` when all are older.
    ///
    /// # Errors
    /// [`ReadError::Disk`], [`ReadError::Corrupt`].
    pub fn first_at(&self, timestamp: i64) -> Result<Option<TimestampedOffset>, ReadError> {
        for segment in self.segments.iter().filter(|s| s.max_timestamp() >= timestamp) {
            let from = segment.offset_before_time(timestamp)?.max(self.start_offset);
            let wanted = |at: i64| at >= timestamp;
            if let Some(found) = self.search(segment, from, &wanted)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first record with the largest timestamp; `None` for an empty log (KIP-734).
    ///
    /// # Errors
    /// [`ReadError::Disk`], [`ReadError::Corrupt`].
    pub fn latest(&self) -> Result<Option<TimestampedOffset>, ReadError> {
        let newest = self.segments.iter().map(|s| s.max_timestamp()).max().unwrap_or(-1);
        if newest < 0 {
            return Ok(None);
        }
        self.first_at(newest)
    }

    fn search(
        &self,
        segment: &Segment,
        from: i64,
        wanted: &dyn Fn(i64) -> bool,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        let end = segment.len();
        let Some(Some((start, _))) = find(segment, from, end, false)? else { return Ok(None) };
        let mut walk = Walk::new(&**segment.file(), start, end);
        loop {
            let header = walk.peek().map_err(|e| read_error(segment, walk.position(), e))?;
            let Some(header) = header else { return Ok(None) };
            if wanted(header.max_timestamp) {
                let found = self.in_batch(segment, walk.position(), &header, wanted);
                let found = found.map_err(|e| read_error(segment, walk.position(), e))?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            walk.skip(&header);
        }
    }

    fn in_batch(
        &self,
        segment: &Segment,
        position: u64,
        header: &BatchHeader,
        wanted: &dyn Fn(i64) -> bool,
    ) -> Result<Option<TimestampedOffset>, WalkError> {
        let bytes = copy(segment, position, header.size()).map_err(|e| match e {
            ReadError::Disk(e) => WalkError::Disk(e),
            _ => WalkError::Bad(RecordsError::Header("cut off")),
        })?;
        let records = Batch::parse(&bytes).and_then(|b| b.records()).map_err(WalkError::Bad)?;
        for record in records {
            let record = record.map_err(WalkError::Bad)?;
            if record.offset >= self.start_offset && wanted(record.timestamp) {
                return Ok(Some(TimestampedOffset {
                    offset: record.offset,
                    timestamp: record.timestamp,
                    leader_epoch: header.partition_leader_epoch,
                }));
            }
        }
        Ok(None)
    }
}
