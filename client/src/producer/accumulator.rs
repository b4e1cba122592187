//! All batches of a producer, and which of them may be sent now. No I/O, and time is a parameter.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use protocol::Str;
use protocol::records::Compression;

use super::batch::Batch;
use super::delivery::BatchDone;
use super::identity::Identity;
use super::queue::{Answer, Finished, PartitionQueue};
use super::{Delivery, ProduceError, ProducerConfig, ProducerRecord};
use crate::TopicPartition;
use crate::cluster::Snapshot;

/// Bytes a request may take beside its batches.
const REQUEST_OVERHEAD: usize = 512;

#[derive(Debug)]
pub(super) struct Accumulator {
    queues: Vec<PartitionQueue>,
    index: HashMap<TopicPartition, usize>,
    /// Batches without an outcome.
    incomplete: HashMap<u64, BatchDone>,
    next_number: u64,
    /// The identity of partitions that begin now.
    identity: Option<Identity>,
    /// Senders that wait for room.
    short_of_room: usize,
    /// Where the last drain began, so that no partition is always last.
    turn: usize,
    idempotent: bool,
    compression: Compression,
    batch_size: usize,
    linger: Duration,
    delivery_timeout: Duration,
    max_request: usize,
}

/// A record that was taken.
pub(super) struct Appended {
    pub(super) delivery: Delivery,
    /// Whether the sender has a reason to look.
    pub(super) wake: bool,
}

/// What can be done now.
#[derive(Default)]
pub(super) struct Drained {
    /// Batches to be sent, by broker.
    pub(super) requests: HashMap<i32, Vec<(TopicPartition, Batch)>>,
    /// Batches that ended without being sent.
    pub(super) finished: Vec<Finished>,
    /// Topics whose leaders are not known.
    pub(super) leaderless: HashSet<Str>,
    pub(super) needs_identity: bool,
    /// When to look again, if nothing happens before.
    pub(super) next: Option<Instant>,
}

impl Accumulator {
    pub(super) fn new(config: &ProducerConfig) -> Self {
        Self {
            queues: Vec::new(),
            index: HashMap::new(),
            incomplete: HashMap::new(),
            next_number: 0,
            identity: None,
            short_of_room: 0,
            turn: 0,
            idempotent: config.idempotent,
            compression: config.compression,
            batch_size: config.batch_size_bytes,
            linger: Duration::from_millis(config.linger_ms.into()),
            delivery_timeout: Duration::from_millis(config.delivery_timeout_ms.into()),
            max_request: config.max_request_bytes,
        }
    }

    /// While somebody waits for room nothing lingers.
    pub(super) fn set_short_of_room(&mut self, short: bool) {
        if short {
            self.short_of_room += 1;
        } else {
            self.short_of_room = self.short_of_room.saturating_sub(1);
        }
    }

    pub(super) fn append(
        &mut self,
        target: TopicPartition,
        record: &ProducerRecord,
        size: usize,
    ) -> Result<Appended, ProduceError> {
        let at = self.queue_index(target);
        let queue = &mut self.queues[at];
        let fits = queue.open_batch().is_some_and(|b| b.len() + size <= self.batch_size);
        let began = !fits;
        if began {
            let batch = Batch::new(self.next_number, self.compression, Instant::now());
            self.incomplete.insert(batch.number, batch.done.clone());
            self.next_number += 1;
            queue.set_open(batch);
        }
        let Some(batch) = queue.open_batch() else { return Err(ProduceError::Closed) };
        let delivery = batch.append(record, size)?;
        let full = batch.len() >= self.batch_size;
        if full {
            queue.close_open();
        }
        Ok(Appended { delivery, wake: began || full })
    }

    fn queue_index(&mut self, target: TopicPartition) -> usize {
        *self.index.entry(target).or_insert_with_key(|target| {
            self.queues.push(PartitionQueue::new(target.clone()));
            self.queues.len() - 1
        })
    }

    /// Lets nothing linger that is there now; gives what to wait for.
    pub(super) fn start_flush(&mut self) -> Vec<BatchDone> {
        self.queues.iter_mut().for_each(PartitionQueue::close_open);
        self.incomplete.values().cloned().collect()
    }

    pub(super) fn set_identity(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    /// Takes everything that may be sent. `is_free`: whether a broker may be sent another request.
    pub(super) fn drain(
        &mut self,
        snapshot: &Snapshot,
        now: Instant,
        is_free: impl Fn(i32) -> bool,
    ) -> Drained {
        let mut drained = Drained::default();
        let linger = if self.short_of_room > 0 { Duration::ZERO } else { self.linger };
        let mut sizes: HashMap<i32, usize> = HashMap::new();
        let count = self.queues.len();
        self.turn = (self.turn + 1) % count.max(1);
        for i in 0..count {
            let queue = &mut self.queues[(self.turn + i) % count];
            drained.finished.extend(queue.expire(self.delivery_timeout, now));
            let oldest = queue.batches().map(|b| b.created).min();
            sooner(&mut drained.next, oldest.map(|created| created + self.delivery_timeout));
            let Some(at) = queue.ready_at(linger, now) else { continue };
            if at > now {
                sooner(&mut drained.next, Some(at));
                continue;
            }
            if self.idempotent && queue.needs_identity() {
                if self.identity == queue.spoiled_identity() {
                    self.identity = None;
                }
                let Some(identity) = self.identity else {
                    drained.needs_identity = true;
                    continue;
                };
                drained.finished.extend(queue.set_identity(identity));
            }
            let Some(leader) = snapshot.leader(&queue.partition) else {
                drained.leaderless.insert(queue.partition.topic.clone());
                continue;
            };
            let size = sizes.entry(leader).or_insert(REQUEST_OVERHEAD);
            let fits = *size == REQUEST_OVERHEAD || *size + queue.next_len() <= self.max_request;
            if !is_free(leader) || !fits {
                continue;
            }
            *size += queue.next_len();
            let partition = queue.partition.clone();
            let batch = queue.take();
            let request = drained.requests.entry(leader).or_default();
            request.extend(batch.map(|batch| (partition, batch)));
        }
        for (batch, _) in &drained.finished {
            self.incomplete.remove(&batch.number);
        }
        drained
    }

    /// Takes back a batch that was sent.
    pub(super) fn settle(
        &mut self,
        partition: &TopicPartition,
        batch: Batch,
        answer: Answer,
        retry_at: Instant,
    ) -> Option<Finished> {
        let queue = &mut self.queues[*self.index.get(partition)?];
        let finished = queue.settle(batch, answer, retry_at)?;
        self.incomplete.remove(&finished.0.number);
        Some(finished)
    }
}

fn sooner(next: &mut Option<Instant>, at: Option<Instant>) {
    *next = match (*next, at) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
}
