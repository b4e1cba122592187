//! JSON to Connect values.

use bytes::Bytes;
use protocol::Str;
use serde_json::Value as Json;

use crate::api::{DataError, Schema, Struct, Type, Value, logical};
use crate::converters::base64;

/// Reads a value, by its schema where there is one. Its depth is bounded by the JSON parser's.
pub(super) fn value(
    schema: Option<&Schema>,
    json: &Json,
    replace_null: bool,
) -> Result<Value, DataError> {
    let Some(schema) = schema else { return Ok(schemaless(json)) };
    if json.is_null() {
        return match schema.default_value() {
            Some(default) if replace_null => Ok(default.clone()),
            _ if schema.is_optional() => Ok(Value::Null),
            _ => Err(DataError::new(format!(
                "Invalid null value for required {} field",
                schema.type_()
            ))),
        };
    }
    let wrong = || DataError::new(format!("{} is no {}", shortened(json), schema.type_()));
    Ok(match schema.type_() {
        Type::Int8 => Value::Int8(integer(json).ok_or_else(wrong)?),
        Type::Int16 => Value::Int16(integer(json).ok_or_else(wrong)?),
        Type::Int32 => Value::Int32(integer(json).ok_or_else(wrong)?),
        Type::Int64 => Value::Int64(integer(json).ok_or_else(wrong)?),
        Type::Float32 => Value::Float32(float(json).ok_or_else(wrong)? as f32),
        Type::Float64 => Value::Float64(float(json).ok_or_else(wrong)?),
        Type::Boolean => Value::Boolean(json.as_bool().ok_or_else(wrong)?),
        Type::String => Value::String(Str::copy(json.as_str().ok_or_else(wrong)?)),
        Type::Bytes => Value::Bytes(binary(schema, json).ok_or_else(wrong)?),
        Type::Array => {
            let items = json.as_array().ok_or_else(wrong)?.iter();
            let item = schema.value_schema();
            Value::Array(
                items.map(|json| value(item, json, replace_null)).collect::<Result<_, _>>()?,
            )
        }
        Type::Map => map(schema, json, replace_null)?,
        Type::Struct => {
            let object = json.as_object().ok_or_else(wrong)?;
            let values = schema.fields().iter().map(|field| {
                let json = object.get(&field.name).unwrap_or(&Json::Null);
                value(Some(&field.schema), json, replace_null)
                    .map_err(|e| DataError::new(format!("field \"{}\": {e}", field.name)))
            });
            Value::Struct(Struct::new(schema.clone(), values.collect::<Result<_, _>>()?)?)
        }
    })
}

fn schemaless(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int64(number),
            None => Value::Float64(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(Str::copy(text)),
        Json::Array(items) => Value::Array(items.iter().map(schemaless).collect()),
        Json::Object(fields) => Value::Map(
            fields.iter().map(|(key, json)| (Value::string(key), schemaless(json))).collect(),
        ),
    }
}

fn integer<T: TryFrom<i64>>(json: &Json) -> Option<T> {
    T::try_from(json.as_i64()?).ok()
}

fn float(json: &Json) -> Option<f64> {
    match json {
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        other => other.as_f64(),
    }
}

/// Bytes are base64; a decimal may be a number as well.
fn binary(schema: &Schema, json: &Json) -> Option<Bytes> {
    let bytes = match (json, logical::decimal_scale(schema)) {
        (Json::Number(number), Some(scale)) => {
            logical::decimal_from_str(&number.to_string(), scale)?
        }
        (Json::String(text), _) => base64::decode(text)?,
        _ => return None,
    };
    Some(Bytes::from(bytes))
}

fn map(schema: &Schema, json: &Json, replace_null: bool) -> Result<Value, DataError> {
    let (keys, values) = (schema.key_schema(), schema.value_schema());
    let pairs: Result<Vec<(Value, Value)>, DataError> = match json {
        Json::Object(fields) if keys.is_none_or(|keys| keys.type_() == Type::String) => fields
            .iter()
            .map(|(key, json)| Ok((Value::string(key), value(values, json, replace_null)?)))
            .collect(),
        Json::Array(pairs) if keys.is_none_or(|keys| keys.type_() != Type::String) => pairs
            .iter()
            .map(|pair| match pair.as_array().map(Vec::as_slice) {
                Some([key, json]) => {
                    Ok((value(keys, key, replace_null)?, value(values, json, replace_null)?))
                }
                _ => Err(DataError::new("an entry of a map is an array of a key and a value")),
            })
            .collect(),
        _ => Err(DataError::new(
            "a map of string keys is a JSON object, a map of other keys is an array of pairs",
        )),
    };
    Ok(Value::Map(pairs?))
}

/// Longest part of a broken value that an error shows.
const MAX_SHOWN: usize = 60;

fn shortened(json: &Json) -> String {
    let text = json.to_string();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
