//! Step two, pure: the configuration as Connect takes it, or why it cannot be.

use std::collections::BTreeMap;

use crds::connector::OPERATOR_KEYS;
use crds::{Connector, ConnectorState, Reason};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::dereference::Found;
use crate::references::awaited;
use crate::verdict::Verdict;

/// What the connector will be. The steps after this one do not read the spec.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    /// Where the REST API is.
    pub(crate) url: String,
    /// With class, name and number of tasks.
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) state: ConnectorState,
}

pub(crate) fn validate(object: &Connector, found: &Found) -> Result<Wanted, Verdict> {
    let spec = &object.spec;
    if let Some(key) = spec.config.keys().find(|k| OPERATOR_KEYS.contains(&k.as_str())) {
        let text = format!(
            "spec.config may not set {key}: use the fields class and tasksMax; the name is the object's"
        );
        return Err(Verdict::stalled(Reason::InvalidSpec, text));
    }
    let reference = &spec.connect_ref.name;
    let Some(connect) = &found.connect else {
        let namespace = object.namespace().unwrap_or_default();
        let text = format!(
            "there is no Connect {reference} in namespace {namespace}: create it or correct spec.connectRef.name"
        );
        return Err(awaited(object, Reason::ConnectNotFound, text, Timestamp::now()));
    };
    if connect.deleting {
        return Err(Verdict::working(
            Reason::ConnectNotReady,
            format!("Connect {reference} is being deleted"),
        ));
    }
    if !connect.serves {
        let text =
            format!("waiting for Connect {reference}, which is not ready: {}", connect.reason);
        return Err(Verdict::working(Reason::ConnectNotReady, text));
    }
    let name = object.name_any();
    let mut config = spec.config.clone();
    config.insert("name".to_owned(), name.clone());
    config.insert("connector.class".to_owned(), spec.class.clone());
    config.insert("tasks.max".to_owned(), spec.tasks_max.to_string());
    Ok(Wanted { name, url: connect.url.clone(), config, state: spec.state })
}
