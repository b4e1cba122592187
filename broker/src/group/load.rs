//! Reads a partition of `__consumer_offsets` from its beginning.

use groups::{Replay, ReplayError};
use protocol::ErrorCode;
use protocol::records::{RecordsError, batches};
use thiserror::Error;

use super::coordinator::GroupLog;

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
    #[error(transparent)]
    Replay(#[from] ReplayError),
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
            replay.batch(&batch)?;
        }
        if offset == before {
            return Ok(replay);
        }
    }
}
