//! Step two, pure: what the spec asks for, with every default filled in, or why it cannot be.

use std::collections::BTreeMap;

use crds::connect::OPERATOR_KEYS;
use crds::{Connect, Reason, Resources, Storage};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource as _, ResourceExt as _};

use super::dereference::Live;
use super::names;
use crate::properties;
use crate::references::{cluster_ready, cluster_there};
use crate::verdict::Verdict;
use crate::workload::{choose_image, live_claims};

/// How long a worker's tasks may take to have their records acknowledged and their offsets written when the pod goes. Kafka's
/// 5 s are less than a client needs to find a broker whose pod has moved; the pod is given 30 s.
const GRACEFUL_STOP_KEY: &str = "task.shutdown.graceful.timeout.ms";
const GRACEFUL_STOP_MS: &str = "20000";

/// What the worker group will be. The steps after this one do not read the spec.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) owner: Option<OwnerReference>,
    pub(crate) bootstrap: String,
    pub(crate) replicas: i32,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) storage: Storage,
    pub(crate) resources: Option<Resources>,
    pub(crate) image: String,
    /// Volume templates of the StatefulSet that is there; they cannot be changed.
    pub(crate) claims: Option<Vec<PersistentVolumeClaim>>,
}

pub(crate) fn validate(
    object: &Connect,
    live: &Live,
    default_image: &str,
) -> Result<Wanted, Verdict> {
    let spec = &object.spec;
    if spec.replicas != 1 {
        let text = format!(
            "spec.replicas is {}, and only one worker is supported so far: write replicas: 1",
            spec.replicas
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
    // Workers that cannot reach a broker only crash; those that run already go on without one.
    let reference = &spec.cluster_ref.name;
    let cluster = match live.set {
        None => cluster_ready(object, live.cluster.as_ref(), reference)?,
        Some(_) => cluster_there(object, live.cluster.as_ref(), reference)?,
    };
    let name = object.name_any();
    let mut config = internal_topics(&name);
    config.insert(GRACEFUL_STOP_KEY.to_owned(), GRACEFUL_STOP_MS.to_owned());
    config.extend(spec.config.clone());
    Ok(Wanted {
        namespace: object.namespace().unwrap_or_default(),
        owner: object.controller_owner_ref(&()),
        bootstrap: cluster.address.clone(),
        replicas: spec.replicas,
        config,
        storage: spec.storage.clone(),
        resources: spec.resources.clone(),
        image: choose_image(spec.image.as_deref(), live.set.as_ref(), default_image),
        claims: live_claims(live.set.as_ref()),
        name,
    })
}

/// Topics of this group alone, with the broker's replication factor (-1), unless the spec says otherwise.
fn internal_topics(name: &str) -> BTreeMap<String, String> {
    let group = names::group_id(name);
    let mut config = BTreeMap::new();
    for (kind, suffix) in [("config", "configs"), ("offset", "offsets"), ("status", "status")] {
        config.insert(format!("{kind}.storage.topic"), format!("{group}-{suffix}"));
        config.insert(format!("{kind}.storage.replication.factor"), "-1".to_owned());
    }
    config
}
