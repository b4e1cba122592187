//! Deterministic simulation: what the product asks the machine for, from a seed.
//!
//! - [`SimDisk`]: a disk that forgets at a crash what was not synced, tears writes, fills up and fails.
//!
//! Clock and network come with replication. Must not know tokio or the broker.
//!
//! A test that fails names its seed; the same seed gives the same run.

mod disk;

pub use disk::{Faults, SimDisk};
