//! The group of Connect workers: one worker in this process, with the object's configuration.

use std::collections::BTreeMap;

use crds::ConnectSpec;

use crate::up::object::Declared;
use crate::up::status::Status;

/// The worker's settings: Kafka Connect's worker keys.
pub(crate) fn properties(connect: Option<&Declared<ConnectSpec>>) -> BTreeMap<String, String> {
    connect.map(|connect| connect.spec.config.clone()).unwrap_or_default()
}

/// The object's status once the worker runs with `running`.
pub(crate) fn status(
    connect: &Declared<ConnectSpec>,
    running: &BTreeMap<String, String>,
    url: &str,
) -> Status {
    if &connect.spec.config == running {
        Status::ready(format!("REST at {url}"))
    } else {
        Status::reconciling("restarting with new settings")
    }
}
