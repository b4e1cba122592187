//! Step one: everything that the other steps need from outside, read once.

use crds::{Cluster, ClusterStatus};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use kube::{Client, ResourceExt as _};

use super::names;
use crate::api::{self, ApiFailure};

/// What is there.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) sets: Vec<StatefulSet>,
    pub(crate) pods: Vec<Pod>,
    /// Volumes of brokers that are or were.
    pub(crate) claims: Vec<PersistentVolumeClaim>,
    /// The status as it was last written, not as a cache has it: what it says of scaling is what is gone by.
    pub(crate) status: ClusterStatus,
    /// What the cluster began with.
    pub(crate) identity: Option<ConfigMap>,
    /// Whether the first broker has a volume, as far as that had to be known.
    pub(crate) has_volume: bool,
}

impl Live {
    /// The StatefulSet of a broker.
    pub(crate) fn set(&self, name: &str) -> Option<&StatefulSet> {
        self.sets.iter().find(|s| s.metadata.name.as_deref() == Some(name))
    }

    /// A volume.
    pub(crate) fn claim(&self, name: &str) -> Option<&PersistentVolumeClaim> {
        self.claims.iter().find(|c| c.metadata.name.as_deref() == Some(name))
    }

    /// A pod.
    pub(crate) fn pod(&self, name: &str) -> Option<&Pod> {
        self.pods.iter().find(|p| p.metadata.name.as_deref() == Some(name))
    }
}

pub(crate) async fn dereference(object: &Cluster, client: &Client) -> Result<Live, ApiFailure> {
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let labels = names::labels(&name).query();
    let identity_name = names::identity(&name);
    let (sets, pods, claims, identity, fresh) = tokio::try_join!(
        api::list::<StatefulSet>(client, &namespace, &labels),
        api::list(client, &namespace, &labels),
        api::list(client, &namespace, &labels),
        api::get::<ConfigMap>(client, &namespace, &identity_name),
        api::get::<Cluster>(client, &namespace, &name),
    )?;
    let has_volume = if identity.is_none() && sets.is_empty() {
        let first = names::volume(&name, 0);
        api::get::<PersistentVolumeClaim>(client, &namespace, &first).await?.is_some()
    } else {
        false
    };
    let status = fresh.and_then(|c| c.status).or_else(|| object.status.clone());
    Ok(Live { sets, pods, claims, status: status.unwrap_or_default(), identity, has_volume })
}
