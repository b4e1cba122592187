//! One batch from its first record to its outcome.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use protocol::records::{BATCH_OVERHEAD, BatchBuilder, Compression, RecordsError, crc_of};
use tokio::sync::oneshot;

use super::delivery::{self, BatchDone, Outcome};
use super::identity::Identity;
use super::{Delivery, ProducerRecord};
use crate::types::now_ms;

/// Where fields stand in a batch's header.
const CRC_AT: usize = 17;
const PRODUCER_ID_AT: usize = 43;

#[derive(Debug)]
enum Body {
    Open(Box<BatchBuilder>),
    Built(Bytes),
}

/// A batch of one partition.
#[derive(Debug)]
pub(super) struct Batch {
    /// Order within the producer; also names it among the incomplete ones.
    pub(super) number: u64,
    pub(super) created: Instant,
    /// Bytes of the producer's buffer that its records hold.
    pub(super) room: usize,
    pub(super) count: i32,
    /// Identity and first sequence number, once it has been sent.
    pub(super) stamp: Option<(Identity, i32)>,
    /// It was sent, and no answer has ruled out that it was written.
    pub(super) maybe_written: bool,
    pub(super) attempts: u32,
    pub(super) last_error: Option<String>,
    pub(super) done: BatchDone,
    sender: oneshot::Sender<Outcome>,
    body: Body,
}

impl Batch {
    pub(super) fn new(number: u64, compression: Compression, now: Instant) -> Self {
        let (sender, done) = delivery::channel();
        Self {
            number,
            created: now,
            room: 0,
            count: 0,
            stamp: None,
            maybe_written: false,
            attempts: 0,
            last_error: None,
            done,
            sender,
            body: Body::Open(Box::new(BatchBuilder::new(compression))),
        }
    }

    /// Bytes so far, before compression; the batch's once it is built.
    pub(super) fn len(&self) -> usize {
        match &self.body {
            Body::Open(builder) => builder.len(),
            Body::Built(bytes) => bytes.len(),
        }
    }

    pub(super) fn append(
        &mut self,
        record: &ProducerRecord,
        room: usize,
    ) -> Result<Delivery, RecordsError> {
        let Body::Open(builder) = &mut self.body else { return Err(RecordsError::Unwritable) };
        let timestamp_ms = record.timestamp_ms.unwrap_or_else(now_ms);
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let index = builder.append(timestamp_ms, key, value, &record.headers)?;
        self.room += room;
        self.count = builder.count();
        Ok(Delivery { done: self.done.clone(), index, timestamp_ms })
    }

    /// The bytes to send, with the batch's stamp. Built once; a later stamp is written into the built bytes.
    pub(super) fn bytes(&mut self) -> Result<Bytes, RecordsError> {
        if let Body::Open(builder) = &mut self.body {
            let builder = std::mem::replace(&mut **builder, BatchBuilder::new(Compression::None));
            self.body = Body::Built(self.stamped(builder).build()?);
        }
        match &self.body {
            Body::Built(bytes) => Ok(bytes.clone()),
            Body::Open(_) => Err(RecordsError::Unwritable),
        }
    }

    fn stamped(&self, mut builder: BatchBuilder) -> BatchBuilder {
        if let Some((identity, sequence)) = self.stamp {
            builder.set_producer(identity.id, identity.epoch, sequence);
        }
        builder
    }

    /// Gives the batch an identity and a first sequence number, another than before if it had one.
    pub(super) fn set_stamp(&mut self, identity: Identity, sequence: i32) {
        self.stamp = Some((identity, sequence));
        if let Body::Built(bytes) = &self.body {
            self.body = Body::Built(restamp(bytes, identity, sequence));
        }
    }

    /// Tells every record's delivery. Nobody need be waiting.
    pub(super) fn finish(self, outcome: Outcome) {
        let _ = self.sender.send(outcome);
    }
}

fn restamp(batch: &Bytes, identity: Identity, sequence: i32) -> Bytes {
    let mut bytes = BytesMut::from(&batch[..]);
    if bytes.len() >= BATCH_OVERHEAD {
        let at = PRODUCER_ID_AT;
        bytes[at..at + 8].copy_from_slice(&identity.id.to_be_bytes());
        bytes[at + 8..at + 10].copy_from_slice(&identity.epoch.to_be_bytes());
        bytes[at + 10..at + 14].copy_from_slice(&sequence.to_be_bytes());
        let crc = crc_of(&bytes);
        bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    }
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_stamp_is_what_a_new_batch_would_have() {
        let now = Instant::now();
        let record = ProducerRecord { timestamp_ms: Some(5), ..ProducerRecord::new("t", "value") };
        let built = |stamps: &[(i64, i16, i32)]| {
            let mut batch = Batch::new(0, Compression::Lz4, now);
            batch.append(&record, 100).unwrap();
            for (id, epoch, sequence) in stamps {
                batch.set_stamp(Identity { id: *id, epoch: *epoch }, *sequence);
                batch.bytes().unwrap();
            }
            batch.bytes().unwrap()
        };
        assert_eq!(built(&[(1, 2, 3), (7, 0, 70)]), built(&[(7, 0, 70)]));
        protocol::records::Batch::parse(&built(&[(1, 2, 3), (7, 0, 70)]))
            .unwrap()
            .verify_crc()
            .unwrap();
    }
}
