use bytes::{Bytes, BytesMut};
use protocol::{ErrorCode, Segment};
use storage::log::{LogSlice, Read, ReadError, TimestampedOffset};

use super::replica::Partition;

/// Up to where a reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadBound {
    /// The high watermark: consumers.
    Committed,
    /// The log's end: the broker's own coordinators, while they load.
    End,
}

/// One partition's part of a fetch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadRequest {
    pub(crate) offset: i64,
    pub(crate) max_bytes: usize,
    /// Return one batch even above `max_bytes` (KIP-74).
    pub(crate) min_one: bool,
    /// The leader epoch that the client knows, or -1.
    pub(crate) leader_epoch: i32,
    /// Epoch of the client's last record (KIP-595), or -1.
    pub(crate) last_fetched_epoch: i32,
    pub(crate) bound: ReadBound,
}

/// What it reads, or why not.
#[derive(Debug)]
pub(crate) struct PartitionRead {
    pub(crate) error: ErrorCode,
    pub(crate) high_watermark: i64,
    pub(crate) log_start_offset: i64,
    pub(crate) slice: LogSlice,
    /// Epoch and end offset where the client's log departs from ours.
    pub(crate) diverging: Option<(i32, i64)>,
    /// Leader and epoch, for a client that asked the wrong one.
    pub(crate) leader: Option<(i32, i32)>,
    /// The disk would have to be waited for: ask again from a thread that may block.
    pub(crate) must_block: bool,
}

impl PartitionRead {
    pub(crate) fn failed(error: ErrorCode) -> Self {
        Self {
            error,
            high_watermark: -1,
            log_start_offset: -1,
            slice: LogSlice::default(),
            diverging: None,
            leader: None,
            must_block: false,
        }
    }
}

/// What ListOffsets may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetQuery {
    Earliest,
    Latest,
    /// The record with the largest timestamp.
    MaxTimestamp,
    /// The first record not older than this, ms since 1970.
    AtTime(i64),
}

impl Partition {
    /// Reads batches. Locks: the partition's, for a lookup in memory. A tail read costs no system call; a cold one a few
    /// `pread`s of index and headers, outside the lock, and leaves the data to `sendfile`. With `cached` it never
    /// waits for the disk.
    pub(crate) fn read(&self, request: &ReadRequest, cached: bool) -> PartitionRead {
        let (read, mut out) = {
            let inner = self.inner.lock();
            let mut out = PartitionRead::failed(ErrorCode::NONE);
            if let Err(error) = inner.state.serve(request.leader_epoch) {
                out.error = error;
                out.leader = Some((inner.state.leader(), inner.state.leader_epoch()));
                return out;
            }
            let high_watermark = inner.state.high_watermark();
            out.high_watermark = high_watermark.offset;
            out.log_start_offset = inner.log.start_offset();
            if request.last_fetched_epoch >= 0 {
                let end = inner
                    .log
                    .epochs()
                    .end_offset_for(request.last_fetched_epoch, inner.log.end_offset());
                if let Some((epoch, end)) = end
                    && (epoch < request.last_fetched_epoch || end < request.offset)
                {
                    out.diverging = Some((epoch, end));
                    return out;
                }
            }
            let upper = match request.bound {
                ReadBound::Committed => high_watermark,
                ReadBound::End => inner.log.end(),
            };
            (inner.log.read(request.offset, upper, request.max_bytes, request.min_one), out)
        };
        match read {
            Ok(Read::Empty) => {}
            Ok(Read::Memory(slice)) => out.slice = slice,
            Ok(Read::Cold(cold)) => match cold.run(cached) {
                Ok(Some(slice)) => out.slice = slice,
                Ok(None) => out.must_block = true,
                Err(error) => out.error = self.read_failed(&error),
            },
            Err(error) => out.error = self.read_failed(&error),
        }
        out
    }

    fn read_failed(&self, error: &ReadError) -> ErrorCode {
        match error {
            ReadError::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
            // Retention may remove a segment's index under a reader; the client asks again.
            ReadError::Disk(e) if e.failure == storage::DiskFailure::NotFound => {
                ErrorCode::OFFSET_NOT_AVAILABLE
            }
            ReadError::Disk(_) | ReadError::Corrupt { .. } => {
                tracing::error!(partition = %self, "cannot read: {error}");
                ErrorCode::KAFKA_STORAGE_ERROR
            }
        }
    }

    /// Whole batches from `offset` on as one piece, up to the log's end, for the broker's own loading. Blocks.
    ///
    /// # Errors
    /// The error code of a failed read.
    pub(crate) fn read_blocking(&self, offset: i64, max_bytes: usize) -> Result<Bytes, ErrorCode> {
        let request = ReadRequest {
            offset,
            max_bytes,
            min_one: true,
            leader_epoch: -1,
            last_fetched_epoch: -1,
            bound: ReadBound::End,
        };
        let read = self.read(&request, false);
        read.error.ok()?;
        join(&read.slice)
    }

    /// Start and end of what the broker itself may read.
    pub(crate) fn offset_range(&self) -> (i64, i64) {
        let inner = self.inner.lock();
        (inner.log.start_offset(), inner.log.end_offset())
    }

    /// Answers ListOffsets: offset, timestamp, leader epoch. May block for all but earliest and latest; `None`: no such
    /// record.
    ///
    /// # Errors
    /// The error code for the client.
    pub(crate) fn list_offset(
        &self,
        query: OffsetQuery,
        leader_epoch: i32,
    ) -> Result<Option<TimestampedOffset>, ErrorCode> {
        let (search, high_watermark) = {
            let inner = self.inner.lock();
            inner.state.serve(leader_epoch)?;
            let high_watermark = inner.state.high_watermark().offset;
            let plain = |offset: i64| TimestampedOffset {
                offset,
                timestamp: -1,
                leader_epoch: inner
                    .log
                    .epochs()
                    .epoch_of(offset)
                    .unwrap_or_else(|| inner.state.leader_epoch()),
            };
            match query {
                OffsetQuery::Earliest => return Ok(Some(plain(inner.log.start_offset()))),
                OffsetQuery::Latest => return Ok(Some(plain(high_watermark))),
                OffsetQuery::MaxTimestamp | OffsetQuery::AtTime(_) => {}
            }
            (inner.log.time_search(), high_watermark)
        };
        let found = match query {
            OffsetQuery::AtTime(timestamp) => search.first_at(timestamp),
            _ => search.latest(),
        };
        let found = found.map_err(|error| self.read_failed(&error))?;
        Ok(found.filter(|found| found.offset < high_watermark))
    }

    /// Answers OffsetForLeaderEpoch.
    ///
    /// # Errors
    /// The error code for the client.
    pub(crate) fn end_offset_for_epoch(
        &self,
        epoch: i32,
        current_leader_epoch: i32,
    ) -> Result<Option<(i32, i64)>, ErrorCode> {
        let inner = self.inner.lock();
        inner.state.serve(current_leader_epoch)?;
        let end = inner.log.end_offset();
        if epoch == inner.state.leader_epoch() {
            return Ok(Some((epoch, end)));
        }
        Ok(inner.log.epochs().end_offset_for(epoch, end))
    }

    /// Moves the log's start to `offset` (-1: to the high watermark) and returns it. The caller makes it durable.
    ///
    /// # Errors
    /// OFFSET_OUT_OF_RANGE past the high watermark; POLICY_VIOLATION on a topic that only compacts.
    pub(crate) fn delete_records(&self, offset: i64) -> Result<i64, ErrorCode> {
        let mut inner = self.inner.lock();
        inner.state.serve(-1)?;
        let high_watermark = inner.state.high_watermark().offset;
        let wanted = if offset == -1 { high_watermark } else { offset };
        if wanted < 0 || wanted > high_watermark {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        if !inner.log.config().delete {
            return Err(ErrorCode::POLICY_VIOLATION);
        }
        Ok(inner.log.advance_start(wanted))
    }
}

fn join(slice: &LogSlice) -> Result<Bytes, ErrorCode> {
    if let [Segment::Bytes(bytes)] = &slice.segments[..] {
        return Ok(bytes.clone());
    }
    use std::os::unix::fs::FileExt;
    let mut out = BytesMut::with_capacity(slice.len);
    for segment in &slice.segments {
        match segment {
            Segment::Bytes(bytes) => out.extend_from_slice(bytes),
            Segment::File(part) => {
                let at = out.len();
                out.resize(at + part.len as usize, 0);
                part.file
                    .read_exact_at(&mut out[at..], part.position)
                    .map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)?;
            }
        }
    }
    Ok(out.freeze())
}
