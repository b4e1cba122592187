//! `Connector`: a connector that runs on a group of Connect workers.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{LocalRef, one};
use crate::condition::Condition;
use crate::config;

/// Keys that have fields of their own, so that `config` may not set them.
pub const OPERATOR_KEYS: &[&str] = &["connector.class", "name", "tasks.max"];

/// What the connector should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[kube(
    group = "vltava.dev",
    version = "v1alpha1",
    kind = "Connector",
    namespaced,
    status = "ConnectorStatus",
    derive = "PartialEq",
    shortname = "vctr",
    category = "vltava",
    doc = "A connector that a Connect runs. Deleting it deletes the connector from the workers; a source's offsets stay.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the connector and its tasks run as the spec asks."
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why, in a word."
    ),
    printcolumn(
        name = "Connect",
        type_ = "string",
        json_path = ".spec.connectRef.name",
        description = "Connect that runs it."
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "State that the workers report."
    ),
    printcolumn(
        name = "Tasks",
        type_ = "string",
        json_path = ".status.tasksRunning",
        description = "Running tasks of all."
    ),
    printcolumn(
        name = "Class",
        type_ = "string",
        json_path = ".spec.class",
        description = "Connector class.",
        priority = 1
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
pub struct ConnectorSpec {
    /// Connect that runs the connector.
    #[x_kube(validation = Rule::new("self.name == oldSelf.name").message("connectRef cannot be changed: offsets live with the Connect; create another Connector instead"))]
    pub connect_ref: LocalRef,
    /// Class of the connector, by Kafka's name (`org.apache.kafka.connect.file.FileStreamSourceConnector`) or
    /// the short one (`FileStreamSource`).
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("class cannot be changed: another class does not understand the offsets; create another Connector instead"))]
    pub class: String,
    /// Most tasks that the connector may use.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub tasks_max: i32,
    /// `running` works; `paused` keeps tasks and stops work; `stopped` gives the tasks up.
    #[serde(default)]
    pub state: ConnectorState,
    /// The connector's configuration, by its own keys, such as `topics` or `file`.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "config::deserialize"
    )]
    #[schemars(schema_with = "config::schema")]
    #[x_kube(validation = Rule::new("self.all(k, !(k in ['connector.class', 'name', 'tasks.max']))").message("config may not set connector.class, tasks.max or name: use the fields class and tasksMax; the name is the object's"))]
    pub config: BTreeMap<String, String>,
}

/// What a connector should do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ConnectorState {
    #[default]
    Running,
    Paused,
    Stopped,
}

impl ConnectorState {
    /// Kafka Connect's word for it: `RUNNING`, `PAUSED` or `STOPPED`.
    #[must_use]
    pub fn as_kafka(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }
}

/// What the connector is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling` and `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// State that the workers report, in Kafka Connect's words, such as `RUNNING`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Running tasks of all, as `1/1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_running: Option<String>,
    /// One entry a task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub tasks: Vec<TaskStatus>,
}

/// What one task is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    /// Number of the task, from 0.
    pub id: i32,
    /// State that the workers report, in Kafka Connect's words.
    pub state: String,
    /// Worker that runs it, as `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// First line of the trace, if the task failed, without values of secret keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_names_every_key_of_the_operator() {
        let crd = serde_json::to_string(&<Connector as kube::CustomResourceExt>::crd()).unwrap();
        for key in OPERATOR_KEYS {
            assert!(crd.contains(&format!("'{key}'")), "the CEL rule forgets {key}");
        }
    }
}
