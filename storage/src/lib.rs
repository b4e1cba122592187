//! One partition's log on disk, in Apache Kafka's own format, and the folder that holds many of them.
//!
//! - [`disk`]: the seam to files; [`disk::OsDisk`] is the real one.
//!
//! Must not know: the network, tokio, topics' metadata.

pub mod disk;

pub use disk::{Disk, DiskError, DiskFailure, DiskFile, OpenMode, OsDisk};
