//! What one broker has for itself: a volume and a StatefulSet of one pod.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, ResourceRequirements, Volume,
};

use super::super::names;
use super::super::validate::{Broker, Wanted};
use super::shared::FILE;
use crate::hash;
use crate::labels::{BROKER_ID, CONFIG_HASH, SPEC_HASH};
use crate::properties;
use crate::workload::{
    self, ADMIN_PORT, CONFIG_DIR, DATA_DIR, KAFKA_PORT, PodPlan, Probes, StatefulSetPlan,
    config_volume, labels_volume, mount, same_resources,
};

/// Where a broker finds the labels of its pod.
const POD_DIR: &str = "/etc/vltava-pod";
const LABELS_FILE: &str = "labels";
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
    meta.annotations = Some(BTreeMap::from([(
        SPEC_HASH.to_owned(),
        spec_hash(properties, &broker.image, &resources(wanted)),
    )]));
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
        resources: resources(wanted),
        volumes: volumes(wanted, broker),
        mounts: vec![
            mount("data", DATA_DIR, false),
            mount("config", CONFIG_DIR, true),
            mount("pod", POD_DIR, true),
        ],
        grace_s: GRACE_S,
        apart: true,
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
    let mut args = vec![
        "broker".to_owned(),
        format!("--node-id={}", broker.id),
        format!("--data-dir={DATA_DIR}/data"),
        format!("--listen=0.0.0.0:{KAFKA_PORT}"),
        format!("--advertise={host}:{KAFKA_PORT}"),
        format!("--admin-listen=0.0.0.0:{ADMIN_PORT}"),
        format!("--config={CONFIG_DIR}/{FILE}"),
        format!("--rack-from={POD_DIR}/{LABELS_FILE}"),
    ];
    if let Some(identity) = wanted.identity() {
        args.extend(identity.args(&wanted.name, &wanted.namespace));
    }
    args
}

fn resources(wanted: &Wanted) -> ResourceRequirements {
    workload::resources(wanted.resources.as_ref(), ["100m", "256Mi"], "1Gi")
}

/// Everything that a person asks for and that a running broker cannot take up. What else is in a template changes
/// with the operator's release, and waits until the broker restarts for a reason of the person's.
fn spec_hash(properties: &str, image: &str, resources: &ResourceRequirements) -> String {
    let resources = serde_json::to_string(resources).unwrap_or_default();
    hash::of([properties, image, &resources])
}

/// Whether a StatefulSet is what the spec asks for.
pub(crate) fn is_current(wanted: &Wanted, broker: &Broker, set: &StatefulSet) -> bool {
    let (properties, resources) = (properties::text(&wanted.config), resources(wanted));
    if let Some(hash) = set.metadata.annotations.as_ref().and_then(|a| a.get(SPEC_HASH)) {
        return *hash == spec_hash(&properties, &broker.image, &resources);
    }
    // From before there was such a hash.
    let Some(template) = set.spec.as_ref().map(|s| &s.template) else { return false };
    let annotations = template.metadata.as_ref().and_then(|m| m.annotations.as_ref());
    let container = template.spec.as_ref().and_then(|s| s.containers.first());
    annotations.and_then(|a| a.get(CONFIG_HASH)) == Some(&hash::of([properties.as_str()]))
        && container.is_some_and(|c| {
            c.image.as_deref() == Some(&broker.image)
                && same_resources(&resources, &c.resources.clone().unwrap_or_default())
        })
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
        // With the zone, which the operator copies from the node: brokers have no rights to look.
        labels_volume("pod", LABELS_FILE),
    ]
}
