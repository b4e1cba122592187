//! Step three, pure: all child objects.

mod service;
mod set;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::names;
use super::validate::Wanted;
use crate::{properties, workload};

/// Key of the ConfigMap, and name of the file.
const FILE: &str = "connect.properties";

/// Name of the volume and of its template.
const VOLUME: &str = "data";

/// Everything that a worker group is made of, in the order in which it is applied.
#[derive(Debug)]
pub(crate) struct Children {
    pub(crate) account: ServiceAccount,
    pub(crate) config: ConfigMap,
    pub(crate) services: Vec<Service>,
    pub(crate) budget: PodDisruptionBudget,
    pub(crate) claims: Vec<PersistentVolumeClaim>,
    /// Last: a pod must find everything else.
    pub(crate) set: StatefulSet,
}

pub(crate) fn build(wanted: &Wanted) -> Children {
    let labels = names::labels(&wanted.name);
    let owner = || wanted.owner.clone();
    let text = properties::text(&wanted.config);
    let common = names::common(&wanted.name);
    let claim = |ordinal| {
        workload::claim_of(labels, VOLUME, &common, ordinal, &wanted.namespace, &wanted.storage)
    };
    Children {
        claims: (0..wanted.replicas).map(claim).collect(),
        account: workload::service_account(labels.meta(common.clone(), &wanted.namespace, owner())),
        set: set::stateful_set(wanted, &text),
        config: ConfigMap {
            metadata: labels.meta(names::config_map(&wanted.name), &wanted.namespace, owner()),
            data: Some(BTreeMap::from([(FILE.to_owned(), text)])),
            ..Default::default()
        },
        services: vec![service::headless(wanted), service::rest(wanted)],
        budget: workload::budget(labels, common.clone(), &wanted.namespace, owner()),
    }
}

#[cfg(test)]
mod tests;
