//! `Rebalance`: moves that even brokers out, proposed, approved by a person, made, and stopped on a change of mind.
//!
//! The moves are the active controller's ([`crate::safety`]): it plans them, some at a time, and what is under way is in
//! the metadata log. What the operator remembers is `status.phase`, written *before* the first move is asked for: whoever
//! finds it takes up from there, or stops what was begun. Deleting the object begins no more moves; those that are
//! under way are completed.

mod plan;

use std::time::Duration;

use crds::{Cluster, Reason, Rebalance, RebalanceStatus};
use kube::ResourceExt as _;

use self::plan::{Situation, Step};
use crate::api::{self, ApiFailure};
use crate::cluster;
use crate::context::Context;
use crate::drive::{Outcome, reconciled};
use crate::references::{self, ClusterFound};
use crate::safety::{Answer, Brokers, Done, Order, Question, SafetyFailure, begin_limited};
use crate::verdict::Verdict;

reconciled!(Rebalance, RebalanceStatus, rebalance);

/// When to plan a proposal anew: partitions grow and move.
const RESYNC: Duration = Duration::from_secs(60);
/// When to look again at what moves, and to begin the next moves.
const POLL: Duration = Duration::from_secs(2);
/// When to go on after an intent has been written down.
const SOON: Duration = Duration::from_millis(50);

async fn reconcile(
    object: &Rebalance,
    ctx: &Context,
) -> Result<Outcome<RebalanceStatus>, ApiFailure> {
    if api::is_deleted(object) {
        return Ok(Outcome::Gone);
    }
    let namespace = object.namespace().unwrap_or_default();
    let name = &object.spec.cluster_ref.name;
    // As it was last written, not as a cache has it: the phase is what is gone by.
    let fresh = api::get::<Rebalance>(&ctx.client, &namespace, &object.name_any()).await?;
    let status = fresh.and_then(|fresh| fresh.status).unwrap_or_default();
    let found = ClusterFound::get(ctx, &namespace, name).await?;
    if let Err(verdict) = references::cluster_there(object, found.as_ref(), name) {
        return Ok(Outcome::Found { verdict, status, again: Some(POLL) });
    }
    let owner = api::get::<Cluster>(&ctx.client, &namespace, name).await?;
    let limits = match limits(object, owner.as_ref()) {
        Ok(limits) => limits,
        Err(verdict) => return Ok(Outcome::Found { verdict, status, again: Some(POLL) }),
    };
    let scales =
        owner.and_then(|owner| owner.status).is_some_and(|status| status.scaling.is_some());
    let situation = Situation {
        approved: object.spec.approved,
        phase: status.phase.unwrap_or_default(),
        is_of_this_spec: status.observed_generation == object.metadata.generation,
        scales,
        owes_note: limits.own && status.limit_before.is_none(),
    };
    let step = plan::next(&situation);
    let (sets, pods) = cluster::look(&ctx.client, &namespace, name).await?;
    let door = cluster::door((&ctx.http, &ctx.kafka), (name, &namespace), (&sets, &pods));
    let (status, verdict) = carry_out(&step, status, limits, &door).await;
    let again = match (&step, &verdict) {
        (Step::Begin | Step::Stop, Verdict::Working(..)) => SOON,
        (_, Verdict::Ready(..)) => RESYNC,
        _ => POLL,
    };
    Ok(Outcome::Found { verdict, status, again: Some(again) })
}

/// What the moves may take of each broker.
#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    /// Bytes a second, one way.
    bandwidth: Option<u64>,
    /// Whether that is the Rebalance's own, and so holds as long as it.
    own: bool,
}

fn limits(object: &Rebalance, cluster: Option<&Cluster>) -> Result<Limits, Verdict> {
    if let Some(text) = object.spec.bandwidth.as_deref() {
        let bandwidth = cluster::bytes_per_second(text).map_err(|problem| {
            Verdict::stalled(Reason::InvalidSpec, format!("spec.bandwidth {problem}"))
        })?;
        return Ok(Limits { bandwidth: Some(bandwidth), own: true });
    }
    let bandwidth = cluster.map_or(Ok(None), cluster::bandwidth).map_err(|problem| {
        let text = format!("the Cluster's spec.rebalance.bandwidth {problem}");
        Verdict::working(Reason::ClusterNotReady, text)
    })?;
    Ok(Limits { bandwidth, own: false })
}

/// Puts back the limit that was there before, if there is one to put back.
async fn put_back(status: &RebalanceStatus, brokers: &impl Brokers) -> Result<(), SafetyFailure> {
    let Some(before) = status.limit_before else { return Ok(()) };
    let limit = before.bytes_per_second.and_then(|limit| u64::try_from(limit).ok());
    brokers.order(&Order::Limit(limit)).await.map(drop)
}

/// Does what comes next, and says what came of it.
async fn carry_out(
    step: &Step,
    status: RebalanceStatus,
    limits: Limits,
    brokers: &impl Brokers,
) -> (RebalanceStatus, Verdict) {
    match step {
        Step::Wait(verdict) => (status, verdict.clone()),
        Step::Rest => plan::rested(status),
        Step::Begin if limits.own && status.limit_before.is_none() => {
            let before = match brokers.ask(&Question::Bandwidth).await {
                Ok(Answer::Bandwidth(before)) => Ok(before),
                Ok(_) => Err(SafetyFailure::mismatched()),
                Err(failure) => Err(failure),
            };
            plan::begun(status, Some(before))
        }
        Step::Begin => plan::begun(status, None),
        Step::Propose => {
            let answer = match brokers.ask(&Question::Proposal).await {
                Ok(Answer::Proposal(proposal)) => Ok(proposal),
                Ok(_) => Err(SafetyFailure::mismatched()),
                Err(failure) => Err(failure),
            };
            plan::proposed(status, answer)
        }
        Step::Move => {
            let mut answer = match begin_limited(brokers, limits.bandwidth, &Order::Spread).await {
                Ok(Done::Moves(moves)) => Ok(moves),
                Ok(_) => Err(SafetyFailure::mismatched()),
                Err(failure) => Err(failure),
            };
            // Before it is written down that all is done: whoever is killed in between does both again.
            if answer.as_ref().is_ok_and(plan::is_done)
                && let Err(failure) = put_back(&status, brokers).await
            {
                answer = Err(failure);
            }
            plan::moved(status, limits.bandwidth, answer)
        }
        Step::Stop => {
            // Moves off any broker are all moves.
            let stopped = match brokers.ask(&Question::Registered).await {
                Ok(Answer::Registered(ids)) => {
                    brokers.order(&Order::StopMoves(ids)).await.map(drop)
                }
                Ok(_) => Err(SafetyFailure::mismatched()),
                Err(failure) => Err(failure),
            };
            let stopped = match stopped {
                Ok(()) => put_back(&status, brokers).await,
                failed => failed,
            };
            plan::stopped(status, stopped)
        }
    }
}

#[cfg(test)]
mod tests;
