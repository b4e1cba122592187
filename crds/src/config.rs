//! Maps of configuration keys, as every kind has one.
//!
//! A value is a string or a whole number: `retention.ms: 60000` and `retention.ms: "60000"` are the same.
//! A boolean must be quoted, because the API server cannot be told to take all three.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserializer;
use serde::de::{Deserialize, Error, MapAccess, Visitor};

/// Most keys that one object may set.
pub const MAX_KEYS: usize = 256;

/// Reads a map whose values are strings or whole numbers, all kept as strings.
///
/// # Errors
/// A value of another type, or more than [`MAX_KEYS`] keys.
pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<String, String>, D::Error> {
    d.deserialize_map(ConfigVisitor)
}

pub(crate) fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": MAX_KEYS,
        "additionalProperties": {"x-kubernetes-int-or-string": true},
    })
}

struct ConfigVisitor;

impl<'de> Visitor<'de> for ConfigVisitor {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of configuration keys to strings or whole numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, ConfigValue>()? {
            if all.len() == MAX_KEYS {
                return Err(A::Error::custom(format!("more than {MAX_KEYS} configuration keys")));
            }
            all.insert(key, value.0);
        }
        Ok(all)
    }
}

struct ConfigValue(String);

impl<'de> Deserialize<'de> for ConfigValue {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ValueVisitor).map(ConfigValue)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a whole number (write other values in quotes)")
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<String, E> {
        Ok(v.to_owned())
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<String, E> {
        Ok(v.to_string())
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<String, E> {
        Ok(v.to_string())
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<String, E> {
        Err(E::custom(format!("a configuration value must be a string: write \"{v}\" in quotes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Result<BTreeMap<String, String>, serde_json::Error> {
        deserialize(json)
    }

    #[test]
    fn numbers_and_strings_are_the_same() {
        let read = read(serde_json::json!({"a": 5, "b": "5", "c": -1})).unwrap();
        assert_eq!(read["a"], "5");
        assert_eq!(read["b"], "5");
        assert_eq!(read["c"], "-1");
    }

    #[test]
    fn a_boolean_says_what_to_write() {
        let error = read(serde_json::json!({"a": true})).unwrap_err().to_string();
        assert!(error.contains("write \"true\" in quotes"), "{error}");
    }
}
