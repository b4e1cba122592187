//! Step four: the children reach the API server, pods last.

use k8s_openapi::api::apps::v1::StatefulSet;

use super::build::Children;
use crate::api::{self, ApiFailure};
use crate::context::Context;
use crate::drive::Reconciled as _;

/// What the API server made of the StatefulSet.
pub(crate) async fn apply(ctx: &Context, children: Children) -> Result<StatefulSet, ApiFailure> {
    let manager = crds::Connect::MANAGER;
    let client = &ctx.client;
    api::apply(client, manager, &children.account).await?;
    api::apply(client, manager, &children.config).await?;
    for service in &children.services {
        api::apply(client, manager, service).await?;
    }
    api::apply(client, manager, &children.budget).await?;
    for claim in &children.claims {
        api::apply(client, manager, claim).await?;
    }
    api::apply(client, manager, &children.set).await
}
