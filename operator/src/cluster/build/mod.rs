//! Step three, pure: all child objects.

mod broker;
mod shared;

pub(crate) use broker::is_current;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::validate::Wanted;
use crate::properties;

/// Everything that pods must find, in the order in which it is applied.
#[derive(Debug)]
pub(crate) struct Children {
    pub(crate) account: ServiceAccount,
    pub(crate) config: ConfigMap,
    pub(crate) services: Vec<Service>,
    pub(crate) budget: PodDisruptionBudget,
    /// One a broker that should be.
    pub(crate) claims: Vec<PersistentVolumeClaim>,
}

pub(crate) fn build(wanted: &Wanted) -> Children {
    let properties = properties::text(&wanted.config);
    Children {
        account: shared::account(wanted),
        config: shared::config_map(wanted, &properties),
        services: vec![shared::headless(wanted), shared::bootstrap(wanted)],
        budget: shared::budget(wanted),
        claims: wanted.brokers.iter().map(|b| broker::claim(wanted, b)).collect(),
    }
}

/// The StatefulSet of one broker that should be. It is applied when it is that broker's turn, and not before.
pub(crate) fn set(wanted: &Wanted, id: i32) -> Option<StatefulSet> {
    let broker = wanted.brokers.iter().find(|b| b.id == id)?;
    Some(broker::stateful_set(wanted, broker, &properties::text(&wanted.config)))
}

#[cfg(test)]
mod tests;
