//! The shape of a `StreamsApp`'s spec.

use crate::Serde;
use serde::{Deserialize, Serialize};

/// What an app reads, does and writes. Fields that concern only where it runs (replicas, image, …) are left to
/// whoever runs it and are skipped here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AppSpec {
    /// Kafka's `application.id`: consumer group and prefix of the internal topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing: Option<Processing>,
    pub sources: Vec<Source>,
    pub tables: Vec<Source>,
    pub pipelines: Vec<Pipeline>,
    pub tests: Vec<AppTest>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Processing {
    /// `commit.interval.ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_interval_ms: Option<u64>,
    /// `errors.dead.letter.queue.topic.name`: records that cannot be processed are written here as they were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_topic: Option<String>,
}

/// A topic read as a stream (in `sources`) or as a table (in `tables`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    pub name: String,
    pub topic: String,
    #[serde(default)]
    pub key: Serde,
    #[serde(default)]
    pub value: Serde,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pipeline {
    pub name: String,
    /// A source, a table, or an earlier pipeline.
    pub from: String,
    #[serde(default)]
    pub steps: Vec<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Sink>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sink {
    pub topic: String,
    /// Default: the serde of the type that keys have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Serde>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Serde>,
}

/// A name, unique in the app, and exactly one operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_values: Option<MapValues>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<Map>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select_key: Option<SelectKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flat_map_values: Option<MapValues>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<GroupBy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by_key: Option<GroupByKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce: Option<Reduce>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_stream: Option<ToStream>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_table: Option<ToTable>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapValues {
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Map {
    pub key: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectKey {
    pub key: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    #[serde(rename = "where")]
    pub condition: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupBy {
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupByKey {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    pub init: String,
    pub add: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtract: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reduce {
    pub add: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtract: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToStream {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToTable {}

/// Records in, records out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppTest {
    pub name: String,
    pub input: Vec<TestInput>,
    #[serde(default)]
    pub expect: Vec<TestOutput>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestInput {
    /// A source or a table.
    pub from: String,
    #[serde(default)]
    pub key: serde_json::Value,
    #[serde(default)]
    pub value: serde_json::Value,
    /// Milliseconds since 1970.
    #[serde(default)]
    pub timestamp: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestOutput {
    /// A topic that the app writes.
    pub to: String,
    #[serde(default)]
    pub key: serde_json::Value,
    #[serde(default)]
    pub value: serde_json::Value,
}
