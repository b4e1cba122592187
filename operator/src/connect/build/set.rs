//! The workers.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::super::names;
use super::super::validate::Wanted;
use super::{FILE, VOLUME};
use crate::hash;
use crate::workload::{
    self, CONFIG_DIR, DATA_DIR, PodPlan, Probes, REST_PORT, StatefulSetPlan, config_volume, mount,
};

/// Time for tasks to stop and offsets to be written.
const GRACE_S: i64 = 30;

pub(super) fn stateful_set(wanted: &Wanted, properties: &str) -> StatefulSet {
    let labels = names::labels(&wanted.name);
    let pod = PodPlan {
        labels,
        extra_labels: BTreeMap::new(),
        config_hash: hash::of([properties]),
        service_account: names::common(&wanted.name),
        container: "connect",
        image: wanted.image.clone(),
        args: args(wanted),
        ports: vec![("rest", REST_PORT)],
        probes: Probes { port: REST_PORT, live: "/health", ready: "/health" },
        resources: workload::resources(wanted.resources.as_ref(), ["100m", "128Mi"], "1Gi"),
        volumes: vec![config_volume("config", names::config_map(&wanted.name))],
        mounts: vec![mount(VOLUME, DATA_DIR, false), mount("config", CONFIG_DIR, true)],
        grace_s: GRACE_S,
        apart: false,
    };
    let claim = || {
        let meta = ObjectMeta {
            name: Some(VOLUME.to_owned()),
            labels: Some(labels.all()),
            ..Default::default()
        };
        vec![workload::claim(meta, &wanted.storage)]
    };
    let plan = StatefulSetPlan {
        meta: labels.meta(names::common(&wanted.name), &wanted.namespace, wanted.owner.clone()),
        selector: labels.selector(),
        replicas: wanted.replicas,
        service: names::headless(&wanted.name),
        template: pod.template(),
        claims: wanted.claims.clone().unwrap_or_else(claim),
        delete_claims: false,
    };
    plan.object()
}

/// `$(POD_NAME)` is filled in by the kubelet.
fn args(wanted: &Wanted) -> Vec<String> {
    let host = format!("$(POD_NAME).{}.{}.svc", names::headless(&wanted.name), wanted.namespace);
    [
        "connect".to_owned(),
        format!("--bootstrap={}", wanted.bootstrap),
        format!("--rest-listen=0.0.0.0:{REST_PORT}"),
        format!("--files-dir={DATA_DIR}/files"),
        format!("--group-id={}", names::group_id(&wanted.name)),
        format!("--advertise-url=http://{host}:{REST_PORT}"),
        format!("--config={CONFIG_DIR}/{FILE}"),
    ]
    .into()
}
