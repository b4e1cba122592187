//! The converters that come with Kafka Connect.

pub mod base64;
pub mod bytes;
pub mod header;
pub mod json;
pub mod number;
pub mod string;
pub mod text;

pub use bytes::ByteArrayPlugin;
pub use header::SimpleHeaderConverter;
pub use json::JsonPlugin;
pub use number::FixedPlugin;
pub use string::StringPlugin;
