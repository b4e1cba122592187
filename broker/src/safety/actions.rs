//! What is done for whoever asks. All of it is in the metadata log, so it goes on after any interruption.

use std::sync::Arc;

use quorum::balance::{Plan, bytes_under_way, evacuate, misfits, remaining, resize, under_way};
use quorum::controller::{AlterReassignments, DrainLeaders, Reassignment, UnregisterBroker};

use super::answers::{DrainAnswer, MovesAnswer, StopAnswer, blocked_answers, notes};
use super::questions::{NotActive, confirm, spread_aside};
use super::survey;
use crate::context::Broker;
use crate::controller::SubmitError;

/// Partitions that are being moved at a time: bounds what a move costs those who use the cluster.
const MAX_MOVING: usize = 50;
/// Moves that are planned ahead at most, to say how many there will be.
pub(super) const MAX_PROPOSED: usize = 10_000;

/// Why an action was not carried out.
#[derive(Debug)]
pub(super) enum ActionError {
    /// Another node may do it.
    NotActive(Option<i32>),
    /// It is refused.
    Refused(String),
    /// What it is about does not exist.
    Missing(String),
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
    let survey = survey::gather(broker).await;
    let plan = evacuate(&broker.image(), &survey, brokers, MAX_MOVING);
    let (planned, blocked) = begin(broker, plan, false).await?;
    let left = remaining(&broker.image(), &survey.sizes, brokers);
    Ok(MovesAnswer {
        planned,
        moving: under_way(&broker.image()),
        left: left.replicas,
        bytes_left: left.bytes,
        blocked: blocked_answers(blocked),
        notes: notes(&survey),
    })
}

pub(super) async fn spread_out(broker: &Broker) -> Result<MovesAnswer, ActionError> {
    confirm(broker).await?;
    let survey = Arc::new(survey::gather(broker).await);
    let image = broker.image();
    let whole = spread_aside(&image, &survey, MAX_PROPOSED).await?;
    let next = spread_aside(&image, &survey, MAX_MOVING).await?;
    let (planned, blocked) = begin(broker, next, false).await?;
    let moving = under_way(&broker.image());
    // Moves that are refused must not look like moves to come.
    let to_come = if moving + planned == 0 { 0 } else { whole.moves.len().saturating_sub(planned) };
    Ok(MovesAnswer {
        planned,
        moving,
        left: moving + to_come,
        bytes_left: bytes_under_way(&image, &survey.sizes) + whole.bytes,
        blocked: blocked_answers(blocked),
        notes: notes(&survey),
    })
}

pub(super) async fn resize_topic(
    broker: &Broker,
    topic: &str,
    replicas: usize,
) -> Result<MovesAnswer, ActionError> {
    confirm(broker).await?;
    let survey = survey::gather(broker).await;
    let image = broker.image();
    let missing = || ActionError::Missing(format!("there is no topic {topic}"));
    let known = image.topic(topic).ok_or_else(missing)?;
    let min = broker.configs.topic_long(&image, known, "min.insync.replicas");
    if i64::try_from(replicas).is_ok_and(|replicas| replicas < min) {
        return Err(ActionError::Refused(format!(
            "topic {topic} has min.insync.replicas={min}: with fewer replicas ({replicas}) nothing could be written with acks=all; \
             lower it first"
        )));
    }
    let plan = resize(&image, &survey, topic, replicas, MAX_MOVING).ok_or_else(missing)?;
    let (planned, blocked) = begin(broker, plan, true).await?;
    let left = misfits(&broker.image(), &survey.sizes, topic, replicas).ok_or_else(missing)?;
    Ok(MovesAnswer {
        planned,
        moving: left.moving,
        left: left.partitions,
        bytes_left: left.bytes,
        blocked: blocked_answers(blocked),
        notes: notes(&survey),
    })
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
    allow_replication_factor_change: bool,
) -> Result<(usize, Vec<quorum::balance::Blocked>), ActionError> {
    if plan.moves.is_empty() {
        return Ok((0, plan.blocked));
    }
    let partitions = plan.moves;
    let command = AlterReassignments { partitions, allow_replication_factor_change };
    let answers = broker.controller.submit(command).await?;
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        tracing::warn!("a planned move was refused: {error}");
    }
    Ok((answers.iter().filter(|answer| answer.is_ok()).count(), plan.blocked))
}
