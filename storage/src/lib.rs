//! One partition's log on disk, in Apache Kafka's own format, and the directory that holds many of them.
//!
//! - [`disk`]: the seam to files; [`OsDisk`] is the real one.
//! - [`log`]: segments, indexes, append, read, recovery, retention.
//! - [`producers`]: idempotent producers' state; pure but for its snapshots.
//! - [`epochs`]: leader epochs and where they begin.
//! - [`epoch_file`]: which registration of the broker the directory remembers.
//! - [`flusher`]: group commit.
//! - [`write_gate`]: whether the directory takes writes, and when a full one is asked again.
//! - [`log_dir`]: the directory: which partitions, how the last shutdown went.
//! - [`checkpoint`]: Kafka's offset checkpoint files.
//!
//! Must not know: the network, tokio, what topics mean.
//!
//! Invariants
//! - What is before a log's recovery point is durable, and stays so whatever is killed. A bad byte there is an
//!   error ([`log::OpenError::Corrupt`]); a bad byte after it is a crash's torn tail and is cut off.
//! - Readers see whole batches only: a segment's length is published after the write.
//! - What a partition holds open is bounded by its disk ([`BoundedDisk`]), not by the number of its segments: logs are opened
//!   with [`Disk::open_kept`], everything else for the moment.
//! - A failed sync is final. A full disk is not: the append is undone and may be tried again.
//! - Kafka's `kafka-dump-log` reads every file that is written here.

pub mod checkpoint;
pub mod disk;
pub mod epoch_file;
pub mod epochs;
pub mod flusher;
pub mod log;
pub mod log_dir;
pub mod producers;
pub mod write_gate;

pub use disk::{
    BoundedDisk, Disk, DiskError, DiskFailure, DiskFile, OpenMode, OsDisk, Reserve, ReservedDisk,
};
pub use epoch_file::EpochFile;
pub use flusher::{FlushTarget, Flusher};
pub use log::{Log, LogConfig};
pub use log_dir::{Folder, LogDir, LogDirError};
pub use write_gate::{WriteGate, Writes};
