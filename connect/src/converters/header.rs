//! `org.apache.kafka.connect.storage.SimpleHeaderConverter`: header values as text, with their type guessed back.

use bytes::Bytes;
use protocol::Str;

use super::text;
use crate::api::{DataError, HeaderConverter, Schema, SchemaAndValue, Value};

/// Writes the text of a value. Reads `true` and `false` as booleans, whole numbers as the narrowest integer that holds
/// them, other numbers as doubles, and everything else as a string. Kafka also guesses arrays, maps and dates; those
/// stay strings here.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimpleHeaderConverter;

impl HeaderConverter for SimpleHeaderConverter {
    fn from_connect(&self, value: &SchemaAndValue) -> Result<Option<Bytes>, DataError> {
        Ok(match &value.value {
            Value::Null => None,
            other => {
                let mut bytes = Vec::new();
                text::append(&mut bytes, other);
                Some(Bytes::from(bytes))
            }
        })
    }

    fn to_connect(&self, bytes: Option<&Bytes>) -> Result<SchemaAndValue, DataError> {
        let Some(bytes) = bytes else { return Ok(SchemaAndValue::NULL) };
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Ok(SchemaAndValue::new(Schema::bytes(), Value::Bytes(bytes.clone())));
        };
        Ok(guess(text))
    }
}

fn guess(text: &str) -> SchemaAndValue {
    match text {
        "null" => return SchemaAndValue::NULL,
        "true" => return SchemaAndValue::new(Schema::boolean(), Value::Boolean(true)),
        "false" => return SchemaAndValue::new(Schema::boolean(), Value::Boolean(false)),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return integer(number);
    }
    let looks_like_a_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    match text.parse::<f64>() {
        Ok(number) if looks_like_a_number && number.is_finite() => {
            SchemaAndValue::new(Schema::float64(), Value::Float64(number))
        }
        _ => SchemaAndValue::new(Schema::string(), Value::String(Str::copy(text))),
    }
}

fn integer(number: i64) -> SchemaAndValue {
    if let Ok(number) = i8::try_from(number) {
        SchemaAndValue::new(Schema::int8(), Value::Int8(number))
    } else if let Ok(number) = i16::try_from(number) {
        SchemaAndValue::new(Schema::int16(), Value::Int16(number))
    } else if let Ok(number) = i32::try_from(number) {
        SchemaAndValue::new(Schema::int32(), Value::Int32(number))
    } else {
        SchemaAndValue::new(Schema::int64(), Value::Int64(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_guessed_from_the_text() {
        for (text, value) in [
            ("true", Value::Boolean(true)),
            ("12", Value::Int8(12)),
            ("-300", Value::Int16(-300)),
            ("70000", Value::Int32(70_000)),
            ("3000000000", Value::Int64(3_000_000_000)),
            ("1.5", Value::Float64(1.5)),
            ("inf", Value::string("inf")),
            ("hello", Value::string("hello")),
            ("null", Value::Null),
        ] {
            let bytes = Bytes::from_static(text.as_bytes());
            let back = SimpleHeaderConverter.to_connect(Some(&bytes)).unwrap();
            assert_eq!(back.value, value);
        }
        let raw = Bytes::from_static(&[0xff]);
        let back = SimpleHeaderConverter.to_connect(Some(&raw)).unwrap();
        assert_eq!(SimpleHeaderConverter.from_connect(&back), Ok(Some(raw)));
    }
}
