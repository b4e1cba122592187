//! `org.apache.kafka.connect.storage.StringConverter`: UTF-8 text.

use bytes::Bytes;
use protocol::Str;

use super::text;
use crate::api::{
    Converter, ConverterPlugin, DataError, HeaderConverter, Role, Schema, SchemaAndValue, Value,
};
use crate::config::{Config, ConfigDef, ConfigKey, ConfigType, Importance, Validator};

/// Writes the text of any value; reads bytes as text, with U+FFFD for what is no UTF-8, as Kafka does.
#[derive(Clone, Copy, Debug, Default)]
pub struct StringConverter;

impl Converter for StringConverter {
    fn from_connect(
        &self,
        _topic: &str,
        value: &SchemaAndValue,
    ) -> Result<Option<Bytes>, DataError> {
        Ok(to_bytes(&value.value))
    }

    fn to_connect(&self, _topic: &str, bytes: Option<&Bytes>) -> Result<SchemaAndValue, DataError> {
        Ok(from_bytes(bytes))
    }
}

impl HeaderConverter for StringConverter {
    fn from_connect(&self, value: &SchemaAndValue) -> Result<Option<Bytes>, DataError> {
        Ok(to_bytes(&value.value))
    }

    fn to_connect(&self, bytes: Option<&Bytes>) -> Result<SchemaAndValue, DataError> {
        Ok(from_bytes(bytes))
    }
}

fn to_bytes(value: &Value) -> Option<Bytes> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Bytes(bytes) => Some(bytes.clone()),
        other => Some(Bytes::from(text::to_string(other))),
    }
}

fn from_bytes(bytes: Option<&Bytes>) -> SchemaAndValue {
    let value = match bytes {
        None => Value::Null,
        Some(bytes) => Value::String(match Str::from_utf8(bytes.clone()) {
            Ok(text) => text,
            Err(_) => Str::from(String::from_utf8_lossy(bytes).into_owned()),
        }),
    };
    SchemaAndValue::new(Schema::optional_string(), value)
}

/// `StringConverter` as a plugin.
#[derive(Clone, Copy, Debug)]
pub struct StringPlugin;

impl ConverterPlugin for StringPlugin {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::with_default("converter.encoding", ConfigType::String, "UTF-8")
                .doc(Importance::High, "The character set of the text; only UTF-8 is supported.")
                .check(Validator::Custom(|name| {
                    if name.eq_ignore_ascii_case("UTF-8") || name.eq_ignore_ascii_case("UTF8") {
                        Ok(())
                    } else {
                        Err("only UTF-8 is supported".to_owned())
                    }
                })),
        )
    }

    fn make(&self, _role: Role, _config: &Config) -> Result<Box<dyn Converter>, DataError> {
        Ok(Box::new(StringConverter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_both_ways_and_anything_becomes_text() {
        let text = SchemaAndValue::new(Schema::string(), Value::string("čau"));
        let bytes = Converter::from_connect(&StringConverter, "t", &text).unwrap();
        let back = Converter::to_connect(&StringConverter, "t", bytes.as_ref()).unwrap();
        assert_eq!(back, SchemaAndValue::new(Schema::optional_string(), Value::string("čau")));

        let number = SchemaAndValue { schema: None, value: Value::Int64(7) };
        let bytes = Converter::from_connect(&StringConverter, "t", &number).unwrap();
        assert_eq!(bytes, Some(Bytes::from_static(b"7")));
        let nothing = Converter::from_connect(&StringConverter, "t", &SchemaAndValue::NULL);
        assert_eq!(nothing, Ok(None));
    }

    #[test]
    fn bytes_that_are_no_utf8_are_replaced_as_in_java() {
        let bad = Bytes::from_static(b"a\xffb");
        let value = Converter::to_connect(&StringConverter, "t", Some(&bad)).unwrap().value;
        assert_eq!(value, Value::string("a\u{fffd}b"));
    }
}
