//! Conditions: the same three on every object, and the closed list of their reasons.
//!
//! The rules are kstatus': `Ready` is always there (the definition's default makes it `Unknown` before the
//! operator has seen the object), `Reconciling=True` means that the operator is still working or waiting and
//! will get there by itself, `Stalled=True` means that somebody must change something.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One condition, in Kubernetes' own shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Ready`, `Reconciling` or `Stalled`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, as one CamelCase word of a documented list.
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// The `metadata.generation` that this condition speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed.
    #[schemars(schema_with = "date_time")]
    pub last_transition_time: Time,
}

fn date_time(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "format": "date-time"})
}

/// The condition types that every object has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionType {
    /// The object is what its spec asks for, and serves.
    Ready,
    /// The operator is working on it or waiting for something that will come by itself.
    Reconciling,
    /// Nothing will change until somebody changes something.
    Stalled,
}

impl ConditionType {
    /// As it is written in YAML.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }
}

/// A condition's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Not known yet.
    Unknown,
}

impl ConditionStatus {
    /// As it is written in YAML.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        /// Every reason that a condition may carry. A retired reason is never used again for another thing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[doc = $doc])+ $name),+ }

        impl Reason {
            /// All of them, for the documentation and its test.
            pub const ALL: &[Reason] = &[$(Reason::$name),+];

            /// As it is written in YAML.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// What it means and what to do: one sentence or two.
            #[must_use]
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii()),+ }
            }
        }
    };
}

reasons! {
    /// The operator has not looked at the object yet. If this lasts, the operator is not running or watches another namespace.
    NotReconciled,
    /// Everything the spec asks for is there and serves.
    Ready,
    /// Nothing is in progress.
    Done,
    /// Nothing stands in the way.
    NotStalled,
    /// Child objects are being created or changed.
    Applying,
    /// Pods are starting or being replaced; the message names them and says what each waits for.
    PodsNotReady,
    /// A pod keeps failing or its image cannot be pulled; read the message and the pod's log, then correct the spec.
    PodFailing,
    /// Brokers are restarted one after the other because the spec changed; the message says how far that is and what it waits for.
    Rolling,
    /// Brokers were added, and partitions move on to them; the message says how far that is.
    ScalingUp,
    /// Brokers are to go, and everything moves off them first; the message says how far that is.
    ScalingDown,
    /// Brokers are to go, and some topics cannot move off them; the message names them and says what to change.
    ScaleDownBlocked,
    /// A broker's volume is replaced by an empty one and filled again from the other brokers; the message says how far that is.
    ReplacingVolume,
    /// A broker's volume is to be replaced, and something is on it alone; the message says what, and what to do.
    ReplaceBlocked,
    /// A broker's volume does not exist any more; restore it, or let it be replaced as the message says.
    VolumeLost,
    /// The brokers could not say whether the next step is safe; nothing is restarted or removed until they can.
    SafetyUnknown,
    /// What the cluster began with is not known any more; the message says which object to restore.
    IdentityLost,
    /// The pods are ready, but the service does not answer yet.
    EndpointNotReady,
    /// The spec cannot work as written; the message says which field and what to write.
    InvalidSpec,
    /// The spec asks for something that this version does not do yet.
    Unsupported,
    /// The referenced Cluster does not exist in this namespace; create it or correct `clusterRef`.
    ClusterNotFound,
    /// The referenced Cluster exists and is not ready yet.
    ClusterNotReady,
    /// The referenced Connect does not exist in this namespace; create it or correct `connectRef`.
    ConnectNotFound,
    /// The referenced Connect exists and is not ready yet.
    ConnectNotReady,
    /// A topic that the application reads or writes does not exist and no Topic object promises it; create a Topic.
    TopicNotFound,
    /// A topic that the application needs is promised by a Topic object that is not ready yet.
    WaitingForTopic,
    /// The broker refused the change; the message is the broker's.
    BrokerRefused,
    /// The broker or worker could not be reached; it will be tried again.
    Unreachable,
    /// The topic has more partitions than the spec asks for, and Kafka cannot remove partitions; raise `partitions` or make a new topic.
    PartitionsReduced,
    /// The topic cannot have as many replicas as the spec asks for; the message says why.
    ReplicationFactorDiffers,
    /// The topic gets more or fewer replicas; the message says how far that is.
    Reassigning,
    /// The moves are planned and shown; they are made once `spec.approved` is true.
    ProposalReady,
    /// Partitions are being moved; the message says how far that is.
    Rebalancing,
    /// Another object manages the same thing; delete one of the two.
    Conflict,
    /// The Connect worker refused the connector's configuration; the message is the worker's.
    ConnectorRefused,
    /// The connector or one of its tasks failed; the message is the first line of its trace.
    ConnectorFailed,
    /// The connector's tasks are starting.
    ConnectorStarting,
    /// The connector is paused or stopped, as the spec asks.
    ConnectorSuspended,
    /// The application's workers are starting, restoring state or taking over partitions.
    AppStarting,
    /// The application stopped with an error; the message is the worker's.
    AppFailed,
    /// The object is being deleted; the message says what is still to be done.
    Deleting,
    /// The Kubernetes API refused or failed a request; it will be tried again.
    ApiError,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_one_word_and_explained() {
        for reason in Reason::ALL {
            let word = reason.as_str();
            assert!(word.chars().all(|c| c.is_ascii_alphabetic()), "{word}");
            assert!(reason.explanation().ends_with('.'), "{word} has no explanation");
        }
    }
}
