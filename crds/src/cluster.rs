//! `Cluster`: brokers and what they keep.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{Resources, Storage, one};
use crate::condition::Condition;
use crate::config;

/// Broker keys that the operator sets itself, so that no spec may.
pub const OPERATOR_KEYS: &[&str] = &[
    "advertised.listeners",
    "broker.id",
    "controller.listener.names",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.voters",
    "inter.broker.listener.name",
    "listeners",
    "log.dir",
    "log.dirs",
    "node.id",
    "process.roles",
];

/// What the cluster should be.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema,
)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[kube(
    group = "vltava.dev",
    version = "v1alpha1",
    kind = "Cluster",
    namespaced,
    status = "ClusterStatus",
    derive = "PartialEq",
    shortname = "vcl",
    category = "vltava",
    doc = "A Kafka-compatible cluster: brokers with their volumes, configuration and addresses. Deleting it stops the brokers and keeps their volumes; a Cluster of the same name takes them up again.",
    scale(
        spec_replicas_path = ".spec.brokers.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether every broker serves as the spec asks."
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why, in a word."
    ),
    printcolumn(
        name = "Brokers",
        type_ = "integer",
        json_path = ".spec.brokers.replicas",
        description = "Brokers that the spec asks for."
    ),
    printcolumn(
        name = "Up",
        type_ = "integer",
        json_path = ".status.readyReplicas",
        description = "Brokers that are ready."
    ),
    printcolumn(
        name = "Bootstrap",
        type_ = "string",
        json_path = ".status.bootstrap",
        description = "Address for clients."
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
#[kube(validation = Rule::new("size(self.metadata.name) <= 40").message("the name of a Cluster has at most 40 characters: the names of its pods and volumes grow from it"))]
pub struct ClusterSpec {
    /// The brokers.
    #[serde(default)]
    pub brokers: Brokers,
    /// Broker configuration, by Kafka's keys, such as `auto.create.topics.enable` or `log.retention.hours`.
    /// Addresses, ids and folders are the operator's and may not be set here. A change restarts the brokers.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "config::deserialize"
    )]
    #[schemars(schema_with = "config::schema")]
    #[x_kube(validation = Rule::new("self.all(k, !(k in ['advertised.listeners', 'broker.id', 'controller.listener.names', 'controller.quorum.bootstrap.servers', 'controller.quorum.voters', 'inter.broker.listener.name', 'listeners', 'log.dir', 'log.dirs', 'node.id', 'process.roles']))").message("config may not set ids, listeners, log.dirs, process.roles or controller.quorum keys: the operator sets them"))]
    pub config: BTreeMap<String, String>,
    /// Container image of the brokers. Default: the image that the operator was installed with when the
    /// brokers were created; an upgrade of the operator does not change it and so restarts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
}

/// The brokers of a cluster, all alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Brokers {
    /// Number of brokers. Only one is supported so far.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    #[x_kube(validation = Rule::new("self == 1").message("only one broker is supported so far: write replicas: 1"))]
    pub replicas: i32,
    /// Volume of each broker. It is kept when the Cluster is deleted.
    #[serde(default)]
    pub storage: Storage,
    /// CPU and memory of each broker. Default: 100m and 256Mi are requested, 1Gi is the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

impl Default for Brokers {
    fn default() -> Self {
        Self { replicas: one(), storage: Storage::default(), resources: None }
    }
}

/// What the cluster is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling` and `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Kafka's id of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// Address for clients inside Kubernetes, as `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<String>,
    /// Brokers that exist.
    #[serde(default)]
    pub replicas: i32,
    /// Brokers that are ready.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Label selector of the brokers' pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// One entry a broker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub brokers: Vec<BrokerStatus>,
}

/// What one broker is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrokerStatus {
    /// Kafka's node id.
    pub id: i32,
    /// Whether its current pod is ready and made from the current spec.
    pub ready: bool,
    /// Name of its pod.
    pub pod: String,
    /// What it waits for, if it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_names_every_key_of_the_operator() {
        let crd = serde_json::to_string(&<Cluster as kube::CustomResourceExt>::crd()).unwrap();
        for key in OPERATOR_KEYS {
            assert!(crd.contains(&format!("'{key}'")), "the CEL rule forgets {key}");
        }
    }
}
