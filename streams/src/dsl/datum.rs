//! Rust types as keys and values.

use crate::{Serde, Value};
use bytes::Bytes;
use protocol::Str;

/// A type that keys and values can have.
pub trait Datum: Sized + Send + Sync + 'static {
    /// How it is written in a topic.
    const SERDE: Serde;

    fn from_value(value: &Value) -> Result<Self, DatumError>;

    fn into_value(self) -> Value;
}

/// A key or value that is null, or of another type than the closure takes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{found} where {wanted} is expected")]
pub struct DatumError {
    found: String,
    wanted: &'static str,
}

fn error<T>(value: &Value, wanted: &'static str) -> Result<T, DatumError> {
    Err(DatumError { found: value.type_of().to_string(), wanted })
}

impl Datum for String {
    const SERDE: Serde = Serde::String;

    fn from_value(value: &Value) -> Result<String, DatumError> {
        match value {
            Value::String(text) => Ok(text.as_str().to_owned()),
            other => error(other, "a string"),
        }
    }

    fn into_value(self) -> Value {
        Value::from(self)
    }
}

/// Text without a copy.
impl Datum for Str {
    const SERDE: Serde = Serde::String;

    fn from_value(value: &Value) -> Result<Str, DatumError> {
        match value {
            Value::String(text) => Ok(text.clone()),
            other => error(other, "a string"),
        }
    }

    fn into_value(self) -> Value {
        Value::String(self)
    }
}

impl Datum for i64 {
    const SERDE: Serde = Serde::Long;

    fn from_value(value: &Value) -> Result<i64, DatumError> {
        match value {
            Value::Int(value) => Ok(*value),
            other => error(other, "a long"),
        }
    }

    fn into_value(self) -> Value {
        Value::Int(self)
    }
}

impl Datum for f64 {
    const SERDE: Serde = Serde::Double;

    fn from_value(value: &Value) -> Result<f64, DatumError> {
        match value {
            Value::Double(value) => Ok(*value),
            other => error(other, "a double"),
        }
    }

    fn into_value(self) -> Value {
        Value::Double(self)
    }
}

impl Datum for bool {
    const SERDE: Serde = Serde::Boolean;

    fn from_value(value: &Value) -> Result<bool, DatumError> {
        match value {
            Value::Bool(value) => Ok(*value),
            other => error(other, "a boolean"),
        }
    }

    fn into_value(self) -> Value {
        Value::Bool(self)
    }
}

impl Datum for Bytes {
    const SERDE: Serde = Serde::Bytes;

    fn from_value(value: &Value) -> Result<Bytes, DatumError> {
        match value {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            other => error(other, "bytes"),
        }
    }

    fn into_value(self) -> Value {
        Value::Bytes(self)
    }
}

/// Any JSON value.
impl Datum for Value {
    const SERDE: Serde = Serde::Json;

    fn from_value(value: &Value) -> Result<Value, DatumError> {
        Ok(value.clone())
    }

    fn into_value(self) -> Value {
        self
    }
}

/// What may be null.
impl<T: Datum> Datum for Option<T> {
    const SERDE: Serde = T::SERDE;

    fn from_value(value: &Value) -> Result<Option<T>, DatumError> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }

    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}
