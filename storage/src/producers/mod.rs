//! What a partition knows of idempotent producers (KIP-98): the last batches of each, by which a retried batch is
//! recognised and a gap refused.
//!
//! Pure but for its snapshot file. Rebuilt from the newest snapshot and the batch headers after it.

mod snapshot;

use std::collections::HashMap;
use std::path::Path;

use protocol::records::BatchHeader;
use thiserror::Error;

use crate::{Disk, DiskError};

/// Batches that are remembered of one producer: as many as a client may have in flight.
pub const BATCHES_KEPT: usize = 5;
/// Producers that one partition remembers; past it the longest silent ones are forgotten at the next expiry.
pub const MAX_PRODUCERS: usize = 50_000;

/// One remembered batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SeenBatch {
    last_sequence: i32,
    last_offset: i64,
    offset_delta: i32,
    timestamp: i64,
}

impl SeenBatch {
    fn base_sequence(&self) -> i32 {
        let base = i64::from(self.last_sequence) - i64::from(self.offset_delta);
        if base >= 0 { base as i32 } else { (base + i64::from(i32::MAX) + 1) as i32 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Producer {
    epoch: i16,
    /// Oldest first, at most [`BATCHES_KEPT`]; never empty.
    batches: Vec<SeenBatch>,
    /// When it last wrote, or was read back, by this broker's clock (records may have any timestamp).
    seen_ms: i64,
}

impl Producer {
    fn last(&self) -> Option<&SeenBatch> {
        self.batches.last()
    }
}

/// What to do with a producer's batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceCheck {
    /// Append it.
    Append,
    /// It has been appended before: answer as then.
    Duplicate {
        /// Offset of its first record.
        base_offset: i64,
        /// Its max timestamp.
        timestamp: i64,
    },
}

/// Why a producer's batch must not be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SequenceError {
    /// A newer instance of the producer has written (INVALID_PRODUCER_EPOCH).
    #[error("epoch {got} of producer {producer_id} is older than {current}")]
    OldEpoch {
        /// The producer.
        producer_id: i64,
        /// Epoch of the batch.
        got: i16,
        /// Newest known epoch.
        current: i16,
    },
    /// A batch is missing before this one (OUT_OF_ORDER_SEQUENCE_NUMBER).
    #[error("sequence {got} of producer {producer_id} where {expected} was expected")]
    OutOfOrder {
        /// The producer.
        producer_id: i64,
        /// First sequence of the batch.
        got: i32,
        /// The next in order.
        expected: i32,
    },
    /// A producer id without a sequence (INVALID_RECORD).
    #[error("a batch of producer {producer_id} has no sequence number")]
    NoSequence {
        /// The producer.
        producer_id: i64,
    },
}

/// Idempotent producers of one partition.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Producers {
    by_id: HashMap<i64, Producer>,
}

impl Producers {
    /// Number of producers remembered.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Decides about a batch that is about to be appended; batches without a producer always pass.
    ///
    /// # Errors
    /// [`SequenceError`].
    pub fn check(&self, header: &BatchHeader) -> Result<SequenceCheck, SequenceError> {
        if !header.has_producer() {
            return Ok(SequenceCheck::Append);
        }
        let producer_id = header.producer_id;
        let got = header.base_sequence;
        if got < 0 && !header.is_control() {
            return Err(SequenceError::NoSequence { producer_id });
        }
        let Some(known) = self.by_id.get(&producer_id) else { return Ok(SequenceCheck::Append) };
        if header.producer_epoch < known.epoch {
            let (got, current) = (header.producer_epoch, known.epoch);
            return Err(SequenceError::OldEpoch { producer_id, got, current });
        }
        if header.producer_epoch > known.epoch {
            return match got {
                0 => Ok(SequenceCheck::Append),
                _ => Err(SequenceError::OutOfOrder { producer_id, got, expected: 0 }),
            };
        }
        let last_sequence = header.last_sequence();
        let seen = known
            .batches
            .iter()
            .find(|b| b.base_sequence() == got && b.last_sequence == last_sequence);
        if let Some(seen) = seen {
            let base_offset = seen.last_offset - i64::from(seen.offset_delta);
            return Ok(SequenceCheck::Duplicate { base_offset, timestamp: seen.timestamp });
        }
        let expected = match known.last() {
            Some(last) if last.last_sequence < i32::MAX => last.last_sequence + 1,
            _ => 0,
        };
        if got == expected {
            return Ok(SequenceCheck::Append);
        }
        Err(SequenceError::OutOfOrder { producer_id, got, expected })
    }

    /// Notes an appended batch.
    pub(crate) fn update(&mut self, header: &BatchHeader, now_ms: i64) {
        if !header.has_producer() || header.is_control() {
            return;
        }
        let batch = SeenBatch {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        };
        self.remember(header.producer_id, header.producer_epoch, batch, now_ms);
    }

    /// Adds a producer's batch to those that are known.
    fn remember(&mut self, id: i64, epoch: i16, batch: SeenBatch, now_ms: i64) {
        let producer = self.by_id.entry(id).or_insert_with(|| Producer {
            epoch,
            batches: Vec::with_capacity(BATCHES_KEPT),
            seen_ms: now_ms,
        });
        producer.seen_ms = now_ms;
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == BATCHES_KEPT {
            producer.batches.remove(0);
        }
        producer.batches.push(batch);
    }

    /// Forgets producers that have been silent for `expiration_ms` (`producer.id.expiration.ms`).
    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.by_id.retain(|_, p| now_ms.saturating_sub(p.seen_ms) < expiration_ms);
        if let Some(surplus) = self.by_id.len().checked_sub(MAX_PRODUCERS).filter(|n| *n > 0) {
            let mut silent: Vec<_> = self.by_id.iter().map(|(id, p)| (p.seen_ms, *id)).collect();
            silent.sort_unstable();
            for (_, id) in silent.into_iter().take(surplus) {
                self.by_id.remove(&id);
            }
        }
    }

    pub(crate) fn write_snapshot(
        &self,
        disk: &dyn Disk,
        dir: &Path,
        offset: i64,
    ) -> Result<(), DiskError> {
        snapshot::write(self, disk, dir, offset)
    }

    /// The newest readable snapshot not past `end_offset` and its offset; those past it are removed.
    pub(crate) fn load(
        disk: &dyn Disk,
        dir: &Path,
        end_offset: i64,
        now_ms: i64,
    ) -> Result<(Self, i64), DiskError> {
        snapshot::load(disk, dir, end_offset, now_ms)
    }

    /// Removes the snapshots before `offset`.
    pub(crate) fn remove_snapshots(
        &self,
        disk: &dyn Disk,
        dir: &Path,
        offset: i64,
    ) -> Result<(), DiskError> {
        snapshot::remove_before(disk, dir, offset)
    }
}

#[cfg(test)]
mod tests;
