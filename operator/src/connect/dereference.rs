//! Step one: the cluster, the workers and their pods.

use crds::Connect;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::names;
use crate::api::{self, ApiFailure};
use crate::context::Context;
use crate::references::ClusterFound;

/// What is there.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) cluster: Option<ClusterFound>,
    pub(crate) set: Option<StatefulSet>,
    pub(crate) pods: Vec<Pod>,
}

pub(crate) async fn dereference(object: &Connect, ctx: &Context) -> Result<Live, ApiFailure> {
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let (common, labels) = (names::common(&name), names::labels(&name).query());
    let (cluster, set, pods) = tokio::try_join!(
        ClusterFound::get(ctx, &namespace, &object.spec.cluster_ref.name),
        api::get(&ctx.client, &namespace, &common),
        api::list(&ctx.client, &namespace, &labels),
    )?;
    Ok(Live { cluster, set, pods })
}
