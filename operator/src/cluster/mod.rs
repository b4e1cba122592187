//! `Cluster`: one StatefulSet of one pod for each broker, so that each can change, grow and go by itself, with
//! volumes that the operator makes and never deletes.

mod apply;
mod build;
mod dereference;
mod names;
mod status;
mod validate;

use std::time::Duration;

use crds::{Cluster, ClusterStatus};
use kube::ResourceExt as _;

use crate::api::{self, ApiFailure};
use crate::context::Context;
use crate::drive::{Outcome, reconciled};
use crate::verdict::Verdict;

pub(crate) use names::bootstrap;

reconciled!(Cluster, ClusterStatus, cluster);

/// When to look again at a cluster that is ready: brokers that cannot be reached send no event.
const RESYNC: Duration = Duration::from_secs(60);
/// When to look again while something is on its way; events of the StatefulSets usually come first.
const POLL: Duration = Duration::from_secs(2);

async fn reconcile(object: &Cluster, ctx: &Context) -> Result<Outcome<ClusterStatus>, ApiFailure> {
    if api::is_deleted(object) {
        ctx.kafka.forget(&bootstrap(&object.name_any(), &object.namespace().unwrap_or_default()));
        return Ok(Outcome::Gone);
    }
    let live = dereference::dereference(object, ctx).await?;
    let wanted = match validate::validate(object, &live, &ctx.config.image) {
        Ok(wanted) => wanted,
        Err(verdict) => {
            let status = object.status.clone().unwrap_or_default();
            return Ok(Outcome::Found { verdict, status, again: None });
        }
    };
    let children = build::build(&wanted);
    let applied = apply::apply(ctx, children).await?;
    let (verdict, status) = status::status(ctx, &wanted, &live, &applied).await;
    let again = if matches!(verdict, Verdict::Ready(..)) { RESYNC } else { POLL };
    Ok(Outcome::Found { verdict, status, again: Some(again) })
}
