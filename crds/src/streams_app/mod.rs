//! `StreamsApp`: a Kafka Streams application described in YAML, with CEL expressions.
//!
//! [`input`] holds what it reads, [`pipeline`] what it does, [`step`] one operation each, [`test`] the tests
//! that the object carries. The JSON of [`StreamsAppSpec`] is what the Streams worker reads.

pub mod input;
pub mod pipeline;
pub mod step;
pub mod test;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{LocalRef, Resources, Storage, one};
use crate::condition::Condition;

pub use input::{Source, Table, ValueType};
pub use pipeline::{Pipeline, Sink};
pub use step::Step;
pub use test::{AppTest, TestInput, TestOutput};

/// Most sources, tables, pipelines or tests that one application may have.
pub const MAX_PARTS: usize = 64;

/// What the application should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[kube(
    group = "vltava.dev",
    version = "v1alpha1",
    kind = "StreamsApp",
    namespaced,
    status = "StreamsAppStatus",
    derive = "PartialEq",
    shortname = "vsa",
    category = "vltava",
    doc = "A Kafka Streams application: it reads topics, works on their records step by step with CEL expressions, and writes topics. Its state is kept in volumes and in changelog topics. Deleting it stops the workers.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether every worker runs what the spec asks."
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why, in a word."
    ),
    printcolumn(
        name = "Cluster",
        type_ = "string",
        json_path = ".spec.clusterRef.name",
        description = "Cluster that the application reads and writes."
    ),
    printcolumn(
        name = "Workers",
        type_ = "integer",
        json_path = ".spec.replicas",
        description = "Workers that the spec asks for."
    ),
    printcolumn(
        name = "Up",
        type_ = "integer",
        json_path = ".status.readyReplicas",
        description = "Workers that are ready."
    ),
    printcolumn(
        name = "Lag",
        type_ = "integer",
        json_path = ".status.lag",
        description = "Records that are still to be read."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Since the object was created."
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        description = "Why, for people."
    )
)]
#[kube(validation = Rule::new("size(self.metadata.name) <= 40").message("the name of a StreamsApp has at most 40 characters: the names of its pods and volumes grow from it"))]
#[x_kube(validation = Rule::new("has(self.applicationId) == has(oldSelf.applicationId) && (!has(self.applicationId) || self.applicationId == oldSelf.applicationId)").message("applicationId cannot be changed: offsets and state belong to it; create another StreamsApp instead"))]
#[x_kube(validation = Rule::new("has(self.sources) && size(self.sources) > 0 || has(self.tables) && size(self.tables) > 0").message("an application reads something: give it sources or tables"))]
pub struct StreamsAppSpec {
    /// Cluster that the application reads and writes.
    #[x_kube(validation = Rule::new("self.name == oldSelf.name").message("clusterRef cannot be changed: offsets and state live in the cluster; create another StreamsApp instead"))]
    pub cluster_ref: LocalRef,
    /// Kafka Streams' `application.id`: the group of the workers and the prefix of internal topics. Default: the
    /// object's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), regex(pattern = r"^[a-zA-Z0-9._-]+$"))]
    pub application_id: Option<String>,
    /// Number of workers. Partitions are shared out among them.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: i32,
    /// How records are processed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing: Option<Processing>,
    /// Topics that are read as streams of records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub sources: Vec<Source>,
    /// Topics that are read as tables: the latest value of each key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub tables: Vec<Table>,
    /// What is done with them, step by step.
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub pipelines: Vec<Pipeline>,
    /// Tests that the application must pass; `vltava app test` runs them without a broker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub tests: Vec<AppTest>,
    /// Volume of each worker, for state. State is also in changelog topics, so a lost volume costs time only.
    #[serde(default)]
    pub storage: Storage,
    /// Container image of the workers. Default: the image that the operator was installed with when the
    /// workers were created; an upgrade of the operator does not change it and so restarts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// CPU and memory of each worker. Default: 100m and 128Mi are requested, 1Gi is the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// How records are processed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Processing {
    /// Kafka Streams' `commit.interval.ms`: how often offsets are committed and results are written, in
    /// milliseconds. Default: 30000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3_600_000))]
    pub commit_interval_ms: Option<i32>,
    /// Kafka Streams' `errors.dead.letter.queue.topic.name`: records that cannot be processed are written to
    /// this topic as they were read. Default: they are counted and left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 249), regex(pattern = r"^[a-zA-Z0-9._-]+$"))]
    pub dead_letter_topic: Option<String>,
}

/// What the application is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamsAppStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling` and `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Kafka Streams' `application.id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
    /// Workers that exist.
    #[serde(default)]
    pub replicas: i32,
    /// Workers that are ready.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Label selector of the workers' pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Tasks that run, of all workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<i32>,
    /// Records that are still to be read, over all input partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<i64>,
    /// One entry a worker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["pod"]))]
    pub workers: Vec<WorkerStatus>,
}

/// What one worker is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerStatus {
    /// Name of its pod.
    pub pod: String,
    /// State that the worker reports, such as `RUNNING`.
    pub state: String,
    /// Its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<i32>,
    /// Records that its tasks have still to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<i64>,
}

impl StreamsApp {
    /// Kafka Streams' `application.id`.
    #[must_use]
    pub fn application_id(&self) -> &str {
        match (&self.spec.application_id, &self.metadata.name) {
            (Some(id), _) | (None, Some(id)) => id,
            (None, None) => "",
        }
    }
}

impl StreamsAppSpec {
    /// Every topic that the application reads or writes by name, without its internal ones.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        let sources = self.sources.iter().map(|s| s.topic.as_str());
        let tables = self.tables.iter().map(|t| t.topic.as_str());
        let sinks = self.pipelines.iter().filter_map(|p| p.to.as_ref()).map(|s| s.topic.as_str());
        let letters = self.processing.iter().filter_map(|p| p.dead_letter_topic.as_deref());
        sources.chain(tables).chain(sinks).chain(letters)
    }
}
