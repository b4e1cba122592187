//! [`Uuid`]: Kafka's 128-bit identifiers.

use std::fmt;
use std::str::FromStr;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Length of the text form: 16 bytes in base64 without padding.
const TEXT_CHARS: usize = 22;

/// A topic, directory or cluster id. Its text form is Kafka's: URL-safe base64 without padding, 22 characters.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

/// The text is not a UUID in Kafka's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Kafka UUID: 22 characters of URL-safe base64 are expected")]
pub struct ParseUuidError;

impl Uuid {
    /// Kafka's "no id".
    pub const ZERO: Self = Self([0; 16]);

    /// Whether this is [`Uuid::ZERO`].
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// A random (version 4) UUID out of 128 random bits of the caller's, whose text form does not begin with `-`,
    /// as in Kafka (command lines would take it for an option).
    pub fn from_random(random: u128) -> Self {
        let mut bytes = random.to_be_bytes();
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        if bytes[0] >> 2 == 62 {
            bytes[0] ^= 0x80;
        }
        Self(bytes)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u128::from_be_bytes(self.0);
        let mut text = [0_u8; TEXT_CHARS];
        for (i, char) in text.iter_mut().enumerate() {
            // Six bits a character from the top; the last character has two bits, shifted left by four.
            let shift = 122 - 6 * i as i32;
            let six = if shift >= 0 { number >> shift } else { number << -shift };
            *char = ALPHABET[(six & 0x3f) as usize];
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, ParseUuidError> {
        if text.len() != TEXT_CHARS {
            return Err(ParseUuidError);
        }
        let mut number = 0_u128;
        for (i, char) in text.bytes().enumerate() {
            let six = ALPHABET.iter().position(|a| *a == char).ok_or(ParseUuidError)? as u128;
            number = if i + 1 < TEXT_CHARS { number << 6 | six } else { number << 2 | six >> 4 };
        }
        Ok(Self(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_that_of_kafka() {
        // org.apache.kafka.common.Uuid: METADATA_TOPIC_ID and ZERO_UUID
        assert_eq!(Uuid(1_u128.to_be_bytes()).to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid([0xff; 16]).to_string(), "_____________________w");
    }

    #[test]
    fn text_round_trips() {
        for i in 0..1000_u128 {
            let id = Uuid::from_random(i.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
            assert_eq!(id.to_string().parse(), Ok(id));
            assert!(!id.to_string().starts_with('-'));
        }
        assert_eq!("short".parse::<Uuid>(), Err(ParseUuidError));
        assert_eq!("AAAAAAAAAAAAAAAAAAAAA!".parse::<Uuid>(), Err(ParseUuidError));
    }
}
