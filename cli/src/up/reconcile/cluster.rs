//! The cluster: one broker in this process, with the object's configuration.

use std::collections::BTreeMap;

use crds::ClusterSpec;

use crate::up::object::Declared;
use crate::up::status::Status;

/// The broker's settings: Kafka's broker keys.
pub(crate) fn properties(cluster: Option<&Declared<ClusterSpec>>) -> BTreeMap<String, String> {
    cluster.map(|cluster| cluster.spec.config.clone()).unwrap_or_default()
}

/// The object's status once the broker runs with `running`.
pub(crate) fn status(
    cluster: &Declared<ClusterSpec>,
    running: &BTreeMap<String, String>,
    address: &str,
) -> Status {
    if &cluster.spec.config == running {
        Status::ready(format!("Kafka at {address}"))
    } else {
        Status::reconciling("restarting with new settings")
    }
}
