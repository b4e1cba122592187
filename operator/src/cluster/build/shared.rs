//! What all brokers of a cluster share.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::super::names;
use super::super::validate::Wanted;
use crate::workload::{self, ADMIN_PORT, KAFKA_PORT};

/// Key of the ConfigMap, and name of the file.
pub(super) const FILE: &str = "broker.properties";

pub(super) fn config_map(wanted: &Wanted, properties: &str) -> ConfigMap {
    let labels = names::labels(&wanted.name);
    ConfigMap {
        metadata: labels.meta(
            names::config_map(&wanted.name),
            &wanted.namespace,
            wanted.owner.clone(),
        ),
        data: Some(BTreeMap::from([(FILE.to_owned(), properties.to_owned())])),
        ..Default::default()
    }
}

pub(super) fn account(wanted: &Wanted) -> ServiceAccount {
    let labels = names::labels(&wanted.name);
    workload::service_account(labels.meta(
        names::common(&wanted.name),
        &wanted.namespace,
        wanted.owner.clone(),
    ))
}

pub(super) fn budget(wanted: &Wanted) -> PodDisruptionBudget {
    let labels = names::labels(&wanted.name);
    workload::budget(labels, names::common(&wanted.name), &wanted.namespace, wanted.owner.clone())
}

/// Gives each pod a name of its own; a broker must be found before it is ready, by the other brokers.
pub(super) fn headless(wanted: &Wanted) -> Service {
    let labels = names::labels(&wanted.name);
    let meta = labels.meta(names::headless(&wanted.name), &wanted.namespace, wanted.owner.clone());
    workload::headless(meta, labels.selector(), &[("kafka", KAFKA_PORT), ("admin", ADMIN_PORT)])
}

/// The address that clients begin with: any ready broker.
pub(super) fn bootstrap(wanted: &Wanted) -> Service {
    let labels = names::labels(&wanted.name);
    let meta = labels.meta(
        names::bootstrap_service(&wanted.name),
        &wanted.namespace,
        wanted.owner.clone(),
    );
    workload::service(meta, labels.selector(), &[("kafka", KAFKA_PORT)])
}
