//! The `protocol` crate.
pub mod records;
mod str;
pub use str::Str;
