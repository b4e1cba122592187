use bytes::Bytes;
use protocol::records::{Batch, RecordsError, batches};
use storage::log::AppendError;
use thiserror::Error;

use crate::{Changed, Replica};

/// What a follower does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextFetch {
    /// Fetch.
    From(FetchPosition),
    /// Flush first: a fetch would say that more is on disk than is.
    AfterFlush,
    /// It follows nobody, or its log takes no writes.
    None,
}

/// Where a follower fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchPosition {
    /// The leader's node id.
    pub leader: i32,
    /// Its epoch.
    pub leader_epoch: i32,
    /// The follower's end: it holds everything before.
    pub offset: i64,
    /// Epoch of its last record, -1 without one.
    pub last_fetched_epoch: i32,
    /// Start of its log.
    pub log_start_offset: i64,
}

/// What a leader answered to a fetch at `position`.
#[derive(Debug, Clone)]
pub struct FromLeader {
    /// The fetch.
    pub position: FetchPosition,
    /// How far records are committed.
    pub high_watermark: i64,
    /// Start of the leader's log.
    pub log_start_offset: i64,
    /// Batches; the last one may be cut off in its middle.
    pub records: Bytes,
}

/// Why records from the leader were not taken. What came before the bad batch was.
#[derive(Debug, Error)]
pub enum TakeError {
    /// A batch is not one, or its CRC does not match.
    #[error("the leader sent a bad batch at offset {offset}")]
    Corrupt {
        /// The log's end before it.
        offset: i64,
        /// What is wrong.
        #[source]
        reason: RecordsError,
    },
    /// A batch does not begin where the log ends.
    #[error("the leader sent a batch at offset {got} where {expected} was expected")]
    Gap {
        /// Its first offset.
        got: i64,
        /// The log's end.
        expected: i64,
    },
    /// All records here are before the start of the leader's log, and its first batch reaches back among them: they are to be
    /// dropped ([`Replica::out_of_range`]).
    #[error("the leader's log starts at offset {start}, in the middle of a batch")]
    BeforeStart {
        /// Where the leader's log starts.
        start: i64,
    },
    /// A batch claims an epoch that its sender did not have, or one older than what is before it.
    #[error(
        "the leader of epoch {leader_epoch} sent a batch of epoch {got} after one of epoch {last}"
    )]
    Epoch {
        /// The batch's.
        got: i32,
        /// Of the last batch in the log.
        last: i32,
        /// The leader's.
        leader_epoch: i32,
    },
    /// The log refused.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl Replica {
    /// Where this replica has to fetch next, if it follows.
    pub fn next_fetch(&self) -> NextFetch {
        if !self.is_follower() || self.log.is_failed() {
            return NextFetch::None;
        }
        let held = self.held().offset;
        #[cfg(feature = "planted")]
        let held = if self.has(crate::Planted::FetchBeforeFlush) { i64::MAX } else { held };
        if held < self.log.end_offset() {
            return NextFetch::AfterFlush;
        }
        NextFetch::From(FetchPosition {
            leader: self.assignment.leader,
            leader_epoch: self.assignment.leader_epoch,
            offset: self.log.end_offset(),
            last_fetched_epoch: self.log.epochs().latest().unwrap_or(-1),
            log_start_offset: self.log.start_offset(),
        })
    }

    /// Appends what the leader sent, as it is; learns high watermark and log start. Answers to an older epoch, or to a
    /// position that is no longer the log's end, are ignored.
    ///
    /// # Errors
    /// [`TakeError`].
    pub fn take(&mut self, answer: &FromLeader, wall_ms: i64) -> Result<Changed, TakeError> {
        let position = &answer.position;
        if !self.is_current(position) {
            return Ok(Changed::default());
        }
        let mut taken = Ok(());
        for batch in batches(answer.records.clone()) {
            taken = self.take_batch(batch, answer, wall_ms);
            if taken.is_err() {
                break;
            }
        }
        if let Err(error @ TakeError::BeforeStart { .. }) = taken {
            return Err(error);
        }
        let committed = self.learn_high_watermark(answer.high_watermark);
        // Never past what is committed: a leader's start is not.
        let start = answer.log_start_offset.min(self.high_watermark.offset);
        if start > self.log.start_offset() {
            self.log.advance_start(start);
        }
        taken.map(|()| Changed { committed, ..Changed::default() })
    }

    fn take_batch(
        &mut self,
        batch: Result<Batch, RecordsError>,
        answer: &FromLeader,
        wall_ms: i64,
    ) -> Result<(), TakeError> {
        let leader_epoch = answer.position.leader_epoch;
        let end = self.log.end_offset();
        let corrupt = |reason| TakeError::Corrupt { offset: end, reason };
        let batch = batch.map_err(corrupt)?;
        batch.verify_crc().map_err(corrupt)?;
        let header = batch.header();
        let got = header.base_offset;
        let holds_end = got < end && header.next_offset() > end;
        let is_fresh = self.log.size() == 0 && self.log.recovery_point() <= got;
        if holds_end && is_fresh {
            // The leader's log starts in the middle of a batch (DeleteRecords): this one begins with the whole batch, too.
            self.log.reset_to(got, wall_ms).map_err(AppendError::Disk)?;
            self.durable = self.log.end();
        } else if holds_end && answer.log_start_offset >= end {
            return Err(TakeError::BeforeStart { start: answer.log_start_offset });
        } else if got < end || (got > end && !self.rules.compacted) || header.last_offset_delta < 0
        {
            return Err(TakeError::Gap { got, expected: end });
        }
        let last = self.log.epochs().latest().unwrap_or(-1);
        let epoch = header.partition_leader_epoch;
        if epoch < last || epoch > leader_epoch {
            return Err(TakeError::Epoch { got: epoch, last, leader_epoch });
        }
        self.log.append_as_follower(&batch, wall_ms)?;
        if holds_end {
            self.log.advance_start(end);
            self.high_watermark = self.log.bound(self.high_watermark.offset);
        }
        Ok(())
    }
}
