//! The `protocol` crate.
