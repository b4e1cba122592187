//! Connect values to JSON text, written straight into the record's bytes.

use serde_json::Value as Json;

use super::DecimalFormat;
use crate::api::{DataError, Schema, Type, Value, logical};
use crate::converters::base64;

#[derive(Clone, Copy, Debug)]
pub(super) struct Encoder {
    pub(super) decimals: DecimalFormat,
    pub(super) replace_null: bool,
}

impl Encoder {
    /// Appends the JSON of a value.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        schema: Option<&Schema>,
        value: &Value,
    ) -> Result<(), DataError> {
        if let (Some(schema), Some(type_)) = (schema, value.type_())
            && schema.type_() != type_
        {
            return Err(DataError::new(format!(
                "a {type_} is no value of a {} schema",
                schema.type_()
            )));
        }
        match value {
            Value::Null => return self.write_null(out, schema),
            Value::Int8(number) => text(out, &number.to_string()),
            Value::Int16(number) => text(out, &number.to_string()),
            Value::Int32(number) => text(out, &number.to_string()),
            Value::Int64(number) => text(out, &number.to_string()),
            Value::Float32(number) if number.is_finite() => json(out, number)?,
            Value::Float64(number) if number.is_finite() => json(out, number)?,
            Value::Float32(number) => json(out, not_finite(f64::from(*number)))?,
            Value::Float64(number) => json(out, not_finite(*number))?,
            Value::Boolean(value) => text(out, if *value { "true" } else { "false" }),
            Value::String(value) => json(out, &**value)?,
            Value::Bytes(bytes) => self.write_bytes(out, schema, bytes)?,
            Value::Array(items) => {
                let item = schema.and_then(Schema::value_schema);
                list(out, b"[", b"]", items, |out, value| self.write(out, item, value))?;
            }
            Value::Map(pairs) => self.write_map(out, schema, pairs)?,
            Value::Struct(inner) => {
                let fields: Vec<_> = inner.schema().fields().iter().zip(inner.values()).collect();
                list(out, b"{", b"}", &fields, |out, (field, value)| {
                    json(out, &field.name)?;
                    out.push(b':');
                    self.write(out, Some(&field.schema), value)
                })?;
            }
        }
        Ok(())
    }

    fn write_null(&self, out: &mut Vec<u8>, schema: Option<&Schema>) -> Result<(), DataError> {
        match schema {
            Some(schema) => match schema.default_value() {
                Some(default) if self.replace_null && !default.is_null() => {
                    self.write(out, Some(schema), default)
                }
                _ if schema.is_optional() => {
                    text(out, "null");
                    Ok(())
                }
                _ => Err(DataError::new(
                    "Conversion error: null value for field that is required and has no default value",
                )),
            },
            None => {
                text(out, "null");
                Ok(())
            }
        }
    }

    fn write_bytes(
        &self,
        out: &mut Vec<u8>,
        schema: Option<&Schema>,
        bytes: &[u8],
    ) -> Result<(), DataError> {
        let scale = schema.and_then(logical::decimal_scale);
        match scale {
            Some(scale) if self.decimals == DecimalFormat::Numeric => {
                let digits = logical::decimal_to_string(bytes, scale)
                    .ok_or_else(|| DataError::new("a decimal of no or of too many bytes"))?;
                text(out, &digits);
                Ok(())
            }
            _ => json(out, base64::encode(bytes)),
        }
    }

    /// A map is an object when its keys are strings, else an array of pairs.
    fn write_map(
        &self,
        out: &mut Vec<u8>,
        schema: Option<&Schema>,
        pairs: &[(Value, Value)],
    ) -> Result<(), DataError> {
        let (keys, values) =
            (schema.and_then(Schema::key_schema), schema.and_then(Schema::value_schema));
        let object = match keys {
            Some(keys) => keys.type_() == Type::String,
            None => pairs.iter().all(|(key, _)| matches!(key, Value::String(_))),
        };
        if object {
            list(out, b"{", b"}", pairs, |out, (key, value)| {
                let Value::String(key) = key else {
                    return Err(DataError::new("a map of string keys holds another key"));
                };
                json(out, &**key)?;
                out.push(b':');
                self.write(out, values, value)
            })
        } else {
            list(out, b"[", b"]", pairs, |out, (key, value)| {
                out.push(b'[');
                self.write(out, keys, key)?;
                out.push(b',');
                self.write(out, values, value)?;
                out.push(b']');
                Ok(())
            })
        }
    }
}

/// A schema's default as a JSON tree; null when it is no value of its schema.
pub(super) fn to_json(schema: &Schema, value: &Value, decimals: DecimalFormat) -> Json {
    let mut out = Vec::new();
    match (Encoder { decimals, replace_null: false }).write(&mut out, Some(schema), value) {
        Ok(()) => serde_json::from_slice(&out).unwrap_or(Json::Null),
        Err(_) => Json::Null,
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn json(out: &mut Vec<u8>, value: impl serde::Serialize) -> Result<(), DataError> {
    serde_json::to_writer(out, &value).map_err(|e| DataError::new(e.to_string()))
}

fn not_finite(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn list<T>(
    out: &mut Vec<u8>,
    open: &[u8],
    close: &[u8],
    items: &[T],
    each: impl Fn(&mut Vec<u8>, &T) -> Result<(), DataError>,
) -> Result<(), DataError> {
    out.extend_from_slice(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        each(out, item)?;
    }
    out.extend_from_slice(close);
    Ok(())
}
