//! Primitive types of the protocol: reading with every length checked, writing into segments.

mod decoder;
mod encoder;
mod segment;

pub use decoder::{DecodeError, Decoder};
pub(crate) use encoder::join;
pub use encoder::{EncodeError, Encoder, ZERO_COPY_FROM_BYTES};
pub use segment::{FileSlice, Records, Segment};
