//! What was fetched of one partition and not yet given out. Batches are decoded when their records are asked for.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use protocol::messages::fetch_response::AbortedTransaction;
use protocol::records::{Batch, Record, RecordIter, RecordsError, batches};

use super::ConsumerConfig;
use super::config::Isolation;

/// Batches of one answer.
#[derive(Debug)]
pub(super) struct Fetched {
    batches: VecDeque<Batch>,
    /// What is wrong behind the last batch.
    broken: Option<RecordsError>,
    /// Aborted transactions in the range, by their first offset.
    aborted: VecDeque<AbortedTransaction>,
    bytes: usize,
}

impl Fetched {
    pub(super) fn new(records: Bytes, mut aborted: Vec<AbortedTransaction>) -> Self {
        let bytes = records.len();
        let mut fetched =
            Self { batches: VecDeque::new(), broken: None, aborted: VecDeque::new(), bytes };
        for batch in batches(records) {
            match batch {
                Ok(batch) => fetched.batches.push_back(batch),
                Err(e) => fetched.broken = Some(e),
            }
        }
        aborted.sort_by_key(|a| a.first_offset);
        fetched.aborted = aborted.into();
        fetched
    }

    /// Where the next fetch begins; `None` when this one brought nothing.
    pub(super) fn next_offset(&self) -> Option<i64> {
        self.batches.back().map(|b| b.header().next_offset())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.broken.is_none()
    }
}

#[derive(Debug, Default)]
pub(super) struct Buffer {
    fetched: VecDeque<Fetched>,
    /// The batch that is being given out.
    current: Option<RecordIter>,
    current_end: i64,
    /// Producers whose running transaction will be aborted.
    aborting: HashSet<i64>,
    /// What makes it impossible to go on; stays until the caller seeks.
    broken: Option<RecordsError>,
}

impl Buffer {
    pub(super) fn bytes(&self) -> usize {
        self.fetched.iter().map(|f| f.bytes).sum()
    }

    /// Whether everything was given out.
    pub(super) fn is_empty(&self) -> bool {
        self.fetched.is_empty() && self.current.is_none() && self.broken.is_none()
    }

    pub(super) fn push(&mut self, fetched: Fetched) {
        if !fetched.is_empty() {
            self.fetched.push_back(fetched);
        }
    }

    /// Gives out up to `max` records from `position` on, which moves along.
    pub(super) fn take(
        &mut self,
        position: &mut i64,
        max: usize,
        config: &ConsumerConfig,
        mut give: impl FnMut(Record),
    ) -> Result<(), RecordsError> {
        let mut given = 0;
        while given < max {
            if let Some(error) = &self.broken {
                return Err(error.clone());
            }
            let Some(records) = &mut self.current else {
                if !self.next_batch(position, config) {
                    break;
                }
                continue;
            };
            match records.next() {
                // A fetch begins with the batch that the offset is in.
                Some(Ok(record)) if record.offset < *position => {}
                Some(Ok(record)) => {
                    *position = record.offset + 1;
                    given += 1;
                    give(record);
                }
                Some(Err(error)) => self.broken = Some(error),
                None => {
                    *position = self.current_end.max(*position);
                    self.current = None;
                }
            }
        }
        Ok(())
    }

    /// Opens the next batch; false when there is none.
    fn next_batch(&mut self, position: &mut i64, config: &ConsumerConfig) -> bool {
        let Some(fetched) = self.fetched.front_mut() else { return false };
        let Some(batch) = fetched.batches.pop_front() else {
            self.broken = fetched.broken.take();
            self.fetched.pop_front();
            return true;
        };
        let header = batch.header();
        if header.next_offset() <= *position {
            return true;
        }
        if config.isolation == Isolation::ReadCommitted {
            let begun = |a: &AbortedTransaction| a.first_offset <= header.last_offset();
            while let Some(transaction) = fetched.aborted.pop_front_if(|a| begun(a)) {
                self.aborting.insert(transaction.producer_id);
            }
        }
        let hidden = header.is_control()
            || (header.is_transactional() && self.aborting.contains(&header.producer_id));
        if header.is_control() {
            // The end of the producer's transaction, either way.
            self.aborting.remove(&header.producer_id);
        }
        if hidden {
            *position = header.next_offset();
            return true;
        }
        self.current_end = header.next_offset();
        let checked = if config.check_crcs { batch.verify_crc() } else { Ok(()) };
        match checked.and_then(|()| batch.records()) {
            Ok(records) => self.current = Some(records),
            Err(error) => self.broken = Some(error),
        }
        true
    }
}

#[cfg(test)]
#[path = "buffer_tests.rs"]
mod tests;
