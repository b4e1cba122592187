//! What is asked: nothing changes.

use std::sync::Arc;
use std::time::Duration;

use quorum::MetadataImage;
use quorum::balance::{Plan, Survey, evacuate, remaining, spread, under_way};
use quorum::controller::ReadBarrier;
use quorum::node::QuorumStatus;
use quorum::safety::may_stop;
use tokio::time::{Instant, sleep};

use super::actions::MAX_PROPOSED;
use super::answers::{ProposalAnswer, QuorumAnswer, ReplicasAnswer, RestartAnswer, notes};
use super::survey;
use crate::context::Broker;

/// How long a question waits for a majority that confirms this controller.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(3);
const CONFIRM_INTERVAL: Duration = Duration::from_millis(20);

/// This node cannot say.
#[derive(Debug)]
pub(super) struct NotActive(pub(super) Option<i32>);

/// Waits until this node is known to be the active controller now, and its image as new as the question.
pub(super) async fn confirm(broker: &Broker) -> Result<QuorumStatus, NotActive> {
    let elsewhere = || NotActive(broker.quorum.leader().node_id);
    if !broker.quorum.leads() {
        return Err(elsewhere());
    }
    let asked_ms = broker.clock.monotonic_ms();
    let begun = Instant::now();
    if tokio::time::timeout(CONFIRM_TIMEOUT, broker.controller.submit(ReadBarrier)).await.is_err() {
        return Err(elsewhere());
    }
    while begun.elapsed() < CONFIRM_TIMEOUT {
        let status = broker.quorum.status().await.ok_or(NotActive(None))?;
        if status.leader != Some(broker.config.node_id) {
            return Err(NotActive(status.leader));
        }
        if is_confirmed(&status, broker.config.node_id, asked_ms) {
            return Ok(status);
        }
        sleep(CONFIRM_INTERVAL).await;
    }
    Err(elsewhere())
}

/// Whether a majority has spoken with this leader since.
fn is_confirmed(status: &QuorumStatus, own: i32, since_ms: u64) -> bool {
    let spoke = status.voters.iter().filter(|voter| {
        voter.id == own || voter.last_fetch_ms.is_some_and(|fetched| fetched >= since_ms)
    });
    spoke.count() > status.voters.len() / 2
}

pub(super) async fn restart(
    broker: &Broker,
    brokers: Vec<i32>,
) -> Result<RestartAnswer, NotActive> {
    let status = confirm(broker).await?;
    let image = broker.image();
    let verdict = may_stop(&image, &status, &brokers, |topic, partition| {
        let min = broker.configs.topic_long(&image, topic, "min.insync.replicas");
        usize::try_from(min).unwrap_or(1).clamp(1, partition.replicas.len().max(1))
    });
    Ok(RestartAnswer::of(verdict, brokers, broker.config.node_id))
}

pub(super) async fn replicas(
    broker: &Broker,
    brokers: &[i32],
) -> Result<ReplicasAnswer, NotActive> {
    confirm(broker).await?;
    let survey = survey::gather(broker).await;
    let image = broker.image();
    let blocked = evacuate(&image, &survey, brokers, 0).blocked;
    Ok(ReplicasAnswer::of(remaining(&image, &survey.sizes, brokers), blocked))
}

/// Plans on a thread that may take its time: with many partitions it takes seconds.
pub(super) async fn spread_aside(
    image: &Arc<MetadataImage>,
    survey: &Arc<Survey>,
    max_moving: usize,
) -> Result<Plan, NotActive> {
    let (image, survey) = (Arc::clone(image), Arc::clone(survey));
    let planning = tokio::task::spawn_blocking(move || spread(&image, &survey, max_moving));
    // No plan must not read as nothing to do.
    planning.await.map_err(|_| NotActive(None))
}

pub(super) async fn proposal(broker: &Broker) -> Result<ProposalAnswer, NotActive> {
    confirm(broker).await?;
    let survey = Arc::new(survey::gather(broker).await);
    let image = broker.image();
    let plan = spread_aside(&image, &survey, MAX_PROPOSED).await?;
    Ok(ProposalAnswer::of(plan, &image, under_way(&image), notes(&survey)))
}

pub(super) async fn quorum(broker: &Broker) -> Result<QuorumAnswer, NotActive> {
    let status = confirm(broker).await?;
    Ok(QuorumAnswer::of(&status, broker.clock.monotonic_ms()))
}
