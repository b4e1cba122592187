//! Serdes: how a key or value is written in a topic. Formats are those of Kafka's own serializers.

use crate::{Type, Value};
use bytes::Bytes;
use protocol::Str;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The format of a topic's keys or values. Null is an absent key or value in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Serde {
    /// UTF-8 (`StringSerializer`).
    #[default]
    String,
    /// 8 bytes, big endian (`LongSerializer`).
    Long,
    /// 8 bytes, IEEE 754, big endian (`DoubleSerializer`).
    Double,
    /// One byte, 0 or 1 (`BooleanSerializer`).
    Boolean,
    /// JSON without a schema.
    Json,
    /// As they are.
    Bytes,
}

/// A key or value that is not what its topic's type says.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum SerdeError {
    #[error("{length} bytes are not a {serde}: it has {wanted}")]
    Length { serde: Serde, length: usize, wanted: usize },
    #[error("not UTF-8: {0}")]
    Utf8(String),
    #[error("byte {0:#04x} is not a boolean (00 or 01)")]
    Boolean(u8),
    #[error("not JSON: {0}")]
    Json(String),
    #[error("a {found} cannot be written as {serde}")]
    Type { serde: Serde, found: Type },
}

impl Serde {
    pub const ALL: [Serde; 6] =
        [Serde::String, Serde::Long, Serde::Double, Serde::Boolean, Serde::Json, Serde::Bytes];

    /// The name in a `StreamsApp`.
    pub fn name(self) -> &'static str {
        match self {
            Serde::String => "string",
            Serde::Long => "long",
            Serde::Double => "double",
            Serde::Boolean => "boolean",
            Serde::Json => "json",
            Serde::Bytes => "bytes",
        }
    }

    pub fn from_name(name: &str) -> Option<Serde> {
        Serde::ALL.into_iter().find(|serde| serde.name() == name)
    }

    /// What an expression sees.
    pub fn type_of(self) -> Type {
        match self {
            Serde::String => Type::String,
            Serde::Long => Type::Int,
            Serde::Double => Type::Double,
            Serde::Boolean => Type::Bool,
            Serde::Json => Type::Dyn,
            Serde::Bytes => Type::Bytes,
        }
    }

    /// The serde that internal topics and stores use for values of this type.
    pub fn for_type(ty: &Type) -> Serde {
        match ty {
            Type::String => Serde::String,
            Type::Int => Serde::Long,
            Type::Double => Serde::Double,
            Type::Bool => Serde::Boolean,
            Type::Bytes => Serde::Bytes,
            Type::Null | Type::List(_) | Type::Map(_) | Type::Dyn => Serde::Json,
        }
    }

    pub fn read(self, bytes: Option<&Bytes>) -> Result<Value, SerdeError> {
        let Some(bytes) = bytes else { return Ok(Value::Null) };
        Ok(match self {
            Serde::String => Value::String(
                Str::from_utf8(bytes.clone()).map_err(|e| SerdeError::Utf8(e.to_string()))?,
            ),
            Serde::Long => Value::Int(i64::from_be_bytes(self.eight(bytes)?)),
            Serde::Double => Value::Double(f64::from_be_bytes(self.eight(bytes)?)),
            Serde::Boolean => match bytes.as_ref() {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [other] => return Err(SerdeError::Boolean(*other)),
                other => {
                    return Err(SerdeError::Length { serde: self, length: other.len(), wanted: 1 });
                }
            },
            Serde::Json => {
                serde_json::from_slice(bytes).map_err(|e| SerdeError::Json(e.to_string()))?
            }
            Serde::Bytes => Value::Bytes(bytes.clone()),
        })
    }

    fn eight(self, bytes: &Bytes) -> Result<[u8; 8], SerdeError> {
        bytes.as_ref().try_into().map_err(|_| SerdeError::Length {
            serde: self,
            length: bytes.len(),
            wanted: 8,
        })
    }

    pub fn write(self, value: &Value) -> Result<Option<Bytes>, SerdeError> {
        let bytes = match (self, value) {
            (_, Value::Null) => return Ok(None),
            (Serde::String, Value::String(text)) => text.clone().into_bytes(),
            (Serde::Long, Value::Int(value)) => Bytes::copy_from_slice(&value.to_be_bytes()),
            (Serde::Double, Value::Double(value)) => Bytes::copy_from_slice(&value.to_be_bytes()),
            // JSON writes 1.0 as 1: what was a double there comes back as an int.
            (Serde::Double, Value::Int(value)) => {
                Bytes::copy_from_slice(&(*value as f64).to_be_bytes())
            }
            (Serde::Boolean, Value::Bool(value)) => {
                Bytes::from_static(if *value { &[1] } else { &[0] })
            }
            (Serde::Json, value) => {
                Bytes::from(serde_json::to_vec(value).map_err(|e| SerdeError::Json(e.to_string()))?)
            }
            (Serde::Bytes, Value::Bytes(bytes)) => bytes.clone(),
            (serde, value) => return Err(SerdeError::Type { serde, found: value.type_of() }),
        };
        Ok(Some(bytes))
    }
}

impl fmt::Display for Serde {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_is_kafkas_eight_bytes_big_endian() {
        let bytes = Serde::Long.write(&Value::Int(258)).unwrap().unwrap();
        assert_eq!(bytes.as_ref(), &[0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(Serde::Long.read(Some(&bytes)), Ok(Value::Int(258)));
        assert_eq!(
            Serde::Long.read(Some(&Bytes::from_static(b"abc"))),
            Err(SerdeError::Length { serde: Serde::Long, length: 3, wanted: 8 })
        );
    }

    #[test]
    fn every_serde_reads_what_it_wrote() {
        let map = Map::from([(Str::from("b"), Value::Int(1)), (Str::from("a"), Value::Null)]);
        for (serde, value) in [
            (Serde::String, Value::text("žluťoučký")),
            (Serde::Long, Value::Int(i64::MIN)),
            (Serde::Double, Value::Double(-0.5)),
            (Serde::Boolean, Value::Bool(true)),
            (Serde::Json, Value::Map(std::sync::Arc::new(map))),
            (Serde::Json, Value::list(vec![Value::Bool(false), Value::Double(1.5)])),
            (Serde::Bytes, Value::Bytes(Bytes::from_static(&[0, 255]))),
        ] {
            let bytes = serde.write(&value).unwrap();
            assert_eq!(serde.read(bytes.as_ref()).unwrap(), value, "{serde}");
        }
        for serde in Serde::ALL {
            assert_eq!(serde.write(&Value::Null), Ok(None));
            assert_eq!(serde.read(None), Ok(Value::Null));
        }
    }

    #[test]
    fn broken_input_is_an_error_that_says_what_it_is() {
        let bad = Bytes::from_static(&[0xff, 0xfe]);
        for serde in [Serde::String, Serde::Long, Serde::Double, Serde::Boolean, Serde::Json] {
            assert!(serde.read(Some(&bad)).is_err(), "{serde}");
        }
        let error = Serde::Long.write(&Value::text("1")).unwrap_err();
        assert_eq!(error.to_string(), "a string cannot be written as long");
    }

    use crate::value::Map;
}
