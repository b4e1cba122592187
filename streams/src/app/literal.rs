//! Literals of embedded tests as keys and values.

use crate::{Serde, Value};

/// `literal` as a value of a topic's type, or what it should have been.
pub(super) fn typed(literal: &serde_json::Value, serde: Serde) -> Result<Value, String> {
    use serde_json::Value as Json;
    Ok(match (serde, literal) {
        (_, Json::Null) => Value::Null,
        (Serde::String, Json::String(text)) => Value::text(text),
        (Serde::Long, Json::Number(number)) => {
            Value::Int(number.as_i64().ok_or_else(|| format!("{number} is not a long"))?)
        }
        (Serde::Double, Json::Number(number)) => {
            Value::Double(number.as_f64().ok_or_else(|| format!("{number} is not a double"))?)
        }
        (Serde::Boolean, Json::Bool(value)) => Value::Bool(*value),
        (Serde::Bytes, Json::String(text)) => {
            Value::Bytes(bytes::Bytes::copy_from_slice(text.as_bytes()))
        }
        (Serde::Json, literal) => {
            serde_json::from_value(literal.clone()).map_err(|e| e.to_string())?
        }
        (serde, literal) => {
            let hint = match (serde, literal) {
                (Serde::String, _) => format!("; write \"{literal}\""),
                _ => String::new(),
            };
            return Err(format!("{literal} is not a {serde}{hint}"));
        }
    })
}
