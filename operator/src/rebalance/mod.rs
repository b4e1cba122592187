//! `Rebalance`: moves that even brokers out, proposed, approved by a person, made, and stopped on a change of mind.
//!
//! The moves are the active controller's ([`crate::safety`]): it plans them, some at a time, and what is under way is in
//! the metadata log. What the operator remembers is `status.phase`, written *before* the first move is asked for: whoever
//! finds it takes up from there, or stops what was begun. Deleting the object begins no more moves; those that are
//! under way are completed.

mod plan;

use std::time::Duration;

use crds::{Cluster, Rebalance, RebalanceStatus};
use kube::ResourceExt as _;

use self::plan::{Situation, Step};
use crate::api::{self, ApiFailure};
use crate::cluster;
use crate::context::Context;
use crate::drive::{Outcome, reconciled};
use crate::references::{self, ClusterFound};
use crate::safety::{Answer, Brokers, Done, Order, Question, SafetyFailure};
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
    let scales =
        owner.and_then(|owner| owner.status).is_some_and(|status| status.scaling.is_some());
    let situation = Situation {
        approved: object.spec.approved,
        phase: status.phase.unwrap_or_default(),
        is_of_this_spec: status.observed_generation == object.metadata.generation,
        scales,
    };
    let step = plan::next(&situation);
    let (sets, pods) = cluster::look(&ctx.client, &namespace, name).await?;
    let door = cluster::door((&ctx.http, &ctx.kafka), (name, &namespace), (&sets, &pods));
    let (status, verdict) = carry_out(&step, status, &door).await;
    let again = match (&step, &verdict) {
        (Step::Begin | Step::Stop, Verdict::Working(..)) => SOON,
        (_, Verdict::Ready(..)) => RESYNC,
        _ => POLL,
    };
    Ok(Outcome::Found { verdict, status, again: Some(again) })
}

/// Does what comes next, and says what came of it.
async fn carry_out(
    step: &Step,
    status: RebalanceStatus,
    brokers: &impl Brokers,
) -> (RebalanceStatus, Verdict) {
    let odd = || SafetyFailure::Unknown("the answer is another's".to_owned());
    match step {
        Step::Wait(verdict) => (status, verdict.clone()),
        Step::Rest => plan::rested(status),
        Step::Begin => plan::begun(status),
        Step::Propose => {
            let answer = match brokers.ask(&Question::Proposal).await {
                Ok(Answer::Proposal(proposal)) => Ok(proposal),
                Ok(_) => Err(odd()),
                Err(failure) => Err(failure),
            };
            plan::proposed(status, answer)
        }
        Step::Move => {
            let answer = match brokers.order(&Order::Spread).await {
                Ok(Done::Moves(moves)) => Ok(moves),
                Ok(_) => Err(odd()),
                Err(failure) => Err(failure),
            };
            plan::moved(status, answer)
        }
        Step::Stop => {
            // Moves off any broker are all moves.
            let stopped = match brokers.ask(&Question::Registered).await {
                Ok(Answer::Registered(ids)) => {
                    brokers.order(&Order::StopMoves(ids)).await.map(drop)
                }
                Ok(_) => Err(odd()),
                Err(failure) => Err(failure),
            };
            plan::stopped(status, stopped)
        }
    }
}

#[cfg(test)]
mod tests;
