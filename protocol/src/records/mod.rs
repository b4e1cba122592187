//! Record batches, format version 2 (`magic` 2), the only one that Kafka 4 writes.
//!
//! A batch is a 61-byte header ([`BatchHeader`]) and records, compressed or not. The broker looks at headers
//! and, where it must, walks the records without copying ([`LeanRecords`]); clients decode them
//! ([`Batch::records`]) and build them ([`BatchBuilder`]).
//!
//! Source: Kafka's `DefaultRecordBatch` and `DefaultRecord`; KIP-98 (format), KIP-110 (zstd).

mod batch;
mod builder;
mod compression;
mod error;
mod header;
mod lean;
mod record;
mod snappy;
mod varint;

pub use batch::{Batch, Batches, batches};
pub use builder::BatchBuilder;
pub use compression::Compression;
pub use error::RecordsError;
pub use header::{
    BATCH_OVERHEAD, BatchHeader, LENGTH_PREFIX, TimestampType, crc_of, patch_base_offset,
    patch_log_append_time, patch_partition_leader_epoch,
};
pub use lean::{LeanRecord, LeanRecords, record_body};
pub use record::{Record, RecordIter};

/// `producer_id` of a batch without an idempotent producer.
pub const NO_PRODUCER_ID: i64 = -1;
/// `producer_epoch` of a batch without an idempotent producer.
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// `base_sequence` of a batch without an idempotent producer.
pub const NO_SEQUENCE: i32 = -1;
/// Timestamp of a batch that has none.
pub const NO_TIMESTAMP: i64 = -1;

/// What one batch may decompress to before it is taken for a bomb, when the caller sets no limit.
pub const MAX_DECOMPRESSED_BYTES: usize = 128 * 1024 * 1024;

#[cfg(test)]
mod tests;
