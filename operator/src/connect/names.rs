//! Names of a Connect's objects. The REST address is an interface: people and pipelines write it.

use crate::labels::Labels;
use crate::workload::REST_PORT;

/// Label of everything that belongs to a Connect.
pub(crate) const OWNER_KEY: &str = "vltava.dev/connect";

pub(crate) fn labels(connect: &str) -> Labels<'_> {
    Labels { owner_key: OWNER_KEY, owner: connect, component: "connect" }
}

/// StatefulSet, ServiceAccount, PodDisruptionBudget, and the Service of the REST API.
pub(crate) fn common(connect: &str) -> String {
    format!("{connect}-connect")
}

/// Pod of one worker.
pub(crate) fn pod(connect: &str, ordinal: i32) -> String {
    format!("{}-{ordinal}", common(connect))
}

/// Headless Service that names the pods.
pub(crate) fn headless(connect: &str) -> String {
    format!("{connect}-connect-workers")
}

/// ConfigMap with `connect.properties`.
pub(crate) fn config_map(connect: &str) -> String {
    format!("{connect}-connect-config")
}

/// Kafka's `group.id` of the workers.
pub(crate) fn group_id(connect: &str) -> String {
    format!("connect-{connect}")
}

/// Address of the REST API, from every namespace.
pub(crate) fn url(connect: &str, namespace: &str) -> String {
    format!("http://{}.{namespace}.svc:{REST_PORT}", common(connect))
}
