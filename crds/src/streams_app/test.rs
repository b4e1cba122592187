//! Tests that an application carries: records in, records out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AppTest {
    /// Name of the test.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Records that are read, in this order.
    #[schemars(length(min = 1, max = 1024))]
    pub input: Vec<TestInput>,
    /// Records that must be written, in this order for each topic, and no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024))]
    pub expect: Vec<TestOutput>,
}

/// One record that a test reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TestInput {
    /// Source or table that reads it, by name.
    #[schemars(length(min = 1, max = 63))]
    pub from: String,
    /// Key, as a literal of the source's type. Default: null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "literal")]
    pub key: Option<Value>,
    /// Value, as a literal of the source's type. Default: null, which deletes a table's row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "literal")]
    pub value: Option<Value>,
    /// Timestamp, in milliseconds since 1970. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub timestamp: Option<i64>,
}

/// One record that a test must see written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TestOutput {
    /// Topic that it is written to.
    #[schemars(length(min = 1, max = 249))]
    pub to: String,
    /// Key, as a literal. Default: null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "literal")]
    pub key: Option<Value>,
    /// Value, as a literal. Default: null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "literal")]
    pub value: Option<Value>,
}

/// Any JSON value: the API server keeps it as it is.
fn literal(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}
