//! Step four: what pods must find reaches the API server. StatefulSets come one at a time: see [`super::perform`].

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, ResourceExt as _};

use super::build::Children;
use super::dereference::Live;
use super::identity::Known;
use super::validate::Wanted;
use crate::api::{self, ApiFailure};
use crate::context::Context;
use crate::drive::Reconciled as _;
use crate::labels::ZONE;

/// Applies everything but StatefulSets. What the cluster begins with is written down before all else. A volume
/// that cannot grow must not keep back a change of the pods, so its failure is kept for later.
pub(crate) async fn apply(
    ctx: &Context,
    wanted: &Wanted,
    children: Children,
) -> Result<Result<(), ApiFailure>, ApiFailure> {
    let manager = crds::Cluster::MANAGER;
    let client = &ctx.client;
    if let Known::New(identity) = &wanted.known {
        let object = identity.config_map(&wanted.name, &wanted.namespace);
        api::create(client, manager, &object).await?;
    }
    api::apply(client, manager, &children.account).await?;
    api::apply(client, manager, &children.config).await?;
    api::apply_all(client, manager, &children.services).await?;
    api::apply(client, manager, &children.budget).await?;
    Ok(api::apply_all(client, manager, &children.claims).await.map(|_| ()))
}

/// Copies the zone of each broker's node to its pod, which hands it to the broker as its rack; a starting broker waits for
/// it. That it cannot be read costs rack awareness and nothing else.
pub(crate) async fn copy_zones(ctx: &Context, live: &Live) {
    for pod in &live.pods {
        let known = pod.metadata.labels.as_ref().is_some_and(|l| l.contains_key(ZONE));
        let node = pod.spec.as_ref().and_then(|s| s.node_name.as_deref());
        let (false, Some(node)) = (known || api::is_deleted(pod), node) else { continue };
        if let Err(error) = copy_zone(ctx, pod, node).await {
            tracing::debug!(pod = pod.name_any(), node, %error, "failed to copy a node's zone to a pod");
        }
    }
}

async fn copy_zone(ctx: &Context, pod: &Pod, node: &str) -> Result<(), ApiFailure> {
    let found = Api::<Node>::all(ctx.client.clone()).get_opt(node).await;
    let found = found.map_err(|e| ApiFailure::new(format!("read Node {node}"), e))?;
    let zone = found.as_ref().and_then(|n| n.metadata.labels.as_ref()?.get(ZONE));
    // Without a zone the label is there and empty, and the node is not asked again.
    api::label(&ctx.client, pod, ZONE, zone.map_or("", String::as_str)).await
}
