//! The value that flows between processors. Cloning is cheap: text and bytes share their buffer with
//! the fetched batch, lists and maps are counted.

use crate::Type;
use bytes::Bytes;
use protocol::Str;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::{self, SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Ordered, so that the same map always has the same bytes (a map may be a key).
pub type Map = BTreeMap<Str, Value>;

/// A key or value while it is processed.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Absent on the wire: a tombstone when it is a value.
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    String(Str),
    Bytes(Bytes),
    List(Arc<Vec<Value>>),
    Map(Arc<Map>),
}

impl Value {
    /// A string that copies `text`.
    pub fn text(text: &str) -> Value {
        Value::String(Str::copy(text))
    }

    pub fn list(elements: Vec<Value>) -> Value {
        Value::List(Arc::new(elements))
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The type of this very value; an empty list is a list of `dyn`, as is a mixed one.
    pub fn type_of(&self) -> Type {
        match self {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Double(_) => Type::Double,
            Value::String(_) => Type::String,
            Value::Bytes(_) => Type::Bytes,
            Value::List(elements) => Type::list(common_type(elements.iter())),
            Value::Map(map) => Type::map(common_type(map.values())),
        }
    }

    /// Equality as CEL has it: numbers compare by value across `int` and `double`.
    pub fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Int(a), Value::Double(b)) | (Value::Double(b), Value::Int(a)) => {
                *a as f64 == *b
            }
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals(b))
            }
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b.iter()).all(|((k, a), (l, b))| k == l && a.equals(b))
            }
            (a, b) => a == b,
        }
    }
}

fn common_type<'a>(values: impl Iterator<Item = &'a Value>) -> Type {
    let mut common: Option<Type> = None;
    for value in values {
        let next = value.type_of();
        common = match common {
            None => Some(next),
            Some(known) => known.join(&next),
        };
        if common.is_none() {
            return Type::Dyn;
        }
    }
    common.unwrap_or(Type::Dyn)
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Double(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::text(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::String(Str::from(value))
    }
}

/// As JSON, for messages and test reports; bytes are shown as `b"…"`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bytes(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            other => match serde_json::to_string(other) {
                Ok(json) => f.write_str(&json),
                Err(_) => write!(f, "{other:?}"),
            },
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Double(value) if value.is_finite() => serializer.serialize_f64(*value),
            Value::Double(value) => Err(ser::Error::custom(format!("{value} is not JSON"))),
            Value::String(text) => serializer.serialize_str(text),
            Value::Bytes(_) => {
                Err(ser::Error::custom("bytes are not JSON: use string(…) on them first"))
            }
            Value::List(elements) => {
                let mut seq = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements.iter() {
                    seq.serialize_element(element)?;
                }
                seq.end()
            }
            Value::Map(map) => {
                let mut out = serializer.serialize_map(Some(map.len()))?;
                for (key, value) in map.iter() {
                    out.serialize_entry::<str, _>(key, value)?;
                }
                out.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    /// Above `int`'s range a number becomes a double, as it does in JavaScript.
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Double(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Double(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::text(value))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Value::list(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, value)) = access.next_entry::<String, Value>()? {
            map.insert(Str::from(key), value);
        }
        Ok(Value::Map(Arc::new(map)))
    }
}
