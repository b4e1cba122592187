use std::path::PathBuf;

use protocol::records::RecordsError;
use thiserror::Error;

use crate::DiskError;

/// Why a log cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A call on the disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Bytes that had been made durable are not what was written.
    #[error(
        "segment {} is corrupt at byte {position}: {reason}; its partition stays offline, the others go on \
         (restore the file, or remove the partition's folder to start it empty)",
        path.display()
    )]
    Corrupt {
        /// The segment's `.log` file.
        path: PathBuf,
        /// Where the bad batch begins.
        position: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a batch was not appended.
#[derive(Debug, Error)]
pub enum AppendError {
    /// A call on the disk failed. After `DiskFailure::Full` the log is as it was before; after anything else
    /// it refuses further appends.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The batch is larger than `segment.bytes`.
    #[error("a batch of {size} bytes does not fit into a segment of {limit}")]
    LargerThanSegment {
        /// Bytes of the batch.
        size: usize,
        /// `segment.bytes`.
        limit: u32,
    },
    /// An earlier write or sync failed.
    #[error("the log takes no writes since an earlier disk error")]
    Failed,
    /// The offsets of the batch are not the next ones (a replica's append).
    #[error("a batch with base offset {base_offset} cannot follow offset {end_offset}")]
    OutOfOrder {
        /// First offset of the batch.
        base_offset: i64,
        /// Log end offset.
        end_offset: i64,
    },
}

/// Why a read returns nothing.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The offset is not between log start and log end.
    #[error("offset {offset} is not within {start} to {end}")]
    OutOfRange {
        /// What was asked for.
        offset: i64,
        /// Log start offset.
        start: i64,
        /// Log end offset.
        end: i64,
    },
    /// A call on the disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What is on disk is not a batch.
    #[error("segment {} is corrupt at byte {position}: {reason}", path.display())]
    Corrupt {
        /// The segment's `.log` file.
        path: PathBuf,
        /// Where the bad batch begins.
        position: u64,
        /// What is wrong with it.
        reason: RecordsError,
    },
}
