//! Reads a partition of `__consumer_offsets` from its beginning.

use protocol::records::{RecordsError, batches};
use protocol::{DecodeError, ErrorCode};
use thiserror::Error;

use super::coordinator::GroupLog;
use super::record;
use super::shard::Replay;

/// Why a partition cannot be loaded.
#[derive(Debug, Error)]
pub(super) enum LoadError {
    /// The partition cannot be read.
    #[error("{}", .0.message())]
    Read(ErrorCode),
    /// A batch is damaged.
    #[error("{0}")]
    Batch(#[from] RecordsError),
    /// A record is not what Kafka writes there.
    #[error("record at offset {offset}: {source}")]
    Record {
        /// Where.
        offset: i64,
        /// Why.
        source: DecodeError,
    },
}

/// Reads all records. Blocks.
pub(super) fn read(log: &dyn GroupLog, partition: i32) -> Result<Replay, LoadError> {
    let mut replay = Replay::default();
    let mut offset = 0;
    loop {
        let bytes = log.read(partition, offset).map_err(LoadError::Read)?;
        let before = offset;
        for batch in batches(bytes) {
            let batch = batch?;
            offset = batch.header().next_offset();
            if !batch.header().is_control() {
                apply(&mut replay, &batch)?;
            }
        }
        if offset == before {
            return Ok(replay);
        }
    }
}

fn apply(replay: &mut Replay, batch: &protocol::records::Batch) -> Result<(), LoadError> {
    for record in batch.records()? {
        let record = record?;
        let Some(key) = &record.key else { continue };
        let entry = record::decode(key, record.value.as_ref(), record.offset)
            .map_err(|source| LoadError::Record { offset: record.offset, source })?;
        replay.apply(entry);
    }
    Ok(())
}
