//! Carries one action out. Each may be carried out again, from its beginning.

use crds::Cluster;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::dereference::Live;
use super::plan::Action;
use super::validate::Wanted;
use super::{build, names};
use crate::api::{self, ApiFailure};
use crate::context::Context;
use crate::drive::{self, Reconciled as _};
use crate::eviction;
use crate::fail_point::Moment;
use crate::labels::EVICTING;
use crate::safety::{Brokers, Done, Order, SafetyFailure, begin_limited};
use crate::verdict::Verdict;

/// What the brokers made of it; an error is the API server's.
pub(crate) async fn perform(
    ctx: &Context,
    wanted: &Wanted,
    live: &Live,
    brokers: &impl Brokers,
    action: &Action,
) -> Result<Result<Done, SafetyFailure>, ApiFailure> {
    match action {
        Action::Intend(_) => {}
        Action::Create(ids) => {
            for id in ids {
                apply_set(ctx, wanted, *id).await?;
            }
        }
        Action::Replace(ids) => {
            if let Some(pod) = evicted(ctx, wanted, ids).await? {
                return Ok(Err(SafetyFailure::Refused(format!("pod {pod} is being evicted"))));
            }
            for (nth, id) in ids.iter().enumerate() {
                if nth > 0 {
                    ctx.fail_points.reach(action.name(), Moment::Within);
                }
                apply_set(ctx, wanted, *id).await?;
            }
        }
        Action::Tell(order @ (Order::Spread | Order::Evacuate(_))) => {
            return Ok(begin_limited(brokers, wanted.bandwidth, order).await);
        }
        Action::Tell(order) => return Ok(brokers.order(order).await),
        Action::Retire(id) => {
            if let Err(failure) = brokers.order(&Order::Unregister(*id)).await {
                return Ok(Err(failure));
            }
            ctx.fail_points.reach(action.name(), Moment::Within);
            if let Some(set) = live.set(&names::broker(&wanted.name, *id)) {
                api::delete(&ctx.client, set).await?;
            }
        }
        Action::Forget { id, delete_volume } => {
            // It may have come back for a moment before it stopped.
            if let Err(failure) = brokers.order(&Order::Unregister(*id)).await {
                return Ok(Err(failure));
            }
            ctx.fail_points.reach(action.name(), Moment::Within);
            if *delete_volume {
                delete_claim(ctx, wanted, *id).await?;
            }
        }
        Action::Empty { id, claim_uid } => return empty(ctx, wanted, live, *id, claim_uid).await,
    }
    Ok(Ok(Done::Done))
}

/// Deletes a broker's claim, which stays until no pod holds it, then its pod. Both are those that were looked at, by
/// their UIDs.
async fn empty(
    ctx: &Context,
    wanted: &Wanted,
    live: &Live,
    id: i32,
    claim_uid: &str,
) -> Result<Result<Done, SafetyFailure>, ApiFailure> {
    let pod = live.pod(&names::pod(&wanted.name, id)).filter(|pod| !api::is_deleted(*pod));
    if let Some(pod) = pod {
        // As an eviction does: first it is marked, then others are looked for, so that of two one sees the other.
        api::annotate(&ctx.client, pod, EVICTING, &Timestamp::now().to_string()).await?;
    }
    if let Some(pod) = evicted(ctx, wanted, &[id]).await? {
        return Ok(Err(SafetyFailure::Refused(format!("pod {pod} is being evicted"))));
    }
    let claim = live.claim(&names::volume(&wanted.name, id));
    if let Some(claim) = claim.filter(|claim| claim.uid().as_deref() == Some(claim_uid)) {
        api::delete(&ctx.client, claim).await?;
    }
    ctx.fail_points.reach("empty", Moment::Within);
    if let Some(pod) = pod {
        api::delete(&ctx.client, pod).await?;
    }
    Ok(Ok(Done::Done))
}

/// A broker, but these, whose eviction was granted since the pods were last looked at.
async fn evicted(
    ctx: &Context,
    wanted: &Wanted,
    ids: &[i32],
) -> Result<Option<String>, ApiFailure> {
    let labels = names::labels(&wanted.name).query();
    let pods = api::list::<Pod>(&ctx.client, &wanted.namespace, &labels).await?;
    let own: Vec<String> = ids.iter().map(|id| names::pod(&wanted.name, *id)).collect();
    let now = Timestamp::now();
    let other = pods.iter().find(|pod| !own.contains(&pod.name_any()) && eviction::going(pod, now));
    Ok(other.map(|pod| pod.name_any()))
}

async fn apply_set(ctx: &Context, wanted: &Wanted, id: i32) -> Result<(), ApiFailure> {
    let Some(set) = build::set(wanted, id) else { return Ok(()) };
    api::apply(&ctx.client, Cluster::MANAGER, &set).await.map(|_| ())
}

async fn delete_claim(ctx: &Context, wanted: &Wanted, id: i32) -> Result<(), ApiFailure> {
    let name = names::volume(&wanted.name, id);
    let claim = api::get::<PersistentVolumeClaim>(&ctx.client, &wanted.namespace, &name).await?;
    match claim {
        Some(claim) => api::delete(&ctx.client, &claim).await,
        None => Ok(()),
    }
}

/// Says what is being done in an Event. What is told to the brokers again and again is in the status instead.
pub(crate) async fn tell(object: &Cluster, ctx: &Context, action: &Action, said: &Verdict) {
    let quiet =
        matches!(action, Action::Intend(_) | Action::Tell(Order::Evacuate(_) | Order::Spread));
    if quiet {
        tracing::debug!(cluster = object.name_any(), ?action, "one step");
    } else {
        drive::publish(object, ctx, said).await;
    }
}
