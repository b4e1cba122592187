//! The `operator` crate.
