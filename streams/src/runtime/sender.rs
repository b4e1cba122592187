//! What tasks send, and whether it arrived.
//!
//! Nothing may be acknowledged behind a record that was not: who reads a repartition topic takes a gap for records it
//! has seen. So deliveries do not time out, and the first failure ends the session, with the producer.

use crate::Output;
use client::{
    Client, Compression, Delivery, ProduceError, Producer, ProducerConfig, ProducerRecord,
    RecordMetadata,
};
use protocol::Str;
use std::collections::VecDeque;

/// Deliveries that are remembered before the oldest are waited for.
const MAX_PENDING: usize = 100_000;
const LINGER_MS: u32 = 5;
const BATCH_BYTES: usize = 128 * 1024;

#[derive(Debug)]
pub(super) struct Sender {
    producer: Producer,
    pending: VecDeque<Delivery>,
}

impl Sender {
    pub(super) fn new(client: &Client) -> Sender {
        let config = ProducerConfig {
            linger_ms: LINGER_MS,
            batch_size_bytes: BATCH_BYTES,
            compression: Compression::Lz4,
            delivery_timeout_ms: u32::MAX,
            ..ProducerConfig::default()
        };
        Sender { producer: Producer::new(client, config), pending: VecDeque::new() }
    }

    /// Takes records to send, in order. Those that are too large for any request are left out: topic and reason come
    /// back.
    pub(super) async fn send(
        &mut self,
        outputs: impl IntoIterator<Item = Output>,
    ) -> Result<Vec<(Str, String)>, ProduceError> {
        let mut too_large = Vec::new();
        for output in outputs {
            let topic = output.topic.clone();
            match self.producer.send(record(output)).await {
                Ok(delivery) => self.pending.push_back(delivery),
                Err(error @ ProduceError::RecordTooLarge { .. }) => {
                    too_large.push((topic, error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        while self.pending.len() > MAX_PENDING {
            if let Some(oldest) = self.pending.pop_front() {
                oldest.await?;
            }
        }
        Ok(too_large)
    }

    /// Waits until everything that was sent is acknowledged.
    pub(super) async fn flush(&mut self) -> Result<(), ProduceError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.producer.flush().await?;
        for delivery in std::mem::take(&mut self.pending) {
            delivery.await?;
        }
        Ok(())
    }

    /// Sends records and waits for them: where each was written.
    pub(super) async fn send_and_wait(
        &mut self,
        outputs: Vec<Output>,
    ) -> Result<Vec<RecordMetadata>, ProduceError> {
        let mut deliveries = Vec::with_capacity(outputs.len());
        for output in outputs {
            deliveries.push(self.producer.send(record(output)).await?);
        }
        if !deliveries.is_empty() {
            self.producer.flush().await?;
        }
        let mut written = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            written.push(delivery.await?);
        }
        Ok(written)
    }
}

fn record(output: Output) -> ProducerRecord {
    ProducerRecord {
        topic: output.topic,
        partition: output.partition,
        key: output.key,
        value: output.value,
        headers: output.headers,
        timestamp_ms: (output.timestamp_ms >= 0).then_some(output.timestamp_ms),
    }
}
