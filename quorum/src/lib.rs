//! The `quorum` crate.
