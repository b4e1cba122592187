//! `Topic`: a topic of a cluster.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{LocalRef, one};
use crate::condition::Condition;
use crate::config;

/// Most partitions that one topic may have.
pub const MAX_PARTITIONS: i32 = 100_000;

/// What the topic should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[kube(
    group = "vltava.dev",
    version = "v1alpha1",
    kind = "Topic",
    namespaced,
    status = "TopicStatus",
    derive = "PartialEq",
    shortname = "vt",
    category = "vltava",
    doc = "A topic of a Cluster. The operator creates it, grows it, keeps its configuration as written, and leaves it alone when this object is deleted, unless `deletionPolicy` says otherwise.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the topic is as the spec asks."
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
        description = "Cluster that holds the topic."
    ),
    printcolumn(
        name = "Partitions",
        type_ = "integer",
        json_path = ".status.partitions",
        description = "Partitions that the topic has."
    ),
    printcolumn(
        name = "Replicas",
        type_ = "integer",
        json_path = ".status.replicas",
        description = "Replicas of each partition."
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
#[x_kube(validation = Rule::new("has(self.topicName) == has(oldSelf.topicName) && (!has(self.topicName) || self.topicName == oldSelf.topicName)").message("topicName cannot be changed: Kafka cannot rename a topic; create another Topic instead"))]
pub struct TopicSpec {
    /// Cluster that holds the topic.
    #[x_kube(validation = Rule::new("self.name == oldSelf.name").message("clusterRef cannot be changed: a topic cannot move between clusters; create another Topic instead"))]
    pub cluster_ref: LocalRef,
    /// Name of the topic in Kafka, where it cannot be a Kubernetes name. Default: the object's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 249), regex(pattern = r"^[a-zA-Z0-9._-]+$"))]
    #[x_kube(validation = Rule::new("self != '.' && self != '..'").message("topicName cannot be '.' or '..'"))]
    pub topic_name: Option<String>,
    /// Number of partitions. It may grow; records with the same key may then go to another partition than
    /// before. It cannot be reduced.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100_000))]
    #[x_kube(validation = Rule::new("self >= oldSelf").message("partitions cannot be reduced: Kafka cannot remove partitions from a topic; create another Topic with fewer partitions instead"))]
    pub partitions: i32,
    /// Number of replicas of each partition. Default: the cluster's `default.replication.factor`. It may change: replicas
    /// are added where their brokers and racks are fewest, or those taken away that are missed least; leaders stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: Option<i32>,
    /// Topic configuration, by Kafka's keys, such as `retention.ms` or `cleanup.policy`. A key that is taken
    /// away goes back to the cluster's default.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "config::deserialize"
    )]
    #[schemars(schema_with = "config::schema")]
    pub config: BTreeMap<String, String>,
    /// What happens to the topic and its records when this object is deleted: `retain` leaves them, `delete`
    /// removes them.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// What happens to what an object stands for when the object is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeletionPolicy {
    #[default]
    Retain,
    Delete,
}

/// What the topic is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopicStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling` and `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Name of the topic in Kafka.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_name: Option<String>,
    /// Kafka's id of the topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<String>,
    /// Partitions that the topic has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<i32>,
    /// Replicas that each partition has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// How far a change of the number of replicas is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reassignment: Option<TopicReassignment>,
}

/// How far a change of the number of replicas is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopicReassignment {
    /// Replicas that each partition is to have.
    pub replicas: i32,
    /// Partitions that do not have them yet.
    pub partitions_left: i64,
    /// Those of them that are being moved.
    pub partitions_moving: i64,
    /// Bytes that have still to be copied, at most.
    pub bytes_left: i64,
}

impl Topic {
    /// Name of the topic in Kafka.
    #[must_use]
    pub fn kafka_name(&self) -> &str {
        match (&self.spec.topic_name, &self.metadata.name) {
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => "",
        }
    }
}
