//! [`ProducerConfig`].

use protocol::records::Compression;

/// How many replicas must have a record before it counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// The broker does not answer: a record can be lost without notice.
    None,
    /// The leader.
    Leader,
    /// Every in-sync replica.
    All,
}

impl Acks {
    pub(super) fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// Settings of a producer; the defaults are those of Kafka's Java producer.
#[derive(Debug, Clone)]
pub struct ProducerConfig {
    /// Default [`Acks::All`].
    pub acks: Acks,
    /// Longest time that a record waits for others to share its batch. Default 5.
    pub linger_ms: u32,
    /// Size from which a batch is sent at once, in bytes before compression. Default 16 384.
    pub batch_size_bytes: usize,
    /// Default none.
    pub compression: Compression,
    /// Whether the broker keeps records from being written twice or out of order. Needs [`Acks::All`] and at most 5
    /// requests in flight. Default true.
    pub idempotent: bool,
    /// Requests to one broker that may be unanswered. Default 5.
    pub max_in_flight: usize,
    /// Bytes of records that may wait to be written; `send` waits beyond. Default 32 MiB.
    pub buffer_bytes: usize,
    /// Longest request, and so longest record, in bytes. Default 1 MiB.
    pub max_request_bytes: usize,
    /// Longest wait of `send` for room or metadata. Default 60 000.
    pub max_block_ms: u32,
    /// Longest time from `send` to the delivery's result, however often is tried again. Default 120 000.
    pub delivery_timeout_ms: u32,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            linger_ms: 5,
            batch_size_bytes: 16 * 1024,
            compression: Compression::None,
            idempotent: true,
            max_in_flight: 5,
            buffer_bytes: 32 * 1024 * 1024,
            max_request_bytes: 1024 * 1024,
            max_block_ms: 60_000,
            delivery_timeout_ms: 120_000,
        }
    }
}

/// Batches of an idempotent producer that a broker remembers, and so the most that may be in flight.
const MAX_IDEMPOTENT_IN_FLIGHT: usize = 5;

impl ProducerConfig {
    /// The same, with what cannot work together made to.
    pub(super) fn in_bounds(mut self) -> Self {
        self.idempotent &= self.acks == Acks::All;
        self.max_in_flight = self.max_in_flight.max(1);
        if self.idempotent {
            self.max_in_flight = self.max_in_flight.min(MAX_IDEMPOTENT_IN_FLIGHT);
        }
        self.buffer_bytes = self.buffer_bytes.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        self
    }
}
