//! The custom resources of `vltava.dev/v1alpha1`: what a person writes in YAML, for Kubernetes and for
//! `vltava up` alike.
//!
//! **Contents.** One file a kind: [`cluster`], [`topic`], [`user`], [`connect`], [`connector`],
//! [`streams_app`], [`rebalance`]. What they share: [`common`] (references, storage, resources), [`config`] (maps of
//! Kafka's configuration keys), [`condition`] (conditions and the closed list of reasons). How they become
//! `CustomResourceDefinition`s: [`schema`] (the canonical form) and [`render`] (the committed YAML).
//!
//! **Must not know**: any client, of Kubernetes or of Kafka. The types only hold what was written.
//!
//! **Invariants**
//! - Every field carries a sentence: `kubectl explain cluster.spec` is documentation.
//! - A spec refuses unknown fields in serde as the API server does, so that `up` and `kubectl apply`
//!   refuse the same YAML.
//! - What the API server can check, it checks: bounds in the schema, rules in CEL with a message that says
//!   what to do.
//! - The YAML in this folder is generated (`cargo xtask crds`); a test fails when it is stale.
//! - Status starts as `Ready=Unknown/NotReconciled`, so that no tool takes a new object for a ready one.

// `KubeSchema` copies each struct into the body of a function, where `pub` reaches nothing.
#![allow(unreachable_pub)]
// Printer columns repeat their attribute names, as they must.
#![allow(clippy::duplicated_attributes)]

pub mod cluster;
pub mod common;
pub mod condition;
pub mod config;
pub mod connect;
pub mod connector;
pub mod rebalance;
pub mod render;
pub mod schema;
pub mod streams_app;
pub mod topic;
pub mod user;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

pub use cluster::{Cluster, ClusterSpec, ClusterStatus, LostVolume, Replacing, Retention, Scaling};
pub use common::{LocalRef, Resources, Storage};
pub use condition::{Condition, ConditionStatus, ConditionType, Reason};
pub use connect::{Connect, ConnectSpec, ConnectStatus};
pub use connector::{Connector, ConnectorSpec, ConnectorState, ConnectorStatus};
pub use rebalance::{Rebalance, RebalanceSpec, RebalanceStatus};
pub use streams_app::{StreamsApp, StreamsAppSpec, StreamsAppStatus};
pub use topic::{DeletionPolicy, Topic, TopicReassignment, TopicSpec, TopicStatus};
pub use user::{User, UserSpec, UserStatus};

/// The API group of every kind.
pub const GROUP: &str = "vltava.dev";
/// The only version so far.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` as an object spells it.
pub const API_VERSION: &str = "vltava.dev/v1alpha1";
/// The category that `kubectl get vltava` lists.
pub const CATEGORY: &str = "vltava";

/// Every definition, in the order in which a person should read them.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![
        schema::canonical(Cluster::crd(), "Waiting for the operator"),
        schema::canonical(Topic::crd(), "Waiting for the operator"),
        schema::canonical(User::crd(), "Users are stored but not yet acted upon"),
        schema::canonical(Connect::crd(), "Waiting for the operator"),
        schema::canonical(Connector::crd(), "Waiting for the operator"),
        schema::canonical(StreamsApp::crd(), "Waiting for the operator"),
        schema::canonical(Rebalance::crd(), "Waiting for the operator"),
    ]
}
