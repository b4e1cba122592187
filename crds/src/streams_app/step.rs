//! One step of a pipeline: a name and exactly one operation.
//!
//! Expressions are CEL. Their variables are `key`, `value`, `timestamp`, `headers`, `topic`, `partition` and
//! `offset`; `aggregate` and `reduce` also have `aggregate`.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One step. The name is mandatory because it names the step's state, which must survive every edit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.mapValues), has(self.map), has(self.selectKey), has(self.flatMapValues), has(self.filter), has(self.groupBy), has(self.groupByKey), has(self.count), has(self.aggregate), has(self.reduce), has(self.toStream), has(self.toTable)].filter(x, x).size() == 1").message("a step has exactly one operation beside its name: mapValues, map, selectKey, flatMapValues, filter, groupBy, groupByKey, count, aggregate, reduce, toStream or toTable"))]
pub struct Step {
    /// Name of the step, unique in the application. It names the step's state and its internal topics, so that
    /// steps can be added or moved without losing state.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Makes a new value of each record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_values: Option<MapValues>,
    /// Makes a new key and a new value of each record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<Map>,
    /// Makes a new key of each record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select_key: Option<SelectKey>,
    /// Makes any number of values of each record, one record each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flat_map_values: Option<MapValues>,
    /// Lets only some records through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Groups records by a new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<GroupBy>,
    /// Groups records by the key that they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by_key: Option<GroupByKey>,
    /// Counts the records of each group, into a table of longs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// Folds the records of each group into a value, into a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
    /// Folds the values of each group into one value of the same type, into a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce: Option<Reduce>,
    /// Turns a table into the stream of its changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_stream: Option<ToStream>,
    /// Turns a stream into a table of each key's latest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_table: Option<ToTable>,
}

/// A new value, or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MapValues {
    /// CEL expression of the value; of a list of values in `flatMapValues`.
    #[schemars(length(min = 1, max = 4096))]
    pub value: String,
}

/// A new key and a new value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Map {
    /// CEL expression of the key.
    #[schemars(length(min = 1, max = 4096))]
    pub key: String,
    /// CEL expression of the value.
    #[schemars(length(min = 1, max = 4096))]
    pub value: String,
}

/// A new key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SelectKey {
    /// CEL expression of the key.
    #[schemars(length(min = 1, max = 4096))]
    pub key: String,
}

/// A test of each record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Filter {
    /// CEL expression that is true for the records to keep.
    #[serde(rename = "where")]
    #[schemars(length(min = 1, max = 4096))]
    pub where_: String,
}

/// Groups by a new key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GroupBy {
    /// CEL expression of the group's key.
    #[schemars(length(min = 1, max = 4096))]
    pub key: String,
    /// CEL expression of the value that goes into the group. Default: the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub value: Option<String>,
}

/// Groups by the key that records have. It has no settings: write `{}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GroupByKey {}

/// Counts. It has no settings: write `{}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Count {}

/// Folds records into a value of any type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Aggregate {
    /// CEL expression of a new group's value.
    #[schemars(length(min = 1, max = 4096))]
    pub init: String,
    /// CEL expression of the value after a record came into the group.
    #[schemars(length(min = 1, max = 4096))]
    pub add: String,
    /// CEL expression of the value after a record left the group, as happens when a table's row changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub subtract: Option<String>,
}

/// Folds values into one of the same type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Reduce {
    /// CEL expression of the value after a record came into the group.
    #[schemars(length(min = 1, max = 4096))]
    pub add: String,
    /// CEL expression of the value after a record left the group, as happens when a table's row changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub subtract: Option<String>,
}

/// Turns a table into a stream. It has no settings: write `{}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ToStream {}

/// Turns a stream into a table. It has no settings: write `{}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ToTable {}
