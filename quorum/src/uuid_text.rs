//! Kafka's text form of a UUID (22 characters of unpadded base64url) as serde sees it.

use protocol::Uuid;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Reads Kafka's text form of a UUID.
pub(crate) fn parse(text: &str) -> Option<Uuid> {
    if text.len() != 22 {
        return None;
    }
    let mut bits: u32 = 0;
    let mut held = 0;
    let mut bytes = [0u8; 16];
    let mut at = 0;
    for c in text.bytes() {
        let value = ALPHABET.iter().position(|&a| a == c)? as u32;
        bits = (bits << 6) | value;
        held += 6;
        if held >= 8 && at < 16 {
            held -= 8;
            bytes[at] = (bits >> held) as u8;
            at += 1;
        }
    }
    Some(Uuid(bytes))
}

pub(crate) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is not a UUID")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for id in [Uuid::ZERO, Uuid([0xff; 16]), Uuid(*b"0123456789abcdef")] {
            assert_eq!(parse(&id.to_string()), Some(id));
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
