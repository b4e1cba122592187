//! `org.apache.kafka.connect.converters.ByteArrayConverter`: bytes as they are.

use bytes::Bytes;

use crate::api::{
    Converter, ConverterPlugin, DataError, HeaderConverter, Role, Schema, SchemaAndValue, Value,
};
use crate::config::{Config, ConfigDef};

#[derive(Clone, Copy, Debug, Default)]
pub struct ByteArrayConverter;

fn to_bytes(value: &SchemaAndValue) -> Result<Option<Bytes>, DataError> {
    match &value.value {
        Value::Null => Ok(None),
        Value::Bytes(bytes) => Ok(Some(bytes.clone())),
        other => Err(DataError::new(format!(
            "ByteArrayConverter writes bytes, not {}",
            other.type_().map_or("null", |type_| type_.name())
        ))),
    }
}

fn from_bytes(bytes: Option<&Bytes>) -> SchemaAndValue {
    let value = bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.clone()));
    SchemaAndValue::new(Schema::optional_bytes(), value)
}

impl Converter for ByteArrayConverter {
    fn from_connect(
        &self,
        _topic: &str,
        value: &SchemaAndValue,
    ) -> Result<Option<Bytes>, DataError> {
        to_bytes(value)
    }

    fn to_connect(&self, _topic: &str, bytes: Option<&Bytes>) -> Result<SchemaAndValue, DataError> {
        Ok(from_bytes(bytes))
    }
}

impl HeaderConverter for ByteArrayConverter {
    fn from_connect(&self, value: &SchemaAndValue) -> Result<Option<Bytes>, DataError> {
        to_bytes(value)
    }

    fn to_connect(&self, bytes: Option<&Bytes>) -> Result<SchemaAndValue, DataError> {
        Ok(from_bytes(bytes))
    }
}

/// `ByteArrayConverter` as a plugin.
#[derive(Clone, Copy, Debug)]
pub struct ByteArrayPlugin;

impl ConverterPlugin for ByteArrayPlugin {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }

    fn make(&self, _role: Role, _config: &Config) -> Result<Box<dyn Converter>, DataError> {
        Ok(Box::new(ByteArrayConverter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_are_written() {
        let converter = ByteArrayConverter;
        let bytes = Bytes::from_static(&[0, 255]);
        let value = Converter::to_connect(&converter, "t", Some(&bytes)).unwrap();
        assert_eq!(Converter::from_connect(&converter, "t", &value), Ok(Some(bytes)));
        let text = SchemaAndValue::new(Schema::string(), Value::string("a"));
        let error = Converter::from_connect(&converter, "t", &text).unwrap_err();
        assert_eq!(error.to_string(), "ByteArrayConverter writes bytes, not string");
    }
}
