//! Step four: the children reach the API server, pods last.

use k8s_openapi::api::apps::v1::StatefulSet;

use super::build::Children;
use crate::api::{self, ApiFailure};
use crate::context::Context;
use crate::drive::Reconciled as _;

/// What the API server made of the StatefulSet.
pub(crate) async fn apply(ctx: &Context, children: Children) -> Result<StatefulSet, ApiFailure> {
    let manager = crds::StreamsApp::MANAGER;
    let client = &ctx.client;
    api::apply(client, manager, &children.account).await?;
    api::apply(client, manager, &children.config).await?;
    api::apply(client, manager, &children.service).await?;
    api::apply(client, manager, &children.budget).await?;
    // A volume that cannot grow must not keep back a change of the pods, so it is reported after them.
    let claims = api::apply_all(client, manager, &children.claims).await;
    let set = api::apply(client, manager, &children.set).await?;
    claims.map(|_| set)
}
