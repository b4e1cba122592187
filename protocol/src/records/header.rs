use super::{Compression, NO_PRODUCER_ID, RecordsError};

/// Bytes of a batch header, up to the first record.
pub const BATCH_OVERHEAD: usize = 61;
/// Bytes before those that `batch_length` counts: the base offset and the length itself.
pub const LENGTH_PREFIX: usize = 12;

const EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const LAST_OFFSET_DELTA_AT: usize = 23;
const BASE_TIMESTAMP_AT: usize = 27;
const MAX_TIMESTAMP_AT: usize = 35;
const PRODUCER_ID_AT: usize = 43;
const PRODUCER_EPOCH_AT: usize = 51;
const BASE_SEQUENCE_AT: usize = 53;
const COUNT_AT: usize = 57;

const CODEC_MASK: i16 = 0b111;
pub(super) const LOG_APPEND_TIME: i16 = 1 << 3;
pub(super) const TRANSACTIONAL: i16 = 1 << 4;
pub(super) const CONTROL: i16 = 1 << 5;
const DELETE_HORIZON: i16 = 1 << 6;

/// Who set a batch's timestamps (`message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimestampType {
    /// The producer, record by record.
    #[default]
    CreateTime,
    /// The broker: every record has the batch's max timestamp.
    LogAppendTime,
}

/// The fixed 61 bytes at the start of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record (when the batch was produced; compaction may have dropped it).
    pub base_offset: i64,
    /// Bytes after this field: the batch is 12 bytes longer.
    pub batch_length: i32,
    /// Leader epoch under which the batch was appended.
    pub partition_leader_epoch: i32,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec (bits 0-2), timestamp type (3), transactional (4), control (5), delete horizon (6).
    pub attributes: i16,
    /// Last offset less the base offset.
    pub last_offset_delta: i32,
    /// Milliseconds since 1970 that timestamp deltas count from (delete horizon when bit 6 is set).
    pub base_timestamp: i64,
    /// Largest timestamp of the records, milliseconds since 1970.
    pub max_timestamp: i64,
    /// Idempotent producer, or -1.
    pub producer_id: i64,
    /// Its epoch, or -1.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// Number of records.
    pub record_count: i32,
}

impl BatchHeader {
    /// Parses and checks the header at the start of `buf`; the records need not be there.
    ///
    /// # Errors
    /// [`RecordsError::NotEnough`] under 61 bytes, [`RecordsError::Magic`], [`RecordsError::Header`] when
    /// fields contradict each other.
    pub fn parse(buf: &[u8]) -> Result<Self, RecordsError> {
        if let Some(magic) = buf.get(MAGIC_AT).map(|b| *b as i8).filter(|m| *m != 2) {
            return Err(RecordsError::Magic(magic));
        }
        let Some(fixed) = buf.first_chunk::<BATCH_OVERHEAD>() else {
            return Err(RecordsError::NotEnough { needed: BATCH_OVERHEAD, have: buf.len() });
        };
        let header = Self {
            base_offset: i64_at(fixed, 0),
            batch_length: i32_at(fixed, 8),
            partition_leader_epoch: i32_at(fixed, EPOCH_AT),
            crc: i32_at(fixed, CRC_AT) as u32,
            attributes: i16_at(fixed, ATTRIBUTES_AT),
            last_offset_delta: i32_at(fixed, LAST_OFFSET_DELTA_AT),
            base_timestamp: i64_at(fixed, BASE_TIMESTAMP_AT),
            max_timestamp: i64_at(fixed, MAX_TIMESTAMP_AT),
            producer_id: i64_at(fixed, PRODUCER_ID_AT),
            producer_epoch: i16_at(fixed, PRODUCER_EPOCH_AT),
            base_sequence: i32_at(fixed, BASE_SEQUENCE_AT),
            record_count: i32_at(fixed, COUNT_AT),
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), RecordsError> {
        if self.batch_length < (BATCH_OVERHEAD - LENGTH_PREFIX) as i32 {
            return Err(RecordsError::Header("length is less than the header's own"));
        }
        if self.last_offset_delta < 0 {
            return Err(RecordsError::Header("last offset is before the base offset"));
        }
        if self.record_count < 0 {
            return Err(RecordsError::Header("negative record count"));
        }
        if self.base_offset.checked_add(i64::from(self.last_offset_delta) + 1).is_none() {
            return Err(RecordsError::Header("offset overflow"));
        }
        Ok(())
    }

    /// Writes the header to the start of `out`, which must hold 61 bytes or more.
    pub(super) fn put(&self, out: &mut [u8]) {
        out[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        out[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        out[EPOCH_AT..MAGIC_AT].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        out[MAGIC_AT] = 2;
        out[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&self.crc.to_be_bytes());
        out[ATTRIBUTES_AT..23].copy_from_slice(&self.attributes.to_be_bytes());
        out[LAST_OFFSET_DELTA_AT..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[BASE_TIMESTAMP_AT..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        out[MAX_TIMESTAMP_AT..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        out[PRODUCER_ID_AT..51].copy_from_slice(&self.producer_id.to_be_bytes());
        out[PRODUCER_EPOCH_AT..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        out[BASE_SEQUENCE_AT..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        out[COUNT_AT..BATCH_OVERHEAD].copy_from_slice(&self.record_count.to_be_bytes());
    }

    /// Bytes of the whole batch, header included.
    pub fn size(&self) -> usize {
        LENGTH_PREFIX + self.batch_length as usize
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// Offset after the last record.
    pub fn next_offset(&self) -> i64 {
        self.last_offset() + 1
    }

    /// Sequence number of the last record; sequences wrap from 2^31 - 1 to 0. -1 without a producer.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return self.base_sequence;
        }
        let sum = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        (sum % (i64::from(i32::MAX) + 1)) as i32
    }

    /// The codec of the records.
    ///
    /// # Errors
    /// [`RecordsError::UnknownCompression`] for codes 5 to 7.
    pub fn compression(&self) -> Result<Compression, RecordsError> {
        Compression::from_code(self.attributes & CODEC_MASK)
    }

    /// Who set the timestamps.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether the batch holds a control record (a transaction marker).
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// When tombstones may go, milliseconds since 1970, once a first cleaning has said so.
    pub fn delete_horizon(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// Whether an idempotent or transactional producer wrote the batch.
    pub fn has_producer(&self) -> bool {
        self.producer_id != NO_PRODUCER_ID
    }
}

/// CRC-32C of a whole batch: of everything from the attributes on. `batch` must hold the whole header.
pub fn crc_of(batch: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(batch.get(ATTRIBUTES_AT..).unwrap_or_default())
}

/// Sets the base offset; the CRC does not cover it. `header` holds at least 8 bytes.
pub fn patch_base_offset(header: &mut [u8; BATCH_OVERHEAD], base_offset: i64) {
    header[0..8].copy_from_slice(&base_offset.to_be_bytes());
}

/// Sets the partition leader epoch; the CRC does not cover it.
pub fn patch_partition_leader_epoch(header: &mut [u8; BATCH_OVERHEAD], epoch: i32) {
    header[EPOCH_AT..MAGIC_AT].copy_from_slice(&epoch.to_be_bytes());
}

/// Turns a batch to LogAppendTime: sets the attribute and the max timestamp and computes the CRC anew.
/// `records` are the bytes after the header.
pub fn patch_log_append_time(header: &mut [u8; BATCH_OVERHEAD], records: &[u8], now_ms: i64) {
    let attributes = i16_at(header, ATTRIBUTES_AT) | LOG_APPEND_TIME;
    header[ATTRIBUTES_AT..23].copy_from_slice(&attributes.to_be_bytes());
    header[MAX_TIMESTAMP_AT..43].copy_from_slice(&now_ms.to_be_bytes());
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(&header[ATTRIBUTES_AT..]);
    digest.update(records);
    let crc = digest.finalize() as u32;
    header[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
}

fn i16_at(buf: &[u8; BATCH_OVERHEAD], at: usize) -> i16 {
    i16::from_be_bytes([buf[at], buf[at + 1]])
}

fn i32_at(buf: &[u8; BATCH_OVERHEAD], at: usize) -> i32 {
    i32::from_be_bytes([buf[at], buf[at + 1], buf[at + 2], buf[at + 3]])
}

fn i64_at(buf: &[u8; BATCH_OVERHEAD], at: usize) -> i64 {
    (i64::from(i32_at(buf, at)) << 32) | i64::from(i32_at(buf, at + 4) as u32)
}
