//! The partitions of a consumer: positions, what was fetched, what to fetch next. No I/O, and time is a parameter.

use std::collections::VecDeque;
use std::time::Instant;

use protocol::Str;

use super::ConsumeError;
use super::buffer::{Buffer, Fetched};
use super::{ConsumerConfig, ConsumerRecord};
use crate::TopicPartition;

/// Where the next fetch of a partition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// At what the group committed, else where the configuration says.
    Committed,
    /// Where the configuration says, since the offset does not exist.
    OutOfRange,
    /// Known.
    At(i64),
}

#[derive(Debug)]
pub(super) struct Partition {
    pub(super) id: TopicPartition,
    start: Start,
    /// Offset after the last record that the caller got; known when `start` is.
    position: i64,
    buffer: Buffer,
    paused: bool,
    /// A fetch or the search for a position is under way.
    busy: bool,
    /// Changes with every seek, so that answers to older questions are not taken.
    version: u64,
    not_before: Option<Instant>,
}

/// A partition to be fetched, as of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) partition: TopicPartition,
    pub(super) offset: i64,
    pub(super) version: u64,
}

#[derive(Debug, Default)]
pub(super) struct Partitions {
    all: Vec<Partition>,
    /// Whose records come first at the next poll.
    turn: usize,
    versions: u64,
}

impl Partitions {
    /// Replaces the partitions; those that stay keep their positions when `keep`.
    pub(super) fn set(&mut self, ids: &[TopicPartition], keep: bool) {
        let mut old = std::mem::take(&mut self.all);
        for id in ids {
            if self.all.iter().any(|p| p.id == *id) {
                continue;
            }
            let known = old.iter().position(|p| p.id == *id).filter(|_| keep);
            let partition = match known {
                Some(at) => old.swap_remove(at),
                None => self.begin(id.clone()),
            };
            self.all.push(partition);
        }
    }

    fn begin(&mut self, id: TopicPartition) -> Partition {
        self.versions += 1;
        Partition {
            id,
            start: Start::Committed,
            position: -1,
            buffer: Buffer::default(),
            paused: false,
            busy: false,
            version: self.versions,
            not_before: None,
        }
    }

    pub(super) fn ids(&self) -> Vec<TopicPartition> {
        self.all.iter().map(|p| p.id.clone()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn find(&mut self, id: &TopicPartition) -> Option<&mut Partition> {
        self.all.iter_mut().find(|p| p.id == *id)
    }

    /// The partition that a ticket is about, unless it has moved since.
    fn holder(&mut self, ticket: &Ticket) -> Option<&mut Partition> {
        self.find(&ticket.partition).filter(|p| p.version == ticket.version)
    }

    pub(super) fn seek(&mut self, id: &TopicPartition, offset: i64) -> Result<(), ConsumeError> {
        self.versions += 1;
        let version = self.versions;
        let partition = self.find(id).ok_or_else(|| ConsumeError::NotAssigned(id.clone()))?;
        partition.start = Start::At(offset);
        partition.position = offset;
        partition.buffer = Buffer::default();
        partition.busy = false;
        partition.not_before = None;
        partition.version = version;
        Ok(())
    }

    /// Pauses or resumes; partitions that are not assigned are passed over.
    pub(super) fn set_paused(&mut self, ids: &[TopicPartition], paused: bool) {
        for partition in self.all.iter_mut().filter(|p| ids.contains(&p.id)) {
            partition.paused = paused;
        }
    }

    /// The offset after the last record that was given out; `None` while it is not known.
    pub(super) fn position(&self, id: &TopicPartition) -> Option<i64> {
        let partition = self.all.iter().find(|p| p.id == *id)?;
        matches!(partition.start, Start::At(_)).then_some(partition.position)
    }

    /// Every known position.
    pub(super) fn positions(&self) -> Vec<(TopicPartition, i64)> {
        let known = self.all.iter().filter(|p| matches!(p.start, Start::At(_)));
        known.map(|p| (p.id.clone(), p.position)).collect()
    }

    /// Partitions whose position must be found, marked as busy. Records that were fetched are given out first.
    pub(super) fn take_lost(&mut self, now: Instant) -> Vec<(Ticket, Start)> {
        let lost = self.all.iter_mut().filter(|p| {
            let may = !p.busy && p.buffer.is_empty() && p.not_before.is_none_or(|at| at <= now);
            may && !matches!(p.start, Start::At(_))
        });
        lost.map(|p| {
            p.busy = true;
            let (partition, version) = (p.id.clone(), p.version);
            (Ticket { partition, offset: -1, version }, p.start)
        })
        .collect()
    }

    /// Takes a position that was found.
    pub(super) fn found(&mut self, ticket: &Ticket, offset: i64) {
        if let Some(partition) = self.holder(ticket) {
            partition.busy = false;
            partition.start = Start::At(offset);
            partition.position = offset;
        }
    }

    /// Partitions that could be fetched, not yet marked; and of those that could not for lack of room, the ids.
    pub(super) fn fetchable(
        &self,
        room: usize,
        now: Instant,
    ) -> (Vec<Ticket>, Vec<TopicPartition>) {
        let mut tickets = Vec::new();
        let mut full = Vec::new();
        for p in &self.all {
            let Start::At(offset) = p.start else { continue };
            if p.busy || p.paused || p.not_before.is_some_and(|at| at > now) {
                continue;
            }
            if p.buffer.bytes() >= room {
                full.push(p.id.clone());
                continue;
            }
            let (partition, version) = (p.id.clone(), p.version);
            tickets.push(Ticket { partition, offset, version });
        }
        (tickets, full)
    }

    pub(super) fn set_busy(&mut self, tickets: &[Ticket]) {
        for ticket in tickets {
            if let Some(partition) = self.holder(ticket) {
                partition.busy = true;
            }
        }
    }

    /// Takes what was fetched.
    pub(super) fn take_fetched(&mut self, ticket: &Ticket, fetched: Fetched) {
        if let Some(partition) = self.holder(ticket) {
            partition.busy = false;
            if let Some(next) = fetched.next_offset() {
                partition.start = Start::At(next);
            }
            partition.buffer.push(fetched);
        }
    }

    /// A fetch that failed: not again before the given time.
    pub(super) fn delay(&mut self, ticket: &Ticket, until: Option<Instant>) {
        if let Some(partition) = self.holder(ticket) {
            partition.busy = false;
            partition.not_before = until;
        }
    }

    /// The offset does not exist: a new position must be found.
    pub(super) fn out_of_range(&mut self, ticket: &Ticket) {
        if let Some(partition) = self.holder(ticket) {
            partition.busy = false;
            partition.start = Start::OutOfRange;
        }
    }

    /// The next moment at which a delayed partition may go on.
    pub(super) fn next_delay(&self, now: Instant) -> Option<Instant> {
        self.all.iter().filter_map(|p| p.not_before).filter(|at| *at > now).min()
    }

    /// Up to `max` records, in turn of the partitions.
    pub(super) fn take_records(
        &mut self,
        max: usize,
        config: &ConsumerConfig,
    ) -> Result<Vec<ConsumerRecord>, ConsumeError> {
        let mut records = Vec::new();
        let count = self.all.len();
        for i in 0..count {
            let at = (self.turn + i) % count;
            let partition = &mut self.all[at];
            if partition.paused {
                continue;
            }
            let topic: &Str = &partition.id.topic;
            let number = partition.id.partition;
            let before = records.len();
            let taken = partition.buffer.take(
                &mut partition.position,
                max - records.len(),
                config,
                |record| records.push(ConsumerRecord::new(topic.clone(), number, record)),
            );
            match taken {
                Ok(()) => {}
                // What was read before the broken place is given out first.
                Err(_) if !records.is_empty() => break,
                Err(error) => {
                    return Err(ConsumeError::Corrupt {
                        partition: partition.id.clone(),
                        offset: partition.position,
                        error,
                    });
                }
            }
            if records.len() > before {
                self.turn = (at + 1) % count;
            }
            if records.len() >= max {
                break;
            }
        }
        Ok(records)
    }
}

/// Rebalance events that nobody takes are dropped, oldest first, beyond so many.
pub(super) const MAX_EVENTS: usize = 64;

/// Adds to a queue of limited length.
pub(super) fn push_limited<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() >= MAX_EVENTS {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
#[path = "partitions_tests.rs"]
mod tests;
