//! Step three, pure: all child objects.

mod broker;
mod shared;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::validate::Wanted;
use crate::properties;

/// Everything that a cluster is made of, in the order in which it is applied.
#[derive(Debug)]
pub(crate) struct Children {
    pub(crate) account: ServiceAccount,
    pub(crate) config: ConfigMap,
    pub(crate) services: Vec<Service>,
    pub(crate) budget: PodDisruptionBudget,
    pub(crate) claims: Vec<PersistentVolumeClaim>,
    /// Last: a pod must find everything else.
    pub(crate) sets: Vec<StatefulSet>,
}

pub(crate) fn build(wanted: &Wanted) -> Children {
    let properties = properties::text(&wanted.config);
    Children {
        account: shared::account(wanted),
        config: shared::config_map(wanted, &properties),
        services: vec![shared::headless(wanted), shared::bootstrap(wanted)],
        budget: shared::budget(wanted),
        claims: wanted.brokers.iter().map(|b| broker::claim(wanted, b)).collect(),
        sets: wanted.brokers.iter().map(|b| broker::stateful_set(wanted, b, &properties)).collect(),
    }
}

#[cfg(test)]
mod tests;
