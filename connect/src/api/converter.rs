//! The interface of converters: between the bytes in Kafka and Connect's data model.

use bytes::Bytes;

use super::error::DataError;
use super::value::SchemaAndValue;
use crate::config::{Config, ConfigDef};

/// Translates keys or values. The methods' names are Kafka's (`fromConnectData`, `toConnectData`). `topic` is there for converters that keep a schema a topic.
#[allow(clippy::wrong_self_convention)]
pub trait Converter: Send + Sync + std::fmt::Debug {
    /// To the bytes of a record's key or value; none for null.
    ///
    /// # Errors
    /// When the value is of a type that this converter does not write.
    fn from_connect(&self, topic: &str, value: &SchemaAndValue)
    -> Result<Option<Bytes>, DataError>;

    /// From the bytes of a record's key or value.
    ///
    /// # Errors
    /// When the bytes are not what this converter writes.
    fn to_connect(&self, topic: &str, bytes: Option<&Bytes>) -> Result<SchemaAndValue, DataError>;
}

/// Translates header values.
#[allow(clippy::wrong_self_convention)]
pub trait HeaderConverter: Send + Sync + std::fmt::Debug {
    /// # Errors
    /// When the value is of a type that this converter does not write.
    fn from_connect(&self, value: &SchemaAndValue) -> Result<Option<Bytes>, DataError>;

    /// # Errors
    /// When the bytes are not what this converter writes.
    fn to_connect(&self, bytes: Option<&Bytes>) -> Result<SchemaAndValue, DataError>;
}

/// Whether a converter is for keys or for values: the defaults of some differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Key,
    Value,
}

/// A converter as a plugin: its configuration keys and how to make one.
pub trait ConverterPlugin: Send + Sync {
    fn config_def(&self) -> ConfigDef;

    /// `config` has the prefix (`key.converter.`) taken off.
    ///
    /// # Errors
    /// When a value of the configuration does not work.
    fn make(&self, role: Role, config: &Config) -> Result<Box<dyn Converter>, DataError>;
}
