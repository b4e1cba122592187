//! Names of a cluster's objects. They are an interface: clients and pipelines write the bootstrap address.

use crate::labels::Labels;
use crate::workload::KAFKA_PORT;

/// Label of everything that belongs to a cluster.
pub(crate) const OWNER_KEY: &str = "vltava.dev/cluster";

pub(crate) fn labels(cluster: &str) -> Labels<'_> {
    Labels { owner_key: OWNER_KEY, owner: cluster, component: "broker" }
}

/// StatefulSet of one broker; its pod is this and `-0`.
pub(crate) fn broker(cluster: &str, id: i32) -> String {
    format!("{cluster}-{id}")
}

/// Pod of one broker.
pub(crate) fn pod(cluster: &str, id: i32) -> String {
    format!("{cluster}-{id}-0")
}

/// Volume of one broker.
pub(crate) fn volume(cluster: &str, id: i32) -> String {
    format!("data-{cluster}-{id}")
}

/// Headless Service that names the pods.
pub(crate) fn headless(cluster: &str) -> String {
    format!("{cluster}-brokers")
}

/// Service that clients begin with.
pub(crate) fn bootstrap_service(cluster: &str) -> String {
    format!("{cluster}-kafka")
}

/// ConfigMap with `broker.properties`.
pub(crate) fn config_map(cluster: &str) -> String {
    format!("{cluster}-broker-config")
}

/// ConfigMap with what the cluster began with.
pub(crate) fn identity(cluster: &str) -> String {
    format!("{cluster}-identity")
}

/// ServiceAccount and PodDisruptionBudget.
pub(crate) fn common(cluster: &str) -> String {
    format!("{cluster}-broker")
}

/// Host under which clients find one broker, from every namespace.
pub(crate) fn host(cluster: &str, id: i32, namespace: &str) -> String {
    format!("{}.{}.{namespace}.svc", pod(cluster, id), headless(cluster))
}

/// Address that clients begin with, from every namespace.
pub(crate) fn bootstrap(cluster: &str, namespace: &str) -> String {
    format!("{}.{namespace}.svc:{KAFKA_PORT}", bootstrap_service(cluster))
}
