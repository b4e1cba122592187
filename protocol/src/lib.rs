//! The `protocol` crate.
pub mod records;
#[path = "codec/segment.rs"]
mod segment;
mod str;
pub use segment::{FileSlice, Records, Segment};
pub use str::Str;
