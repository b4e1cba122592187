//! The batches of one partition: what may be sent, and what an answer means. No I/O, and time is a parameter.
//!
//! Order: as long as nothing goes wrong several batches are in flight, once the first one has been written (a broker
//! that does not know a producer yet takes whatever number comes first, so nothing must overtake the first batch). After a failure nothing more is sent until all
//! that is in flight has been answered; then what failed goes out again, oldest first, one at a time until one is
//! written.
//!
//! Idempotence: a batch gets its sequence number when it is first sent and keeps it, so that the broker recognises a
//! repetition. When a number will never be used (its batch failed for good) or the broker refuses a number, the queue
//! takes a new identity and starts at 0. Batches that were surely not written are numbered anew; a batch that may have
//! been written fails, since sending it under another identity could write it twice.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use protocol::ErrorCode;

use super::batch::Batch;
use super::delivery::{Outcome, ProduceError, Written};
use super::identity::{Identity, sequence_after};
use crate::{ApiError, TopicPartition};

/// What became of a batch that was sent.
#[derive(Debug)]
pub(super) enum Answer {
    Written {
        base_offset: i64,
        append_time_ms: Option<i64>,
    },
    /// The broker refused it: it was not written.
    Refused(ApiError),
    /// No answer. With `maybe_written` it may have been written.
    Failed {
        error: String,
        maybe_written: bool,
    },
}

/// A batch with its outcome, to be told to whoever waits.
pub(super) type Finished = (Batch, Outcome);

#[derive(Debug)]
pub(super) struct PartitionQueue {
    pub(super) partition: TopicPartition,
    /// Still taking records.
    open: Option<Batch>,
    /// Complete, oldest first.
    waiting: VecDeque<Batch>,
    /// Numbers of the batches that are in flight.
    in_flight: Vec<u64>,
    /// Something failed, or nothing has been written under this identity: one batch at a time; see above.
    recovering: bool,
    not_before: Option<Instant>,
    identity: Option<Identity>,
    next_sequence: i32,
    /// Why the identity cannot be used any more.
    spoiled: Option<String>,
}

impl PartitionQueue {
    pub(super) fn new(partition: TopicPartition) -> Self {
        Self {
            partition,
            open: None,
            waiting: VecDeque::new(),
            in_flight: Vec::new(),
            recovering: false,
            not_before: None,
            identity: None,
            next_sequence: 0,
            spoiled: None,
        }
    }

    pub(super) fn open_batch(&mut self) -> Option<&mut Batch> {
        self.open.as_mut()
    }

    pub(super) fn set_open(&mut self, batch: Batch) -> &mut Batch {
        self.close_open();
        self.open.insert(batch)
    }

    pub(super) fn close_open(&mut self) {
        self.waiting.extend(self.open.take());
    }

    pub(super) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.waiting.iter().chain(&self.open)
    }

    /// When the next batch may be sent: `None` when only an answer or a record can change anything.
    pub(super) fn ready_at(&self, linger: Duration, now: Instant) -> Option<Instant> {
        if !self.in_flight.is_empty() && (self.recovering || self.spoiled.is_some()) {
            return None;
        }
        let full = (!self.waiting.is_empty()).then_some(now);
        let at = full.or_else(|| Some(self.open.as_ref()?.created + linger))?;
        Some(self.not_before.map_or(at, |not_before| at.max(not_before)))
    }

    /// Whether it must be given an identity before it can send.
    pub(super) fn needs_identity(&self) -> bool {
        self.identity.is_none() || self.spoiled.is_some()
    }

    /// The identity that must not be used for new partitions either.
    pub(super) fn spoiled_identity(&self) -> Option<Identity> {
        self.spoiled.as_ref().and(self.identity)
    }

    /// Starts at sequence 0 under a new identity. Only while nothing is in flight.
    pub(super) fn set_identity(&mut self, identity: Identity) -> Vec<Finished> {
        let earlier = self.spoiled.take().unwrap_or_default();
        self.identity = Some(identity);
        self.next_sequence = 0;
        self.recovering = true;
        let mut failed = Vec::new();
        for mut batch in std::mem::take(&mut self.waiting) {
            if batch.maybe_written {
                let partition = self.partition.clone();
                failed.push((
                    batch,
                    Err(ProduceError::Unknown { partition, earlier: earlier.clone() }),
                ));
            } else {
                batch.stamp = None;
                self.waiting.push_back(batch);
            }
        }
        failed
    }

    /// The length of the batch that [`PartitionQueue::take`] would give.
    pub(super) fn next_len(&self) -> usize {
        self.waiting.front().or(self.open.as_ref()).map_or(0, Batch::len)
    }

    /// The next batch, to be sent now.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let mut batch = self.waiting.pop_front().or_else(|| self.open.take())?;
        if batch.stamp.is_none()
            && let Some(identity) = self.identity
        {
            batch.set_stamp(identity, self.next_sequence);
            self.next_sequence = sequence_after(self.next_sequence, batch.count);
        }
        self.in_flight.push(batch.number);
        Some(batch)
    }

    /// Takes a batch back with its answer. `retry_at`: when it may be tried again if it is.
    pub(super) fn settle(
        &mut self,
        mut batch: Batch,
        answer: Answer,
        retry_at: Instant,
    ) -> Option<Finished> {
        self.in_flight.retain(|number| *number != batch.number);
        batch.attempts += 1;
        match answer {
            Answer::Written { base_offset, append_time_ms } => {
                self.recovering = false;
                let partition = self.partition.clone();
                Some((batch, Ok(Written { partition, base_offset, append_time_ms })))
            }
            // The broker has it from an earlier try, but has forgotten where.
            Answer::Refused(e) if e.code == ErrorCode::DUPLICATE_SEQUENCE_NUMBER => {
                self.recovering = false;
                let partition = self.partition.clone();
                Some((batch, Ok(Written { partition, base_offset: -1, append_time_ms: None })))
            }
            Answer::Refused(e) if is_about_sequence(e.code) => {
                self.refuse_sequence(&batch, &e);
                self.retry(batch, e.to_string(), retry_at);
                None
            }
            // The leader may have written it and lost touch with the followers.
            Answer::Refused(e) if e.code.is_retriable() => {
                batch.maybe_written |= leaves_doubt(e.code);
                self.retry(batch, e.to_string(), retry_at);
                None
            }
            Answer::Refused(error) => {
                let partition = self.partition.clone();
                Some(self.fail(batch, ProduceError::Refused { partition, error }))
            }
            Answer::Failed { error, maybe_written } => {
                batch.maybe_written |= maybe_written;
                self.retry(batch, error, retry_at);
                None
            }
        }
    }

    /// A number that the broker did not expect. While older batches are unsettled that is their doing.
    fn refuse_sequence(&mut self, batch: &Batch, error: &ApiError) {
        let older = |number: u64| number < batch.number;
        let explained = error.code == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            && (self.in_flight.iter().any(|n| older(*n))
                || self.waiting.iter().any(|b| older(b.number) && b.stamp.is_some()));
        if !explained && self.spoiled.is_none() {
            tracing::warn!(partition = %self.partition, %error, "taking a new producer id");
            self.spoiled = Some(error.to_string());
        }
    }

    fn retry(&mut self, mut batch: Batch, error: String, retry_at: Instant) {
        batch.last_error = Some(error);
        self.recovering = true;
        self.not_before = Some(retry_at);
        let at = self.waiting.partition_point(|b| b.number < batch.number);
        self.waiting.insert(at, batch);
    }

    fn fail(&mut self, batch: Batch, error: ProduceError) -> Finished {
        if let Some((_, sequence)) = batch.stamp {
            let last = sequence_after(sequence, batch.count) == self.next_sequence;
            if last && !batch.maybe_written && self.spoiled.is_none() {
                // Nothing was numbered after it: its numbers are free again.
                self.next_sequence = sequence;
            } else {
                self.spoiled.get_or_insert_with(|| error.to_string());
            }
        }
        (batch, Err(error))
    }

    /// Gives up what has waited too long.
    pub(super) fn expire(&mut self, timeout: Duration, now: Instant) -> Vec<Finished> {
        let mut expired = Vec::new();
        let is_old = |b: &Batch| now.saturating_duration_since(b.created) >= timeout;
        if self.open.as_ref().is_some_and(is_old) {
            self.close_open();
        }
        while self.waiting.front().is_some_and(is_old) {
            let Some(batch) = self.waiting.pop_front() else { break };
            let last = batch.last_error.clone();
            let error = ProduceError::TimedOut {
                partition: self.partition.clone(),
                timeout_ms: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX),
                last: last.unwrap_or_else(|| "it was never sent".to_owned()),
                maybe_written: batch.maybe_written,
            };
            expired.push(self.fail(batch, error));
        }
        expired
    }
}

fn is_about_sequence(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            | ErrorCode::UNKNOWN_PRODUCER_ID
            | ErrorCode::INVALID_PRODUCER_EPOCH
            | ErrorCode::INVALID_PRODUCER_ID_MAPPING
    )
}

/// Errors after which the leader may hold the batch.
fn leaves_doubt(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::REQUEST_TIMED_OUT
            | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
            | ErrorCode::KAFKA_STORAGE_ERROR
            | ErrorCode::NOT_LEADER_OR_FOLLOWER
    )
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
