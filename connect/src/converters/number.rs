//! The converters of fixed width: `Short`, `Integer`, `Long`, `Float`, `Double` and `Boolean` in big-endian bytes.

use bytes::Bytes;

use crate::api::{
    Converter, ConverterPlugin, DataError, Role, Schema, SchemaAndValue, Type, Value,
};
use crate::config::{Config, ConfigDef};

/// A converter of one fixed-width type.
#[derive(Clone, Copy, Debug)]
pub struct FixedConverter {
    name: &'static str,
    type_: Type,
}

impl Converter for FixedConverter {
    fn from_connect(
        &self,
        _topic: &str,
        value: &SchemaAndValue,
    ) -> Result<Option<Bytes>, DataError> {
        let value = &value.value;
        if value.is_null() {
            return Ok(None);
        }
        let bytes = match (self.type_, value) {
            (Type::Int16, Value::Int16(v)) => Bytes::copy_from_slice(&v.to_be_bytes()),
            (Type::Int32, Value::Int32(v)) => Bytes::copy_from_slice(&v.to_be_bytes()),
            (Type::Int64, Value::Int64(v)) => Bytes::copy_from_slice(&v.to_be_bytes()),
            (Type::Float32, Value::Float32(v)) => Bytes::copy_from_slice(&v.to_be_bytes()),
            (Type::Float64, Value::Float64(v)) => Bytes::copy_from_slice(&v.to_be_bytes()),
            (Type::Boolean, Value::Boolean(v)) => Bytes::copy_from_slice(&[u8::from(*v)]),
            _ => {
                return Err(DataError::new(format!(
                    "{} writes {}, not {}",
                    self.name,
                    self.type_,
                    value.type_().map_or("null", |type_| type_.name())
                )));
            }
        };
        Ok(Some(bytes))
    }

    fn to_connect(&self, _topic: &str, bytes: Option<&Bytes>) -> Result<SchemaAndValue, DataError> {
        let (schema, width) = self.shape();
        let Some(bytes) = bytes else {
            return Ok(SchemaAndValue::new(schema, Value::Null));
        };
        let value = self.read(bytes).ok_or_else(|| {
            let type_ = self.type_;
            match type_ {
                Type::Boolean => DataError::new("a boolean is one byte, 0 or 1"),
                _ => DataError::new(format!(
                    "Failed to deserialize {type_}: Size of data received is {}, not {width}",
                    bytes.len()
                )),
            }
        })?;
        Ok(SchemaAndValue::new(schema, value))
    }
}

impl FixedConverter {
    fn shape(&self) -> (Schema, usize) {
        match self.type_ {
            Type::Int16 => (Schema::optional_int16(), 2),
            Type::Int32 => (Schema::optional_int32(), 4),
            Type::Float32 => (Schema::optional_float32(), 4),
            Type::Float64 => (Schema::optional_float64(), 8),
            Type::Boolean => (Schema::optional_boolean(), 1),
            _ => (Schema::optional_int64(), 8),
        }
    }

    fn read(&self, bytes: &[u8]) -> Option<Value> {
        Some(match self.type_ {
            Type::Int16 => Value::Int16(i16::from_be_bytes(bytes.try_into().ok()?)),
            Type::Int32 => Value::Int32(i32::from_be_bytes(bytes.try_into().ok()?)),
            Type::Float32 => Value::Float32(f32::from_be_bytes(bytes.try_into().ok()?)),
            Type::Float64 => Value::Float64(f64::from_be_bytes(bytes.try_into().ok()?)),
            Type::Boolean => match bytes {
                [0] => Value::Boolean(false),
                [1] => Value::Boolean(true),
                _ => return None,
            },
            _ => Value::Int64(i64::from_be_bytes(bytes.try_into().ok()?)),
        })
    }
}

/// A fixed-width converter as a plugin.
#[derive(Clone, Copy, Debug)]
pub struct FixedPlugin(FixedConverter);

impl FixedPlugin {
    pub const SHORT: FixedPlugin = FixedPlugin::new("ShortConverter", Type::Int16);
    pub const INTEGER: FixedPlugin = FixedPlugin::new("IntegerConverter", Type::Int32);
    pub const LONG: FixedPlugin = FixedPlugin::new("LongConverter", Type::Int64);
    pub const FLOAT: FixedPlugin = FixedPlugin::new("FloatConverter", Type::Float32);
    pub const DOUBLE: FixedPlugin = FixedPlugin::new("DoubleConverter", Type::Float64);
    pub const BOOLEAN: FixedPlugin = FixedPlugin::new("BooleanConverter", Type::Boolean);

    const fn new(name: &'static str, type_: Type) -> FixedPlugin {
        FixedPlugin(FixedConverter { name, type_ })
    }
}

impl ConverterPlugin for FixedPlugin {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }

    fn make(&self, _role: Role, _config: &Config) -> Result<Box<dyn Converter>, DataError> {
        Ok(Box::new(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_goes_both_ways() {
        for (plugin, value) in [
            (FixedPlugin::SHORT, Value::Int16(-2)),
            (FixedPlugin::INTEGER, Value::Int32(-2)),
            (FixedPlugin::LONG, Value::Int64(-2)),
            (FixedPlugin::FLOAT, Value::Float32(0.5)),
            (FixedPlugin::DOUBLE, Value::Float64(0.5)),
            (FixedPlugin::BOOLEAN, Value::Boolean(true)),
        ] {
            let converter = plugin.make(Role::Value, &Config::new()).unwrap();
            let input = SchemaAndValue { schema: None, value: value.clone() };
            let bytes = converter.from_connect("t", &input).unwrap();
            assert_eq!(converter.to_connect("t", bytes.as_ref()).unwrap().value, value);
            assert_eq!(converter.from_connect("t", &SchemaAndValue::NULL), Ok(None));
            let wrong = SchemaAndValue { schema: None, value: Value::string("1") };
            assert!(converter.from_connect("t", &wrong).is_err());
            assert!(converter.to_connect("t", Some(&Bytes::from_static(b"abc"))).is_err());
        }
    }

    #[test]
    fn long_is_kafkas_eight_bytes() {
        let converter = FixedPlugin::LONG.make(Role::Value, &Config::new()).unwrap();
        let bytes = Bytes::from_static(&[0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(converter.to_connect("t", Some(&bytes)).unwrap().value, Value::Int64(256));
        let error = converter.to_connect("t", Some(&Bytes::from_static(b"7"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Failed to deserialize int64: Size of data received is 1, not 8"
        );
    }
}
