//! `Connector`: created, configured, started and stopped through the REST API of its Connect.

mod apply;
mod dereference;
mod plan;
mod status;
mod validate;

use std::time::Duration;

use crds::{Connector, ConnectorStatus, Reason};
use kube::ResourceExt as _;

use crate::api::{self, ApiFailure};
use crate::connect_rest::RestFailure;
use crate::context::Context;
use crate::drive::{Outcome, reconciled};
use crate::finalizer;
use crate::verdict::Verdict;

reconciled!(Connector, ConnectorStatus, connector);

/// When to ask for the state again: Connect tells nobody when a task fails.
const RESYNC: Duration = Duration::from_secs(10);
/// When to look again at what waits for its Connect; a change of that comes by itself.
const WAIT: Duration = Duration::from_secs(5);
/// When to ask again while something is on its way.
const POLL: Duration = Duration::from_secs(1);

async fn reconcile(
    object: &Connector,
    ctx: &Context,
) -> Result<Outcome<ConnectorStatus>, ApiFailure> {
    if api::is_deleted(object) {
        return delete(object, ctx).await;
    }
    finalizer::set(&ctx.client, object, true).await?;
    let found = dereference::dereference(object, ctx).await?;
    let (verdict, status) = match validate::validate(object, &found) {
        Ok(wanted) => match carry_out(ctx, &wanted).await {
            Ok(both) => both,
            Err(failure) => (because(failure), object.status.clone().unwrap_or_default()),
        },
        Err(verdict) => (verdict, object.status.clone().unwrap_or_default()),
    };
    let again = match &verdict {
        Verdict::Working(Reason::ConnectNotReady | Reason::ConnectNotFound, _) => WAIT,
        Verdict::Working(..) => POLL,
        Verdict::Ready(..) | Verdict::Stalled(..) => RESYNC,
    };
    Ok(Outcome::Found { verdict, status, again: Some(again) })
}

/// One order, if one is needed, else the state.
async fn carry_out(
    ctx: &Context,
    wanted: &validate::Wanted,
) -> Result<(Verdict, ConnectorStatus), RestFailure> {
    let live = apply::look(ctx, wanted).await?;
    if let Some(change) = plan::plan(wanted, &live) {
        tracing::info!(connector = wanted.name, change = change.describe(), "changing a connector");
        apply::apply(ctx, wanted, &change).await?;
        let status =
            live.info.as_ref().map(|info| status::copy(info, &wanted.config)).unwrap_or_default();
        return Ok((Verdict::working(Reason::Applying, change.describe()), status));
    }
    Ok(status::status(wanted, &live))
}

fn because(failure: RestFailure) -> Verdict {
    match failure {
        RestFailure::Refused(text) => Verdict::stalled(Reason::ConnectorRefused, text),
        RestFailure::Later(text) => {
            Verdict::working(Reason::Unreachable, format!("the Connect workers: {text}"))
        }
    }
}

/// The object goes: the connector too, unless its Connect is gone already.
async fn delete(object: &Connector, ctx: &Context) -> Result<Outcome<ConnectorStatus>, ApiFailure> {
    if !finalizer::has(object) {
        return Ok(Outcome::Gone);
    }
    let found = dereference::dereference(object, ctx).await?;
    if let Some(connect) = found.connect.filter(|c| !c.deleting)
        && let Err(failure) = ctx.connect.delete(&connect.url, &object.name_any()).await
    {
        let text = format!("the connector could not be deleted from its workers: {failure}");
        let status = object.status.clone().unwrap_or_default();
        let verdict = Verdict::working(Reason::Deleting, text);
        return Ok(Outcome::Found { verdict, status, again: Some(POLL) });
    }
    finalizer::set(&ctx.client, object, false).await?;
    Ok(Outcome::Gone)
}
