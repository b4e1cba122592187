//! [`Hosted`]: a partition's replica in a process, and who waits for it.

use bytes::{Bytes, BytesMut};
use groups::record::KeyValue;
use groups::{CommittedOffset, Persist};
use protocol::records::{Batch, BatchBuilder, Compression, batches};
use protocol::{ErrorCode, Segment};
use replica::throttle::Marks;
use replica::{ReadRange, Replica};
use storage::log::{AppendError, FlushPlan, Read, ReadError};
use storage::producers::{SequenceCheck, SequenceError};
use storage::{WriteGate, Writes};

use super::coordinator::Coordinator;

/// Who is told when records are committed.
#[derive(Debug, Clone)]
pub(super) struct CommitWait {
    pub(super) from: usize,
    pub(super) id: u64,
    pub(super) base: i64,
    pub(super) end: i64,
    pub(super) deadline: u64,
    pub(super) what: Waited,
}

/// What is waited for.
#[derive(Debug, Clone)]
pub(super) enum Waited {
    /// A producer's batch.
    Produced,
    /// A group's offset.
    Offset(OffsetWait),
    /// A group as it is, under the coordinator of this epoch.
    Group { epoch: i32, group: usize, persist: Persist },
}

/// An offset that a member commits.
#[derive(Debug, Clone)]
pub(super) struct OffsetWait {
    /// The coordinator's.
    pub(super) epoch: i32,
    pub(super) group: usize,
    pub(super) lane: i32,
    pub(super) committed: CommittedOffset,
    pub(super) generation: i32,
    /// When the coordinator took it.
    pub(super) at: u64,
}

/// A partition in a process.
#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) topic: String,
    pub(super) replica: Replica,
    /// A flush is asked for and has not begun.
    pub(super) flush_queued: bool,
    /// A flush that has run and is not noted yet.
    pub(super) flushing: Option<FlushPlan>,
    pub(super) waits: Vec<CommitWait>,
    pub(super) coordinator: Option<Coordinator>,
    /// Failed in a row, and until when it is left alone.
    pub(super) failing: (u32, u64),
    pub(super) isr_wanted: bool,
    /// Which of its replication is limited.
    pub(super) marks: Marks,
    /// Under which epoch it leads since which offset.
    pub(super) led_from: (i32, i64),
}

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Appended {
    New { base: i64, end: i64, changed: replica::Changed },
    Duplicate { base: i64, end: i64 },
}

impl Hosted {
    pub(super) fn new(topic: String, replica: Replica) -> Self {
        Self {
            topic,
            replica,
            flush_queued: false,
            flushing: None,
            waits: Vec::new(),
            coordinator: None,
            failing: (0, 0),
            isr_wanted: false,
            marks: Marks::default(),
            led_from: (-1, 0),
        }
    }

    pub(super) fn is_offsets(&self) -> bool {
        self.topic == super::OFFSETS_TOPIC
    }

    /// As `broker::partition::hosted` does: admitted, its sequence looked at, appended. `forgetful` plants a bug: what was
    /// replicated before this leadership has left no trace of its producers.
    pub(super) fn append(
        &mut self,
        bytes: &Bytes,
        gate: &mut WriteGate,
        wall_ms: i64,
        forgetful: bool,
    ) -> Result<Appended, ErrorCode> {
        let batch = Batch::parse(bytes).map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
        self.replica.admit(-1).map_err(replica::ServeError::code)?;
        if gate.writes() != Writes::Open {
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        let led_from = self.led_from.1;
        match self.replica.log().producers().check(batch.header()) {
            Ok(SequenceCheck::Append) => {}
            Ok(SequenceCheck::Duplicate { base_offset, .. })
                if forgetful && base_offset < led_from => {}
            Ok(SequenceCheck::Duplicate { base_offset, .. }) => {
                let end = base_offset + i64::from(batch.header().last_offset_delta) + 1;
                return Ok(Appended::Duplicate { base: base_offset, end });
            }
            Err(SequenceError::OutOfOrder { .. }) => {
                return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
            }
            Err(_) => return Err(ErrorCode::INVALID_PRODUCER_EPOCH),
        }
        match self.replica.append(&batch, None, wall_ms) {
            Ok((appended, changed)) => {
                let end = self.replica.log().end_offset();
                Ok(Appended::New { base: appended.base_offset, end, changed })
            }
            Err(error) => {
                if let AppendError::Disk(error) = &error {
                    gate.refused(error);
                }
                Err(ErrorCode::KAFKA_STORAGE_ERROR)
            }
        }
    }

    /// Whole batches from `offset` on, up to the end or to what is committed.
    pub(super) fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        committed: bool,
    ) -> Result<Bytes, ReadError> {
        let range = ReadRange { offset, max_bytes, min_one: true };
        let read = if committed {
            self.replica.read_committed(&range)?
        } else {
            self.replica.read_all(&range)?
        };
        let slice = match read {
            Read::Empty => return Ok(Bytes::new()),
            Read::Memory(slice) => slice,
            Read::Cold(cold) => match cold.run(false)? {
                Some(slice) => slice,
                None => return Ok(Bytes::new()),
            },
        };
        let mut out = BytesMut::new();
        for piece in &slice.segments {
            if let Segment::Bytes(bytes) = piece {
                out.extend_from_slice(bytes);
            }
        }
        Ok(out.freeze())
    }

    /// All whole batches in `[from, to)`.
    pub(super) fn batches(&self, from: i64, to: i64) -> Result<Vec<Batch>, String> {
        let mut found = Vec::new();
        let mut offset = from;
        while offset < to {
            let bytes = self.read(offset, 8_000, false).map_err(|e| e.to_string())?;
            let before = offset;
            for batch in batches(bytes) {
                let Ok(batch) = batch else { break };
                let header = batch.header();
                if header.base_offset >= to {
                    return Ok(found);
                }
                if header.next_offset() > offset {
                    offset = header.next_offset();
                    found.push(batch);
                }
            }
            if offset == before {
                return Err(format!("nothing can be read at {offset}, before {to}"));
            }
        }
        Ok(found)
    }
}

/// A batch of one record without a producer.
pub(super) fn record_batch(wall_ms: i64, (key, value): &KeyValue) -> Option<Bytes> {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.append(wall_ms, Some(key), value.as_deref(), &[]).ok()?;
    builder.build().ok()
}
