//! What one broker has for itself: a volume and a StatefulSet of one pod.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Volume,
};

use super::super::names;
use super::super::validate::{Broker, Wanted};
use super::shared::FILE;
use crate::hash;
use crate::labels::BROKER_ID;
use crate::workload::{
    self, ADMIN_PORT, CONFIG_DIR, DATA_DIR, KAFKA_PORT, PodPlan, Probes, StatefulSetPlan,
    config_volume, mount,
};

/// Time to hand leaders over and to write everything down.
const GRACE_S: i64 = 60;

/// The volume. It has no owner: deleting the Cluster must not delete its records.
pub(super) fn claim(wanted: &Wanted, broker: &Broker) -> PersistentVolumeClaim {
    let labels = names::labels(&wanted.name);
    let mut meta = labels.meta(names::volume(&wanted.name, broker.id), &wanted.namespace, None);
    meta.labels.get_or_insert_default().extend(id_label(broker));
    workload::claim(meta, &wanted.storage)
}

pub(super) fn stateful_set(wanted: &Wanted, broker: &Broker, properties: &str) -> StatefulSet {
    let labels = names::labels(&wanted.name);
    let mut meta = labels.meta(
        names::broker(&wanted.name, broker.id),
        &wanted.namespace,
        wanted.owner.clone(),
    );
    meta.labels.get_or_insert_default().extend(id_label(broker));
    let mut selector = labels.selector();
    selector.extend(id_label(broker));
    let pod = PodPlan {
        labels,
        extra_labels: id_label(broker),
        config_hash: hash::of([properties]),
        service_account: names::common(&wanted.name),
        container: "broker",
        image: broker.image.clone(),
        args: args(wanted, broker),
        ports: vec![("kafka", KAFKA_PORT), ("admin", ADMIN_PORT)],
        probes: Probes { port: ADMIN_PORT, live: "/livez", ready: "/readyz" },
        resources: workload::resources(wanted.resources.as_ref(), ["100m", "256Mi"], "1Gi"),
        volumes: volumes(wanted, broker),
        mounts: vec![mount("data", DATA_DIR, false), mount("config", CONFIG_DIR, true)],
        grace_s: GRACE_S,
    };
    let plan = StatefulSetPlan {
        meta,
        selector,
        replicas: 1,
        service: names::headless(&wanted.name),
        template: pod.template(),
        claims: Vec::new(),
        delete_claims: false,
    };
    plan.object()
}

fn id_label(broker: &Broker) -> BTreeMap<String, String> {
    BTreeMap::from([(BROKER_ID.to_owned(), broker.id.to_string())])
}

fn args(wanted: &Wanted, broker: &Broker) -> Vec<String> {
    let host = names::host(&wanted.name, broker.id, &wanted.namespace);
    [
        "broker".to_owned(),
        format!("--node-id={}", broker.id),
        format!("--data-dir={DATA_DIR}/data"),
        format!("--listen=0.0.0.0:{KAFKA_PORT}"),
        format!("--advertise={host}:{KAFKA_PORT}"),
        format!("--admin-listen=0.0.0.0:{ADMIN_PORT}"),
        format!("--config={CONFIG_DIR}/{FILE}"),
    ]
    .into()
}

fn volumes(wanted: &Wanted, broker: &Broker) -> Vec<Volume> {
    let data = PersistentVolumeClaimVolumeSource {
        claim_name: names::volume(&wanted.name, broker.id),
        ..Default::default()
    };
    vec![
        Volume {
            name: "data".to_owned(),
            persistent_volume_claim: Some(data),
            ..Default::default()
        },
        config_volume("config", names::config_map(&wanted.name)),
    ]
}
