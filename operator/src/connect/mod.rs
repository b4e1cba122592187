//! `Connect`: a StatefulSet of workers with a volume each, and the Service of their REST API.

mod apply;
mod build;
mod dereference;
mod names;
mod status;
mod validate;

use std::time::Duration;

use crds::{Connect, ConnectStatus};

use crate::api::{self, ApiFailure};
use crate::context::Context;
use crate::drive::{Outcome, reconciled};
use crate::verdict::Verdict;

pub(crate) use names::url;

reconciled!(Connect, ConnectStatus, connect);

/// When to look again at workers that are ready.
const RESYNC: Duration = Duration::from_secs(60);
/// When to look again while something is on its way.
const POLL: Duration = Duration::from_secs(2);
/// When to look again at what cannot start yet; a change of the cluster comes by itself.
const WAIT: Duration = Duration::from_secs(5);

async fn reconcile(object: &Connect, ctx: &Context) -> Result<Outcome<ConnectStatus>, ApiFailure> {
    if api::is_deleted(object) {
        return Ok(Outcome::Gone);
    }
    let live = dereference::dereference(object, ctx).await?;
    let wanted = match validate::validate(object, &live, &ctx.config.image) {
        Ok(wanted) => wanted,
        Err(verdict) => {
            let status = object.status.clone().unwrap_or_default();
            return Ok(Outcome::Found { verdict, status, again: Some(WAIT) });
        }
    };
    let applied = apply::apply(ctx, build::build(&wanted)).await?;
    let (verdict, status) = status::status(ctx, &wanted, &live, &applied).await;
    let again = if matches!(verdict, Verdict::Ready(..)) { RESYNC } else { POLL };
    Ok(Outcome::Found { verdict, status, again: Some(again) })
}
