//! The workers.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::super::names;
use super::super::validate::Wanted;
use super::{FILE, VOLUME};
use crate::hash;
use crate::workload::{
    self, ADMIN_PORT, CONFIG_DIR, DATA_DIR, PodPlan, Probes, StatefulSetPlan, config_volume, mount,
};

/// Time to commit and to flush state.
const GRACE_S: i64 = 30;

pub(super) fn stateful_set(wanted: &Wanted) -> StatefulSet {
    let labels = names::labels(&wanted.name);
    let common = names::common(&wanted.name);
    let pod = PodPlan {
        labels,
        extra_labels: BTreeMap::new(),
        config_hash: hash::of([wanted.app.as_str()]),
        service_account: common.clone(),
        container: "streams",
        image: wanted.image.clone(),
        args: args(wanted),
        ports: vec![("admin", ADMIN_PORT)],
        probes: Probes { port: ADMIN_PORT, live: "/livez", ready: "/readyz" },
        resources: workload::resources(wanted.resources.as_ref(), ["100m", "128Mi"], "1Gi"),
        volumes: vec![config_volume("config", common.clone())],
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
        meta: labels.meta(common.clone(), &wanted.namespace, wanted.owner.clone()),
        selector: labels.selector(),
        replicas: wanted.replicas,
        service: common,
        template: pod.template(),
        claims: wanted.claims.clone().unwrap_or_else(claim),
        // State is in changelog topics too, so its volumes may go with the application.
        delete_claims: true,
    };
    plan.object()
}

fn args(wanted: &Wanted) -> Vec<String> {
    [
        "streams".to_owned(),
        format!("--app={CONFIG_DIR}/{FILE}"),
        format!("--bootstrap={}", wanted.bootstrap),
        format!("--state-dir={DATA_DIR}/state"),
        format!("--admin-listen=0.0.0.0:{ADMIN_PORT}"),
    ]
    .into()
}
