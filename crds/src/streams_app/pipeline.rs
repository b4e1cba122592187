//! What an application does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Step, ValueType};

/// A chain of steps from one input to, perhaps, one topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Pipeline {
    /// Name of the pipeline, by which later pipelines can read its result.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// What it reads: the name of a source, of a table, or of an earlier pipeline.
    #[schemars(length(min = 1, max = 63))]
    pub from: String,
    /// What is done, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<Step>,
    /// Topic that the result is written to. Without it, only later pipelines see the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Sink>,
}

/// A topic that a pipeline writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Sink {
    /// Topic to write.
    #[schemars(length(min = 1, max = 249), regex(pattern = r"^[a-zA-Z0-9._-]+$"))]
    pub topic: String,
    /// Type in which keys are written. Default: the type that they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ValueType>,
    /// Type in which values are written. Default: the type that they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ValueType>,
}
