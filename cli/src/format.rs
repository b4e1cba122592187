//! How keys and values are typed and shown by `produce` and `consume`.

use bytes::Bytes;
use clap::ValueEnum;

/// The types that Kafka's own serializers write and a person can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // Comments, not documentation: clap would spread the help of every flag over ten lines.
    // UTF-8 text.
    String,
    // Kafka's Long: 8 bytes, the highest first.
    Long,
    // Checked when written, compact when shown.
    Json,
    // Bytes as hexadecimal digits.
    Hex,
}

/// Text that is not what the format says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("'{0}' is not a whole number between -2^63 and 2^63 - 1")]
    Long(String),
    #[error("'{text}' is not JSON: {reason}")]
    Json { text: String, reason: String },
    #[error("'{0}' is not an even number of hexadecimal digits")]
    Hex(String),
}

impl Format {
    /// Bytes of `text` as a record carries them.
    ///
    /// # Errors
    /// When `text` is not what the format says.
    pub(crate) fn encode(self, text: &str) -> Result<Bytes, FormatError> {
        match self {
            Self::String => Ok(Bytes::copy_from_slice(text.as_bytes())),
            Self::Long => {
                let number: i64 =
                    text.trim().parse().map_err(|_| FormatError::Long(text.to_owned()))?;
                Ok(Bytes::copy_from_slice(&number.to_be_bytes()))
            }
            Self::Json => {
                let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
                    FormatError::Json { text: text.to_owned(), reason: error.to_string() }
                })?;
                Ok(value.to_string().into())
            }
            Self::Hex => unhex(text.trim()).ok_or_else(|| FormatError::Hex(text.to_owned())),
        }
    }

    /// `bytes` as text; what is not of the format is shown as `0x…`, since a reader is better served by the bytes
    /// than by an error in the middle of a topic.
    pub(crate) fn decode(self, bytes: Option<&[u8]>) -> String {
        let Some(bytes) = bytes else { return "null".to_owned() };
        let text = match self {
            Self::String => Some(String::from_utf8_lossy(bytes).into_owned()),
            Self::Long => bytes.try_into().ok().map(|raw| i64::from_be_bytes(raw).to_string()),
            Self::Json => serde_json::from_slice::<serde_json::Value>(bytes)
                .ok()
                .map(|value| value.to_string()),
            Self::Hex => Some(hex(bytes)),
        };
        text.unwrap_or_else(|| format!("0x{}", hex(bytes)))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Bytes> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_shown_again() {
        for (format, text, shown) in [
            (Format::String, "žluťoučký", "žluťoučký"),
            (Format::Long, "-42", "-42"),
            (Format::Json, "{ \"a\": [1, 2] }", "{\"a\":[1,2]}"),
            (Format::Hex, "00ffA0", "00ffa0"),
        ] {
            let bytes = format.encode(text).expect("valid");
            assert_eq!(format.decode(Some(&bytes)), shown);
        }
        assert_eq!(Format::Long.encode("1").expect("valid").as_ref(), [0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn what_is_no_long_or_json_is_refused_or_shown_as_bytes() {
        assert_eq!(Format::Long.encode("1.5"), Err(FormatError::Long("1.5".into())));
        assert!(matches!(Format::Json.encode("{"), Err(FormatError::Json { .. })));
        assert_eq!(Format::Hex.encode("abc"), Err(FormatError::Hex("abc".into())));
        assert_eq!(Format::Long.decode(Some(b"abc")), "0x616263");
        assert_eq!(Format::Json.decode(Some(b"{")), "0x7b");
        assert_eq!(Format::String.decode(None), "null");
    }
}
