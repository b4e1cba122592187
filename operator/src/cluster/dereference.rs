//! Step one: everything that the other steps need from outside, read once.

use crds::Cluster;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::names;
use crate::api::{self, ApiFailure};
use crate::context::Context;

/// What is there.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) sets: Vec<StatefulSet>,
    pub(crate) pods: Vec<Pod>,
}

impl Live {
    /// The StatefulSet of a broker.
    pub(crate) fn set(&self, name: &str) -> Option<&StatefulSet> {
        self.sets.iter().find(|s| s.metadata.name.as_deref() == Some(name))
    }

    /// A pod.
    pub(crate) fn pod(&self, name: &str) -> Option<&Pod> {
        self.pods.iter().find(|p| p.metadata.name.as_deref() == Some(name))
    }
}

pub(crate) async fn dereference(object: &Cluster, ctx: &Context) -> Result<Live, ApiFailure> {
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let labels = names::labels(&name).query();
    let (sets, pods) = tokio::try_join!(
        api::list(&ctx.client, &namespace, &labels),
        api::list(&ctx.client, &namespace, &labels),
    )?;
    Ok(Live { sets, pods })
}
