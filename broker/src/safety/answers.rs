use std::collections::BTreeMap;

use quorum::MetadataImage;
use quorum::balance::{Blocked, Plan, Remaining, Survey};
use quorum::node::{QuorumStatus, ReplicaStatus};
use quorum::safety::{Reason, Verdict};
use serde::Serialize;

/// Moves of a proposal that are listed.
const MAX_SHOWN: usize = 100;

/// To `/safety/restart`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RestartAnswer {
    pub(super) safe: bool,
    pub(super) brokers: Vec<i32>,
    pub(super) reasons: Vec<ReasonAnswer>,
    /// What will be unavailable meanwhile, whatever is done.
    pub(super) unavoidable: Vec<ReasonAnswer>,
    /// Partitions led, by broker.
    pub(super) leaders: BTreeMap<i32, usize>,
    /// The active controller's node id.
    pub(super) controller: i32,
}

/// One thing that says no.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReasonAnswer {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
    message: String,
}

/// To `/safety/replicas`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplicasAnswer {
    replicas: usize,
    leaders: usize,
    moving: usize,
    bytes_left: u64,
    /// Replicas that are not in sync.
    behind: usize,
    /// Partitions of which no other active broker has everything.
    sole: usize,
    topics: Vec<String>,
    sole_topics: Vec<String>,
    blocked: Vec<BlockedAnswer>,
}

/// What keeps a topic where it is.
#[derive(Debug, Serialize)]
pub(super) struct BlockedAnswer {
    topic: String,
    message: String,
}

/// To `/safety/evacuate` and `/safety/spread`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MovesAnswer {
    /// Moves that this request began.
    pub(super) planned: usize,
    /// Partitions that are being moved.
    pub(super) moving: usize,
    /// Replicas that are still to go; for a spread, moves that remain.
    pub(super) left: usize,
    pub(super) bytes_left: u64,
    pub(super) blocked: Vec<BlockedAnswer>,
    /// What was not known when it was planned.
    pub(super) notes: Vec<String>,
}

/// To `GET /safety/spread`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProposalAnswer {
    /// Partitions that would be moved.
    moves: usize,
    /// Bytes that would be copied.
    bytes: u64,
    /// Partitions that are being moved already.
    moving: usize,
    /// The first of them.
    partitions: Vec<MoveAnswer>,
    blocked: Vec<BlockedAnswer>,
    /// What was not known when it was planned.
    notes: Vec<String>,
}

/// A partition that would be moved.
#[derive(Debug, Serialize)]
struct MoveAnswer {
    topic: String,
    partition: i32,
    from: Vec<i32>,
    to: Vec<i32>,
}

/// To `GET /safety/bandwidth`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BandwidthAnswer {
    /// Null when none is set for all brokers.
    pub(super) bytes_per_second: Option<i64>,
}

/// To `/safety/drain`.
#[derive(Debug, Serialize)]
pub(super) struct DrainAnswer {
    pub(super) moved: usize,
    pub(super) left: usize,
}

/// To `/safety/stop-moves`.
#[derive(Debug, Serialize)]
pub(super) struct StopAnswer {
    pub(super) cancelled: usize,
}

/// A refusal, or that there is no answer here.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) controller: Option<i32>,
}

/// To `/safety/quorum`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QuorumAnswer {
    leader: Option<i32>,
    epoch: i32,
    high_watermark: u64,
    voters: Vec<VoterAnswer>,
    observers: Vec<VoterAnswer>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VoterAnswer {
    id: i32,
    directory_id: String,
    log_end_offset: Option<u64>,
    /// Records that it does not have yet.
    lag: Option<u64>,
    /// Milliseconds since it last had everything.
    last_caught_up_ms: Option<u64>,
}

impl RestartAnswer {
    pub(super) fn of(verdict: Verdict, brokers: Vec<i32>, controller: i32) -> Self {
        let all = |reasons: Vec<Reason>| reasons.into_iter().map(ReasonAnswer::of).collect();
        Self {
            safe: verdict.reasons.is_empty(),
            brokers,
            reasons: all(verdict.reasons),
            unavoidable: all(verdict.unavoidable),
            leaders: verdict.leaders,
            controller,
        }
    }
}

impl ReasonAnswer {
    fn of(reason: Reason) -> Self {
        let message = reason.to_string();
        let (kind, topic, partition) = match reason {
            Reason::Partition { topic, partition, .. } => {
                ("partition", Some(topic.to_string()), Some(partition))
            }
            Reason::Quorum { .. } => ("quorum", None, None),
            Reason::UnknownBroker(_) => ("broker", None, None),
        };
        Self { kind, topic, partition, message }
    }
}

impl ProposalAnswer {
    pub(super) fn of(plan: Plan, image: &MetadataImage, moving: usize, notes: Vec<String>) -> Self {
        let shown = plan.moves.iter().take(MAX_SHOWN).map(|planned| MoveAnswer {
            topic: planned.topic.clone(),
            partition: planned.partition,
            from: image
                .partition(&planned.topic, planned.partition)
                .map(|partition| partition.replicas.to_vec())
                .unwrap_or_default(),
            to: planned.replicas.clone().unwrap_or_default(),
        });
        Self {
            moves: plan.moves.len(),
            bytes: plan.bytes,
            moving,
            partitions: shown.collect(),
            blocked: blocked_answers(plan.blocked),
            notes,
        }
    }
}

impl ReplicasAnswer {
    pub(super) fn of(left: Remaining, blocked: Vec<Blocked>) -> Self {
        Self {
            replicas: left.replicas,
            leaders: left.leaders,
            moving: left.moving,
            bytes_left: left.bytes,
            behind: left.behind,
            sole: left.sole,
            topics: left.topics.iter().map(ToString::to_string).collect(),
            sole_topics: left.sole_topics.iter().map(ToString::to_string).collect(),
            blocked: blocked_answers(blocked),
        }
    }
}

/// What is not known of the brokers, for people.
pub(super) fn notes(survey: &Survey) -> Vec<String> {
    survey.traffic.note().map(str::to_owned).into_iter().collect()
}

/// One a topic: its partitions say the same.
pub(super) fn blocked_answers(blocked: Vec<Blocked>) -> Vec<BlockedAnswer> {
    let mut answers: Vec<BlockedAnswer> = Vec::new();
    for Blocked { topic, why } in blocked {
        if answers.last().is_none_or(|last| last.topic != *topic) {
            answers.push(BlockedAnswer { topic: topic.to_string(), message: why });
        }
    }
    answers
}

impl QuorumAnswer {
    pub(super) fn of(status: &QuorumStatus, now_ms: u64) -> Self {
        let end = status.voters.iter().filter_map(|voter| voter.log_end_offset).max();
        let answer = |replica: &ReplicaStatus| VoterAnswer {
            id: replica.id,
            directory_id: replica.directory_id.to_string(),
            log_end_offset: replica.log_end_offset,
            lag: end.zip(replica.log_end_offset).map(|(end, at)| end.saturating_sub(at)),
            last_caught_up_ms: replica.last_caught_up_ms.map(|at| now_ms.saturating_sub(at)),
        };
        Self {
            leader: status.leader,
            epoch: status.epoch,
            high_watermark: status.high_watermark,
            voters: status.voters.iter().map(answer).collect(),
            observers: status.observers.iter().map(answer).collect(),
        }
    }
}
