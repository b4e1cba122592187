//! What an application reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the bytes of a key or value are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ValueType {
    String,
    Long,
    Double,
    Boolean,
    Json,
    Bytes,
}

/// A topic that is read as a stream of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Source {
    /// Name by which pipelines read it.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Topic to read.
    #[schemars(length(min = 1, max = 249), regex(pattern = r"^[a-zA-Z0-9._-]+$"))]
    pub topic: String,
    /// Type of the keys: `string` (UTF-8), `long` (8 bytes), `double` (8 bytes), `boolean` (1 byte), `json` or
    /// `bytes`, as Kafka's serializers write them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ValueType>,
    /// Type of the values, as for keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ValueType>,
}

/// A topic that is read as a table: the latest value of each key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Table {
    /// Name by which pipelines read it; it also names the table's state.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Topic to read.
    #[schemars(length(min = 1, max = 249), regex(pattern = r"^[a-zA-Z0-9._-]+$"))]
    pub topic: String,
    /// Type of the keys: `string` (UTF-8), `long` (8 bytes), `double` (8 bytes), `boolean` (1 byte), `json` or
    /// `bytes`, as Kafka's serializers write them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ValueType>,
    /// Type of the values, as for keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ValueType>,
}
