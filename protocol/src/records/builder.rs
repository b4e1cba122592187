use bytes::Bytes;

use super::header::{CONTROL, TRANSACTIONAL};
use super::varint::{put_varint, put_varlong, varint_len, varlong_len};
use super::{
    BATCH_OVERHEAD, BatchHeader, Compression, LENGTH_PREFIX, NO_PRODUCER_EPOCH, NO_PRODUCER_ID,
    NO_SEQUENCE, NO_TIMESTAMP, RecordsError, crc_of,
};
use crate::Str;

/// Most bytes that a record's own fields take beside its key, value and headers: length, attributes,
/// timestamp, offset, three counts.
const RECORD_OVERHEAD: usize = 5 + 1 + 10 + 5 + 5 + 5 + 5;

/// Builds one batch. Offsets count up from the base offset, one a record.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    compression: Compression,
    /// Room for the header, then the records, not compressed.
    buf: Vec<u8>,
    base_offset: i64,
    base_timestamp: i64,
    max_timestamp: i64,
    count: i32,
    attributes: i16,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    leader_epoch: i32,
}

impl BatchBuilder {
    /// An empty batch with base offset 0 and no producer.
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            buf: vec![0; BATCH_OVERHEAD],
            base_offset: 0,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            count: 0,
            attributes: compression.code(),
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            leader_epoch: -1,
        }
    }

    /// Adds a record and returns its index in the batch. `timestamp`: milliseconds since 1970.
    ///
    /// # Errors
    /// [`RecordsError::Unwritable`] when a part is longer than 2^31 - 1 bytes.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(Str, Option<Bytes>)],
    ) -> Result<i32, RecordsError> {
        if self.count == 0 {
            self.base_timestamp = timestamp;
            self.max_timestamp = timestamp;
        }
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let len = record_len(timestamp_delta, self.count, key, value, headers);
        let len = i32::try_from(len).map_err(|_| RecordsError::Unwritable)?;
        let next = self.count.checked_add(1).ok_or(RecordsError::Unwritable)?;
        let out = &mut self.buf;
        put_varint(out, len);
        out.push(0);
        put_varlong(out, timestamp_delta);
        put_varint(out, self.count);
        put_nullable(out, key);
        put_nullable(out, value);
        put_varint(out, headers.len() as i32);
        for (name, value) in headers {
            put_nullable(out, Some(name.as_str().as_bytes()));
            put_nullable(out, value.as_deref());
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let index = self.count;
        self.count = next;
        Ok(index)
    }

    /// Bytes so far, header included, before compression.
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether no record has been added.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Records so far.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Most bytes that a record adds to a batch.
    pub fn record_bound(
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(Str, Option<Bytes>)],
    ) -> usize {
        let parts = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        let headers = headers.iter().map(|(n, v)| n.len() + v.as_ref().map_or(0, Bytes::len) + 10);
        RECORD_OVERHEAD + parts + headers.sum::<usize>()
    }

    /// Marks the batch as an idempotent producer's.
    pub fn set_producer(&mut self, id: i64, epoch: i16, base_sequence: i32) {
        (self.producer_id, self.producer_epoch, self.base_sequence) = (id, epoch, base_sequence);
    }

    /// Sets the offset of the first record (a broker sets it anew on produce).
    pub fn set_base_offset(&mut self, base_offset: i64) {
        self.base_offset = base_offset;
    }

    /// Sets the leader epoch (a broker sets it anew on produce).
    pub fn set_partition_leader_epoch(&mut self, epoch: i32) {
        self.leader_epoch = epoch;
    }

    /// Marks the batch as part of a transaction.
    pub fn set_transactional(&mut self, transactional: bool) {
        self.set_attribute(TRANSACTIONAL, transactional);
    }

    /// Marks the batch as one of control records.
    pub fn set_control(&mut self, control: bool) {
        self.set_attribute(CONTROL, control);
    }

    fn set_attribute(&mut self, bit: i16, on: bool) {
        self.attributes = if on { self.attributes | bit } else { self.attributes & !bit };
    }

    /// The finished batch.
    ///
    /// # Errors
    /// [`RecordsError::Decompress`] when the codec fails, [`RecordsError::Unwritable`] past 2 GiB.
    pub fn build(self) -> Result<Bytes, RecordsError> {
        let mut out = if self.compression == Compression::None {
            self.buf
        } else {
            let mut out = Vec::with_capacity(BATCH_OVERHEAD + self.buf.len() / 2);
            out.resize(BATCH_OVERHEAD, 0);
            self.compression.compress(&self.buf[BATCH_OVERHEAD..], &mut out)?;
            out
        };
        let batch_length =
            i32::try_from(out.len() - LENGTH_PREFIX).map_err(|_| RecordsError::Unwritable)?;
        let mut header = BatchHeader {
            base_offset: self.base_offset,
            batch_length,
            partition_leader_epoch: self.leader_epoch,
            crc: 0,
            attributes: self.attributes,
            last_offset_delta: (self.count - 1).max(0),
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            record_count: self.count,
        };
        header.put(&mut out);
        header.crc = crc_of(&out);
        header.put(&mut out);
        Ok(Bytes::from(out))
    }
}

fn record_len(
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[(Str, Option<Bytes>)],
) -> usize {
    let headers_len: usize = headers
        .iter()
        .map(|(name, value)| {
            nullable_len(Some(name.as_str().as_bytes())) + nullable_len(value.as_deref())
        })
        .sum();
    1 + varlong_len(timestamp_delta)
        + varint_len(offset_delta)
        + nullable_len(key)
        + nullable_len(value)
        + varint_len(headers.len() as i32)
        + headers_len
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(varint_len(-1), |b| varint_len(b.len() as i32) + b.len())
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}
