//! `Rebalance`: partitions moved between the brokers that are there.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::LocalRef;
use crate::condition::Condition;

/// What should be done about brokers that hold unequal shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[kube(
    group = "vltava.dev",
    version = "v1alpha1",
    kind = "Rebalance",
    namespaced,
    status = "RebalanceStatus",
    derive = "PartialEq",
    shortname = "vrb",
    category = "vltava",
    doc = "Moves of partitions that give the brokers of a Cluster equal shares. They are proposed first, and made once a person approves. A Cluster that grows or shrinks moves its partitions by itself and needs none.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether there is a proposal, or, once it is approved, whether it has been carried out."
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why, in a word."
    ),
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".status.phase",
        description = "Proposed, Executing or Completed."
    ),
    printcolumn(
        name = "Cluster",
        type_ = "string",
        json_path = ".spec.clusterRef.name",
        description = "Cluster whose partitions move."
    ),
    printcolumn(
        name = "Approved",
        type_ = "boolean",
        json_path = ".spec.approved",
        description = "Whether the moves may be made."
    ),
    printcolumn(
        name = "Moves",
        type_ = "integer",
        json_path = ".status.proposal.moves",
        description = "Partitions that the proposal moves."
    ),
    printcolumn(
        name = "Left",
        type_ = "integer",
        json_path = ".status.progress.partitionsLeft",
        description = "Partitions that are still to be moved."
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
pub struct RebalanceSpec {
    /// Cluster whose partitions are to be moved.
    #[x_kube(validation = Rule::new("self.name == oldSelf.name").message("clusterRef cannot be changed: a proposal is for one cluster; create another Rebalance instead"))]
    pub cluster_ref: LocalRef,
    /// Whether the moves are to be made. While it is false, `status.proposal` says what they would be. True makes them, once:
    /// what was completed is not taken up again. False again stops moves that are under way, and proposes anew.
    #[serde(default)]
    pub approved: bool,
    /// Bytes a second that the moves may take of each broker, one way, as a Kubernetes quantity such as `50Mi`. It may be changed
    /// while they are made. When they are completed or stopped, the limit that was there before is put back; a Rebalance that
    /// is deleted meanwhile leaves it. Default: `spec.rebalance.bandwidth` of the Cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 32),
        regex(pattern = r"^[0-9]*[1-9][0-9]*(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$")
    )]
    pub bandwidth: Option<String>,
}

/// Where a rebalance is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RebalancePhase {
    /// The proposal waits for approval.
    #[default]
    Proposed,
    /// Partitions are being moved.
    Executing,
    /// All moves are made.
    Completed,
}

/// What is proposed, and how far it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RebalanceStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling` and `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<RebalancePhase>,
    /// The moves, as they were planned last before the approval. They are planned anew as they are made, because
    /// partitions grow and move meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// How far the moves are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// The limit that was there before this one set its own, written down before it did: it is put back at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_before: Option<LimitBefore>,
}

/// A limit that is to be put back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitBefore {
    /// Bytes a second, of the cluster-wide default of `reassignment.replication.throttled.rate`; missing if it was not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<i64>,
}

/// Moves that would even the brokers out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Partitions that would be moved.
    pub moves: i64,
    /// Bytes that would be copied.
    pub bytes: i64,
    /// What was not known or not possible when it was planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<ProposedMove>,
}

/// A partition that would be moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProposedMove {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Brokers that hold it, the preferred leader first.
    pub from: Vec<i32>,
    /// Brokers that would hold it.
    pub to: Vec<i32>,
}

/// How far the moves are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Partitions that are still to be moved.
    pub partitions_left: i64,
    /// Those of them that are being moved.
    pub partitions_moving: i64,
    /// Bytes that have still to be copied, at most.
    pub bytes_left: i64,
}
