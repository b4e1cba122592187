//! `Cluster`: brokers and what they keep.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::common::{Resources, Storage, one};
use crate::condition::Condition;
use crate::config;

/// Broker keys that the operator sets itself, so that no spec may.
pub const OPERATOR_KEYS: &[&str] = &[
    "advertised.listeners",
    "broker.id",
    "broker.rack",
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
    /// Addresses, ids, racks and folders are the operator's and may not be set here. From three brokers on, unless
    /// `default.replication.factor` is set, it is 3, and so is that of the offsets topic, with
    /// `min.insync.replicas` 2. A change restarts the brokers, one at a time, when they say that it is safe.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "config::deserialize"
    )]
    #[schemars(schema_with = "config::schema")]
    #[x_kube(validation = Rule::new("self.all(k, !(k in ['advertised.listeners', 'broker.id', 'broker.rack', 'controller.listener.names', 'controller.quorum.bootstrap.servers', 'controller.quorum.voters', 'inter.broker.listener.name', 'listeners', 'log.dir', 'log.dirs', 'node.id', 'process.roles']))").message("config may not set ids, racks, listeners, log.dirs, process.roles or controller.quorum keys: the operator sets them"))]
    pub config: BTreeMap<String, String>,
    /// How partitions move between the brokers, whatever they move for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalance: Option<ClusterRebalance>,
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
    /// Number of brokers. More: brokers start, and partitions move on to them. Fewer: everything moves off the
    /// brokers with the highest ids (or those of `removeIds`) first, and only then do they go.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: i32,
    /// Ids of brokers that should not be: where fewer brokers are wanted these go instead of the highest ids,
    /// and where as many are wanted others take their place. New brokers never get an id of this list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(range(min = 0)), extend("x-kubernetes-list-type" = "set"))]
    pub remove_ids: Vec<i32>,
    /// Volume of each broker. It is kept when the Cluster is deleted.
    #[serde(default)]
    pub storage: Storage,
    /// What becomes of the volumes of brokers that went.
    #[serde(default)]
    pub persistent_volume_claim_retention_policy: VolumeRetention,
    /// Most brokers of one zone that a roll restarts at a time. More than one go together only where the brokers say that
    /// this very set may stop; the first broker with a changed spec goes alone all the same, and that of the active
    /// controller last.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub max_unavailable: i32,
    /// CPU and memory of each broker. Default: 100m and 256Mi are requested, 1Gi is the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

impl Default for Brokers {
    fn default() -> Self {
        Self {
            replicas: one(),
            remove_ids: Vec::new(),
            storage: Storage::default(),
            persistent_volume_claim_retention_policy: VolumeRetention::default(),
            max_unavailable: one(),
            resources: None,
        }
    }
}

/// What holds for all moves of partitions that the operator has made: on to new brokers, off brokers that go, to another number
/// of replicas, and those of a Rebalance that does not say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClusterRebalance {
    /// Bytes a second that moves may take of each broker, one way, as a Kubernetes quantity such as `50Mi`. It is set before
    /// moves begin, as the cluster-wide default of the broker config `reassignment.replication.throttled.rate`, and a change
    /// holds at once, without a restart. Without it that config is left as it is: by default there is no limit. So a limit
    /// stays in force when this field is taken away; give a large one to move freely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 32),
        regex(pattern = r"^[0-9]*[1-9][0-9]*(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$")
    )]
    pub bandwidth: Option<String>,
}

/// When volumes are deleted, in the words of a StatefulSet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VolumeRetention {
    /// `Retain` keeps the volume of a broker that was scaled away, and a later broker of the same id takes it up
    /// again. `Delete` removes it, after everything has moved off it.
    #[serde(default)]
    pub when_scaled: Retention,
    /// What becomes of a volume that is `Lost`: its claim was bound to a PersistentVolume that does not exist any
    /// more. `Retain` waits for a person, who restores the PersistentVolume or asks for another by annotating the claim.
    /// `Replace` makes an empty volume that is filled from the other brokers, once they say that they have everything
    /// in sync; a volume that had the only copy of something is never replaced so.
    #[serde(default)]
    pub when_lost: LostVolume,
}

/// What to do about a volume that is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LostVolume {
    #[default]
    Retain,
    Replace,
}

/// Whether a volume stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Retention {
    #[default]
    Retain,
    Delete,
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
    /// Brokers that are on their way in or out. The operator writes it down before it acts, so that it goes on
    /// from here after a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
}

/// What is on its way while brokers come and go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scaling {
    /// Ids of brokers that partitions are still to move on to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adding: Vec<i32>,
    /// Ids of brokers that everything is to move off, or that are not forgotten yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removing: Vec<i32>,
    /// The broker whose volume is being replaced by an empty one, until it has everything again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacing: Option<Replacing>,
    /// Bytes that have still to move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_left: Option<i64>,
    /// Most bytes that there were to move since `startTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_total: Option<i64>,
    /// When the moves began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_time")]
    pub start_time: Option<Time>,
    /// Topics that cannot move as things are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_topics: Vec<String>,
}

/// A volume that is being replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replacing {
    /// Id of the broker.
    pub id: i32,
    /// UID of the PersistentVolumeClaim that goes.
    pub claim_uid: String,
    /// Kafka's ids of the data folders that the metadata quorum knew of the broker: that which goes, and older ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directory_ids: Vec<String>,
}

fn optional_time(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "format": "date-time"})
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
    /// Zone of the node that it runs on, which is its rack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
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
