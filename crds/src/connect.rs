//! `Connect`: a group of Connect workers.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{LocalRef, Resources, Storage, one};
use crate::condition::Condition;
use crate::config;

/// Worker keys that the operator sets itself, so that no spec may.
pub const OPERATOR_KEYS: &[&str] = &[
    "bootstrap.servers",
    "group.id",
    "listeners",
    "rest.advertised.host.name",
    "rest.advertised.listener",
    "rest.advertised.port",
];

/// What the worker group should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[kube(
    group = "vltava.dev",
    version = "v1alpha1",
    kind = "Connect",
    namespaced,
    status = "ConnectStatus",
    derive = "PartialEq",
    shortname = "vc",
    category = "vltava",
    doc = "A group of Connect workers, which run Connectors. Deleting it stops the workers and keeps their volumes.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether every worker serves as the spec asks."
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
        description = "Cluster that the workers use."
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
        name = "REST",
        type_ = "string",
        json_path = ".status.url",
        description = "Address of the REST API.",
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
#[kube(validation = Rule::new("size(self.metadata.name) <= 40").message("the name of a Connect has at most 40 characters: the names of its pods and volumes grow from it"))]
pub struct ConnectSpec {
    /// Cluster that the workers use.
    #[x_kube(validation = Rule::new("self.name == oldSelf.name").message("clusterRef cannot be changed: connectors and their offsets live in the cluster; create another Connect instead"))]
    pub cluster_ref: LocalRef,
    /// Number of workers. Only one is supported so far.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    #[x_kube(validation = Rule::new("self == 1").message("only one worker is supported so far: write replicas: 1"))]
    pub replicas: i32,
    /// Volume of each worker, mounted at `/var/lib/vltava`. The file connectors' relative paths resolve in its
    /// folder `files`. It is kept when the Connect is deleted.
    #[serde(default)]
    pub storage: Storage,
    /// Worker configuration, by Kafka Connect's keys, such as `value.converter`. Addresses and `group.id` are
    /// the operator's and may not be set here. A change restarts the workers.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "config::deserialize"
    )]
    #[schemars(schema_with = "config::schema")]
    #[x_kube(validation = Rule::new("self.all(k, !(k in ['bootstrap.servers', 'group.id', 'listeners', 'rest.advertised.host.name', 'rest.advertised.listener', 'rest.advertised.port']))").message("config may not set bootstrap.servers, group.id, listeners or rest.advertised keys: the operator sets them"))]
    pub config: BTreeMap<String, String>,
    /// Container image of the workers. Default: the image that the operator was installed with when the
    /// workers were created; an upgrade of the operator does not change it and so restarts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// CPU and memory of each worker. Default: 100m and 128Mi are requested, 1Gi is the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// What the worker group is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling` and `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Address of the REST API inside Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Version that the workers report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Workers that exist.
    #[serde(default)]
    pub replicas: i32,
    /// Workers that are ready.
    #[serde(default)]
    pub ready_replicas: i32,
    /// Label selector of the workers' pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_names_every_key_of_the_operator() {
        let crd = serde_json::to_string(&<Connect as kube::CustomResourceExt>::crd()).unwrap();
        for key in OPERATOR_KEYS {
            assert!(crd.contains(&format!("'{key}'")), "the CEL rule forgets {key}");
        }
    }
}
