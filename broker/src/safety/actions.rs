//! What is done for whoever asks. All of it is in the metadata log, so it goes on after any interruption.

use quorum::balance::{Plan, evacuate, remaining, spread, under_way};
use quorum::controller::{AlterReassignments, DrainLeaders, Reassignment, UnregisterBroker};

use super::answers::{DrainAnswer, MovesAnswer, StopAnswer, blocked_answers};
use super::questions::{NotActive, confirm};
use super::sizes;
use crate::context::Broker;
use crate::controller::SubmitError;

/// Partitions that are being moved at a time: bounds what a move costs those who use the cluster.
const MAX_MOVING: usize = 50;

/// Why an action was not carried out.
#[derive(Debug)]
pub(super) enum ActionError {
    /// Another node may do it.
    NotActive(Option<i32>),
    /// It is refused.
    Refused(String),
}

impl From<NotActive> for ActionError {
    fn from(NotActive(controller): NotActive) -> Self {
        Self::NotActive(controller)
    }
}

impl From<SubmitError> for ActionError {
    fn from(_: SubmitError) -> Self {
        Self::NotActive(None)
    }
}

pub(super) async fn drain(broker: &Broker, brokers: Vec<i32>) -> Result<DrainAnswer, ActionError> {
    confirm(broker).await?;
    let drained = broker.controller.submit(DrainLeaders { brokers }).await?;
    Ok(DrainAnswer { moved: drained.moved, left: drained.left })
}

pub(super) async fn move_off(broker: &Broker, brokers: &[i32]) -> Result<MovesAnswer, ActionError> {
    confirm(broker).await?;
    let sizes = sizes::gather(broker).await;
    let plan = evacuate(&broker.image(), &sizes, brokers, MAX_MOVING);
    let (planned, blocked) = begin(broker, plan).await?;
    let left = remaining(&broker.image(), &sizes, brokers);
    Ok(MovesAnswer {
        planned,
        moving: under_way(&broker.image()),
        left: left.replicas,
        bytes_left: left.bytes,
        blocked: blocked_answers(blocked),
    })
}

pub(super) async fn spread_out(broker: &Broker) -> Result<MovesAnswer, ActionError> {
    confirm(broker).await?;
    let sizes = sizes::gather(broker).await;
    let plan = spread(&broker.image(), &sizes, MAX_MOVING);
    let bytes_left = plan.bytes;
    let (planned, blocked) = begin(broker, plan).await?;
    let moving = under_way(&broker.image());
    Ok(MovesAnswer { planned, moving, left: moving, bytes_left, blocked: blocked_answers(blocked) })
}

pub(super) async fn stop_moves(
    broker: &Broker,
    brokers: &[i32],
) -> Result<StopAnswer, ActionError> {
    confirm(broker).await?;
    let image = broker.image();
    let moves = image.topics().iter().flat_map(|topic| {
        let off = topic.iter().filter(|(_, partition)| {
            partition.removing_replicas.iter().any(|id| brokers.contains(id))
        });
        off.map(|(partition, _)| Reassignment {
            topic: topic.name.to_string(),
            partition,
            replicas: None,
        })
    });
    let partitions: Vec<_> = moves.collect();
    let command = AlterReassignments { partitions, allow_replication_factor_change: true };
    let answers = broker.controller.submit(command).await?;
    Ok(StopAnswer { cancelled: answers.iter().filter(|answer| answer.is_ok()).count() })
}

pub(super) async fn unregister(broker: &Broker, broker_id: i32) -> Result<(), ActionError> {
    confirm(broker).await?;
    let left = remaining(&broker.image(), &Default::default(), &[broker_id]);
    if left.replicas > 0 {
        return Err(ActionError::Refused(format!(
            "broker {broker_id} still has {} replicas; evacuate it first",
            left.replicas
        )));
    }
    // One that is not registered (any more) is what was asked for.
    broker.controller.submit(UnregisterBroker { broker_id }).await?.ok();
    Ok(())
}

async fn begin(
    broker: &Broker,
    plan: Plan,
) -> Result<(usize, Vec<quorum::balance::Blocked>), ActionError> {
    if plan.moves.is_empty() {
        return Ok((0, plan.blocked));
    }
    let partitions = plan.moves;
    let command = AlterReassignments { partitions, allow_replication_factor_change: false };
    let answers = broker.controller.submit(command).await?;
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        tracing::warn!("a planned move was refused: {error}");
    }
    Ok((answers.iter().filter(|answer| answer.is_ok()).count(), plan.blocked))
}
