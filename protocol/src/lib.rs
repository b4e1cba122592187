//! Kafka's wire protocol: every message of Kafka 4.3, frames, error codes and record batches.
//!
//! This crate turns bytes into values and back. It must not know sockets, files' paths, tokio, or what a
//! message is for.
//!
//! * [`messages`]: one module a message, generated from Kafka's own JSON (`schemas/`) by `cargo xtask codegen`.
//! * [`Message`], [`Request`], [`ApiKey`]: what all messages have in common.
//! * [`Decoder`], [`Encoder`]: primitive types of the protocol; [`Segment`]s make a response able to end in `sendfile`.
//! * [`frame`]: length prefix and headers around a message.
//! * [`records`]: record batches (format v2).
//! * [`Str`], [`Uuid`], [`ErrorCode`]: small value types.
//!
//! Invariants:
//!
//! * No input makes decoding panic, and none makes it allocate more than a small multiple of its own length: each
//!   count is checked against the bytes that remain before anything is allocated.
//! * Strings and bytes are views into the input (no copy); they keep the whole frame alive, so whoever stores one
//!   for long copies it (`Str::copy`, `Bytes::copy_from_slice`).
//! * What a version cannot carry is an error on encoding, unless Kafka's JSON calls the field ignorable.

mod codec;
mod error_code;
pub mod frame;
#[doc(hidden)]
#[rustfmt::skip]
pub mod generated;
mod message;
pub mod records;
mod str;
mod uuid;

pub use codec::{
    DecodeError, Decoder, EncodeError, Encoder, FileSlice, Records, Segment, ZERO_COPY_FROM_BYTES,
};
pub use error_code::ErrorCode;
pub use generated as messages;
pub use generated::ApiKey;
pub use message::{Message, Request};
pub use str::Str;
pub use uuid::Uuid;
