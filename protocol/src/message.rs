//! What all messages have in common.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use crate::{ApiKey, DecodeError, Decoder, EncodeError, Encoder};

/// A message of the protocol: request, response, header or stored record.
pub trait Message: Default + Debug + Clone + PartialEq + Send + Sync + 'static {
    /// Kafka's name, such as `FetchRequest`.
    const NAME: &'static str;
    /// Versions that Kafka 4.3 speaks.
    const VERSIONS: RangeInclusive<i16>;
    /// First flexible version (KIP-482); `i16::MAX` when there is none.
    const FLEXIBLE_FROM: i16;
    /// Whether the last of [`Self::VERSIONS`] may still change and must not be advertised in production.
    const LATEST_UNSTABLE: bool;

    /// Reads one message from the front of `d`; what follows it is left there.
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError>;

    /// Writes the message, or says what of it this version cannot carry.
    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError>;
}

/// A request, and what answers it.
pub trait Request: Message {
    /// The API.
    const KEY: ApiKey;
    /// The answer's message; it has the same versions.
    type Response: Message;
}
