//! `StreamsApp`: a StatefulSet of Streams workers that run the topology of the spec.

mod apply;
mod build;
mod dereference;
mod names;
mod probe;
mod status;
mod validate;

use std::time::Duration;

use crds::{StreamsApp, StreamsAppStatus};

use crate::api::{self, ApiFailure};
use crate::context::Context;
use crate::drive::{Outcome, reconciled};
use crate::verdict::Verdict;

reconciled!(StreamsApp, StreamsAppStatus, streamsapp);

/// When to ask workers that are ready for tasks and lag again.
const RESYNC: Duration = Duration::from_secs(15);
/// When to look again while something is on its way.
const POLL: Duration = Duration::from_secs(2);
/// When to look again at what cannot start yet; a change of the cluster or of a topic comes by itself.
const WAIT: Duration = Duration::from_secs(5);

async fn reconcile(
    object: &StreamsApp,
    ctx: &Context,
) -> Result<Outcome<StreamsAppStatus>, ApiFailure> {
    if api::is_deleted(object) {
        return Ok(Outcome::Gone);
    }
    let live = dereference::dereference(object, ctx).await?;
    let wanted = match validate::validate(object, &live, &ctx.config.image, ctx.config.check_app) {
        Ok(wanted) => wanted,
        Err(verdict) => {
            let status = object.status.clone().unwrap_or_default();
            return Ok(Outcome::Found { verdict, status, again: Some(WAIT) });
        }
    };
    let applied = apply::apply(ctx, build::build(&wanted)).await?;
    let workers = probe::probe(ctx, &wanted, &live.pods).await;
    let (verdict, status) = status::status(&wanted, &live, &applied, &workers);
    let again = if matches!(verdict, Verdict::Ready(..)) { RESYNC } else { POLL };
    Ok(Outcome::Found { verdict, status, again: Some(again) })
}
