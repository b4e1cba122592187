//! Step two, pure: what the spec asks for, with every default filled in, or why it cannot be.

use std::collections::BTreeMap;

use crds::cluster::OPERATOR_KEYS;
use crds::{Cluster, Reason, Resources, Storage};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource as _, ResourceExt as _};

use super::dereference::Live;
use super::names;
use crate::properties;
use crate::verdict::Verdict;
use crate::workload::choose_image;

/// What the cluster will be. The steps after this one do not read the spec.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) owner: Option<OwnerReference>,
    pub(crate) brokers: Vec<Broker>,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) storage: Storage,
    pub(crate) resources: Option<Resources>,
}

/// One broker.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    pub(crate) id: i32,
    pub(crate) image: String,
}

pub(crate) fn validate(
    object: &Cluster,
    live: &Live,
    default_image: &str,
) -> Result<Wanted, Verdict> {
    let spec = &object.spec;
    if spec.brokers.replicas != 1 {
        let text = format!(
            "spec.brokers.replicas is {}, and only one broker is supported so far: write replicas: 1",
            spec.brokers.replicas
        );
        return Err(Verdict::stalled(Reason::Unsupported, text));
    }
    if let Some(key) = spec.config.keys().find(|k| OPERATOR_KEYS.contains(&k.as_str())) {
        let text = format!("spec.config may not set {key}: the operator sets it; take it away");
        return Err(Verdict::stalled(Reason::InvalidSpec, text));
    }
    if let Some(problem) = properties::not_one_line(&spec.config) {
        return Err(Verdict::stalled(Reason::InvalidSpec, format!("spec.config: {problem}")));
    }
    let name = object.name_any();
    let broker = |id| {
        let set = live.set(&names::broker(&name, id));
        Broker { id, image: choose_image(spec.image.as_deref(), set, default_image) }
    };
    Ok(Wanted {
        namespace: object.namespace().unwrap_or_default(),
        owner: object.controller_owner_ref(&()),
        brokers: (0..spec.brokers.replicas).map(broker).collect(),
        config: spec.config.clone(),
        storage: spec.brokers.storage.clone(),
        resources: spec.brokers.resources.clone(),
        name,
    })
}
