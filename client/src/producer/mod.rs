//! The producer: records are gathered into a batch per partition, batches are written by one task.
//!
//! `partitioner` chooses the partition; `accumulator` holds the batches and decides, without I/O, which may be sent
//! and what an answer means for order and sequence numbers; `sender` is the task that sends them.

mod accumulator;
mod batch;
mod config;
mod delivery;
mod identity;
mod partitioner;
mod queue;
mod request;
mod sender;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use protocol::Str;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{Client, TopicPartition};
use accumulator::Accumulator;
pub use config::{Acks, ProducerConfig};
pub use delivery::{Delivery, ProduceError, RecordMetadata};
use partitioner::Partitioner;
pub use partitioner::partition_for_key;

/// A record to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProducerRecord {
    /// The topic.
    pub topic: Str,
    /// The partition; `None` lets the key decide, or chance when there is no key.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; `None` deletes the key from a compacted topic.
    pub value: Option<Bytes>,
    /// Headers, in order; names may repeat.
    pub headers: Vec<(Str, Option<Bytes>)>,
    /// Milliseconds since 1970; `None` is now.
    pub timestamp_ms: Option<i64>,
}

impl ProducerRecord {
    /// A record without key, headers, partition and time.
    pub fn new(topic: impl Into<Str>, value: impl Into<Bytes>) -> Self {
        Self { topic: topic.into(), value: Some(value.into()), ..Default::default() }
    }

    /// The same with a key.
    pub fn with_key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Bytes it is counted with against the producer's buffer; at least what it takes in a batch.
    fn size(&self) -> usize {
        protocol::records::BatchBuilder::record_bound(
            self.key.as_deref(),
            self.value.as_deref(),
            &self.headers,
        )
    }
}

/// Writes records. Clones share buffer and order; the task behind it ends when the last one is dropped or closed.
#[derive(Debug, Clone)]
pub struct Producer {
    shared: Arc<Shared>,
    _running: Arc<tokio_util::sync::DropGuard>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    config: ProducerConfig,
    accumulator: Mutex<Accumulator>,
    partitioner: Mutex<Partitioner>,
    /// Free bytes of the buffer.
    room: Semaphore,
    /// Something may be sent that could not be sent before.
    wake: Notify,
    closed: CancellationToken,
}

impl Producer {
    /// A producer. It connects when the first record is sent.
    pub fn new(client: &Client, config: ProducerConfig) -> Self {
        let config = config.in_bounds();
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            client: client.clone(),
            accumulator: Mutex::new(Accumulator::new(&config)),
            partitioner: Mutex::new(Partitioner::default()),
            room: Semaphore::new(config.buffer_bytes),
            wake: Notify::new(),
            closed: CancellationToken::new(),
            config,
        });
        tokio::spawn(sender::run(Arc::clone(&shared), stop.clone()));
        Self { shared, _running: Arc::new(stop.drop_guard()) }
    }

    /// Takes a record; waits only for room in the buffer and, once a topic, for its metadata. The record is written
    /// when the returned [`Delivery`] says so.
    ///
    /// Records of one partition are written in the order in which `send` took them: callers that need an order await
    /// each `send` (not each delivery) before the next.
    pub async fn send(&self, record: ProducerRecord) -> Result<Delivery, ProduceError> {
        let shared = &self.shared;
        let size = record.size();
        if size > shared.config.max_request_bytes || size > shared.config.buffer_bytes {
            return Err(ProduceError::RecordTooLarge {
                bytes: size,
                limit: shared.config.max_request_bytes.min(shared.config.buffer_bytes),
            });
        }
        let limit = Duration::from_millis(shared.config.max_block_ms.into());
        match tokio::time::timeout(limit, self.send_unlimited(record, size)).await {
            Ok(result) => result,
            Err(_) => Err(ProduceError::Blocked { waited_ms: shared.config.max_block_ms }),
        }
    }

    async fn send_unlimited(
        &self,
        record: ProducerRecord,
        size: usize,
    ) -> Result<Delivery, ProduceError> {
        let shared = &self.shared;
        if shared.closed.is_cancelled() {
            return Err(ProduceError::Closed);
        }
        let permits = u32::try_from(size).unwrap_or(u32::MAX);
        let room = match shared.room.try_acquire_many(permits) {
            Ok(room) => room,
            Err(_) => {
                let _short = ShortOfRoom::begin(shared);
                shared.room.acquire_many(permits).await.map_err(|_| ProduceError::Closed)?
            }
        };
        let topic = shared.client.topic(&record.topic).await.map_err(ProduceError::Metadata)?;
        let partition = shared.partitioner.lock().partition(&record, size, &topic, &shared.config);
        let partition = partition?;
        let target = TopicPartition { topic: topic.name.clone(), partition };
        let appended = {
            let mut accumulator = shared.accumulator.lock();
            if shared.closed.is_cancelled() {
                return Err(ProduceError::Closed);
            }
            accumulator.append(target, &record, size)?
        };
        // The batch owns the room until it is done.
        room.forget();
        if appended.wake {
            shared.wake.notify_one();
        }
        Ok(appended.delivery)
    }

    /// Sends everything that was taken so far and waits until each record is written or has failed.
    ///
    /// # Errors
    /// The first failure among them; every [`Delivery`] tells its own.
    pub async fn flush(&self) -> Result<(), ProduceError> {
        let waiting = self.shared.accumulator.lock().start_flush();
        self.shared.wake.notify_one();
        let mut first = Ok(());
        for batch in waiting {
            let done = delivery::outcome(batch).await;
            if first.is_ok() {
                first = done.map(|_| ());
            }
        }
        first
    }

    /// Takes no more records, and flushes.
    ///
    /// # Errors
    /// As [`Producer::flush`].
    pub async fn close(&self) -> Result<(), ProduceError> {
        self.shared.closed.cancel();
        let flushed = self.flush().await;
        self.shared.room.close();
        flushed
    }
}

/// While it lives, somebody waits for room, so nothing lingers.
struct ShortOfRoom<'a>(&'a Shared);

impl<'a> ShortOfRoom<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.accumulator.lock().set_short_of_room(true);
        shared.wake.notify_one();
        Self(shared)
    }
}

impl Drop for ShortOfRoom<'_> {
    fn drop(&mut self) {
        self.0.accumulator.lock().set_short_of_room(false);
    }
}
