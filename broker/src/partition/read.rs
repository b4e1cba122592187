use std::time::Duration;

use bytes::{Bytes, BytesMut};
use protocol::{ErrorCode, Segment};
use replica::{Divergence, FollowerFetch, Noted, ReadRange, Registration, ServeError};
use storage::log::{LogSlice, Read, ReadError, TimestampedOffset};

use super::hosted::Partition;
use super::waiters::{News, Wakeups};

/// How often it is looked again which replicas have died while a deletion waits for them.
const WHO_COUNTS_INTERVAL: Duration = Duration::from_millis(100);

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A client: up to the high watermark.
    Consumer {
        /// It knows that followers may serve it (KIP-392).
        from_follower: bool,
    },
    /// Another broker's replica: up to the log's end.
    Follower {
        /// Its node id.
        id: i32,
        /// The registration under which it says it runs, -1 when it does not.
        broker_epoch: i64,
        /// The registration that the metadata knows.
        registered: Option<Registration>,
        /// When it asked, by the clock that never goes back.
        monotonic_ms: i64,
    },
    /// The broker's own coordinators, while they load: up to the log's end.
    Own,
}

impl Reader {
    /// What it waits for.
    pub(crate) fn news(&self) -> News {
        match self {
            Self::Consumer { .. } => News::Committed,
            Self::Follower { .. } | Self::Own => News::Grown,
        }
    }
}

/// One partition's part of a fetch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadRequest {
    pub(crate) range: ReadRange,
    /// The leader epoch that the client knows, or -1.
    pub(crate) leader_epoch: i32,
    /// Epoch of the client's last record (KIP-595), or -1.
    pub(crate) last_fetched_epoch: i32,
    /// Where a follower's log starts, or -1.
    pub(crate) log_start_offset: i64,
    pub(crate) reader: Reader,
}

/// What it reads, or why not.
#[derive(Debug)]
pub(crate) struct PartitionRead {
    pub(crate) error: ErrorCode,
    pub(crate) high_watermark: i64,
    pub(crate) log_start_offset: i64,
    pub(crate) slice: LogSlice,
    /// Where the reader's log departs from ours.
    pub(crate) diverging: Option<Divergence>,
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
            let served = match request.reader {
                Reader::Consumer { from_follower: true } => {
                    inner.replica.serve_any(request.leader_epoch)
                }
                _ => inner.replica.serve(request.leader_epoch),
            };
            if let Err(error) = served {
                out.error = error.code();
                let assignment = inner.replica.assignment();
                out.leader = Some((assignment.leader, assignment.leader_epoch));
                return out;
            }
            out.high_watermark = inner.replica.high_watermark().offset;
            out.log_start_offset = inner.replica.log().start_offset();
            out.diverging =
                inner.replica.divergence(request.last_fetched_epoch, request.range.offset);
            if out.diverging.is_some() {
                return out;
            }
            let read = match request.reader {
                Reader::Consumer { .. } => inner.replica.read_committed(&request.range),
                Reader::Follower { .. } | Reader::Own => inner.replica.read_all(&request.range),
            };
            (read, out)
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

    /// Takes a follower's fetch as its state: once a fetch, before it is read for.
    ///
    /// # Errors
    /// Why it must not fetch.
    pub(crate) fn note_follower(&self, request: &ReadRequest) -> Result<Noted, ServeError> {
        let Reader::Follower { id, broker_epoch, registered, monotonic_ms } = request.reader else {
            return Ok(Noted::default());
        };
        let fetch = FollowerFetch {
            id,
            broker_epoch,
            leader_epoch: request.leader_epoch,
            offset: request.range.offset,
            last_fetched_epoch: request.last_fetched_epoch,
            log_start_offset: request.log_start_offset,
        };
        let mut inner = self.inner.lock();
        let noted = inner.replica.note_fetch(&fetch, registered, monotonic_ms)?;
        let wakeups = inner.news(noted.changed);
        drop(inner);
        if noted.may_join {
            self.want_isr_change();
        }
        if noted.start_moved {
            self.starts.notify_waiters();
        }
        wakeups.wake();
        Ok(noted)
    }

    /// High watermark and log start.
    pub(crate) fn committed_range(&self) -> (i64, i64) {
        let inner = self.inner.lock();
        (inner.replica.high_watermark().offset, inner.replica.log().start_offset())
    }

    /// A follower is being answered, and told the high watermark.
    pub(crate) fn told_follower(&self, id: i32, high_watermark: i64) {
        self.inner.lock().replica.told(id, high_watermark);
    }

    /// Replicas other than the leader that could serve a consumer at `offset`: in sync, and known to hold it (KIP-392). Node
    /// id and how far they are.
    pub(crate) fn read_replicas(&self, offset: i64) -> Vec<(i32, i64)> {
        self.inner.lock().replica.read_replicas(offset)
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
            range: ReadRange { offset, max_bytes, min_one: true },
            leader_epoch: -1,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            reader: Reader::Own,
        };
        let read = self.read(&request, false);
        read.error.ok()?;
        join(&read.slice)
    }

    /// Start and end of what the broker itself may read.
    pub(crate) fn offset_range(&self) -> (i64, i64) {
        let inner = self.inner.lock();
        (inner.replica.log().start_offset(), inner.replica.log().end_offset())
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
            inner.replica.serve(leader_epoch).map_err(ServeError::code)?;
            let log = inner.replica.log();
            let plain = |offset: i64| TimestampedOffset {
                offset,
                timestamp: -1,
                leader_epoch: log
                    .epochs()
                    .epoch_of(offset)
                    .unwrap_or_else(|| inner.replica.assignment().leader_epoch),
            };
            if query == OffsetQuery::Earliest {
                return Ok(Some(plain(log.start_offset())));
            }
            let committed = inner.replica.committed_end(leader_epoch);
            let high_watermark = committed.map_err(ServeError::code)?;
            if query == OffsetQuery::Latest {
                return Ok(Some(plain(high_watermark)));
            }
            (log.time_search(), high_watermark)
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
        let found = inner.replica.epoch_end(epoch, current_leader_epoch);
        let found = found.map_err(ServeError::code)?;
        Ok(found.map(|found| (found.epoch, found.end_offset)))
    }

    /// Moves the log's start to `offset` (-1: to the high watermark) and returns it. The caller makes it durable.
    ///
    /// # Errors
    /// OFFSET_OUT_OF_RANGE past the high watermark; POLICY_VIOLATION on a topic that only compacts.
    pub(crate) fn delete_records(&self, offset: i64) -> Result<i64, ErrorCode> {
        let mut inner = self.inner.lock();
        inner.replica.serve(-1).map_err(ServeError::code)?;
        let high_watermark = inner.replica.high_watermark().offset;
        let wanted = if offset == -1 { high_watermark } else { offset };
        if wanted < 0 || wanted > high_watermark {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        if !inner.replica.log().config().delete {
            return Err(ErrorCode::POLICY_VIOLATION);
        }
        let start = inner.replica.log_mut().advance_start(wanted);
        // Followers hear of it at once; they answer by their next fetch.
        let mut wakeups = Wakeups::default();
        inner.waiters.told(News::Grown, &mut wakeups);
        drop(inner);
        wakeups.wake();
        Ok(start)
    }

    /// Waits until records before `start` are gone from all replicas that `counts` is true of; gives the low watermark then.
    /// `counts` is asked again now and then: who has died is not waited for.
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER when the leadership ends meanwhile.
    pub(crate) async fn deleted_everywhere(
        &self,
        start: i64,
        counts: impl Fn(i32) -> bool,
    ) -> Result<i64, ErrorCode> {
        loop {
            let mut moved = std::pin::pin!(self.starts.notified());
            // Before the look: what comes in between is not missed.
            moved.as_mut().enable();
            let low = self.inner.lock().replica.low_watermark(&counts);
            let low = low.ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
            if low >= start {
                return Ok(low);
            }
            tokio::time::timeout(WHO_COUNTS_INTERVAL, moved).await.ok();
        }
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
