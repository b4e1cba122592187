//! Step three, pure: all child objects.

mod set;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::names;
use super::validate::Wanted;
use crate::workload::{self, ADMIN_PORT};

/// Key of the ConfigMap, and name of the file.
const FILE: &str = "app.yaml";

/// Name of the volume and of its template.
const VOLUME: &str = "state";

/// Everything that an application is made of, in the order in which it is applied.
#[derive(Debug)]
pub(crate) struct Children {
    pub(crate) account: ServiceAccount,
    pub(crate) config: ConfigMap,
    pub(crate) service: Service,
    pub(crate) budget: PodDisruptionBudget,
    pub(crate) claims: Vec<PersistentVolumeClaim>,
    /// Last: a pod must find everything else.
    pub(crate) set: StatefulSet,
}

pub(crate) fn build(wanted: &Wanted) -> Children {
    let labels = names::labels(&wanted.name);
    let common = names::common(&wanted.name);
    let meta = || labels.meta(common.clone(), &wanted.namespace, wanted.owner.clone());
    let claim = |ordinal| {
        workload::claim_of(labels, VOLUME, &common, ordinal, &wanted.namespace, &wanted.storage)
    };
    Children {
        claims: (0..wanted.replicas).map(claim).collect(),
        account: workload::service_account(meta()),
        config: ConfigMap {
            metadata: meta(),
            data: Some(BTreeMap::from([(FILE.to_owned(), wanted.app.clone())])),
            ..Default::default()
        },
        service: workload::headless(meta(), labels.selector(), &[("admin", ADMIN_PORT)]),
        budget: workload::budget(labels, common.clone(), &wanted.namespace, wanted.owner.clone()),
        set: set::stateful_set(wanted),
    }
}

#[cfg(test)]
mod tests;
