//! What a Rebalance does next, and what is written down after it. Pure.

use crds::rebalance::{LimitBefore, Progress, Proposal, ProposedMove, RebalancePhase};
use crds::{Reason, RebalanceStatus};

use crate::cluster::bytes;
use crate::safety::{BandwidthAnswer, MovesAnswer, Obstacle, ProposalAnswer, SafetyFailure};
use crate::verdict::Verdict;

/// Moves that the status lists.
const MAX_LISTED: usize = 20;

/// What is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Situation {
    pub(crate) approved: bool,
    /// As it was last written down.
    pub(crate) phase: RebalancePhase,
    /// Whether the phase was written for the spec as it is now.
    pub(crate) is_of_this_spec: bool,
    /// Whether brokers come or go, and partitions move for that.
    pub(crate) scales: bool,
    /// Whether it sets a limit of its own and has not written down yet which one was there before.
    pub(crate) owes_note: bool,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Ask which moves there would be.
    Propose,
    /// Write down that moves are made from now on.
    Begin,
    /// Have the next moves made, and see how far they are.
    Move,
    /// Stop what is under way.
    Stop,
    /// It is done.
    Rest,
    Wait(Verdict),
}

pub(crate) fn next(situation: &Situation) -> Step {
    let executing = situation.phase == RebalancePhase::Executing;
    match situation.approved {
        false if executing => Step::Stop,
        false => Step::Propose,
        true if situation.phase == RebalancePhase::Completed && situation.is_of_this_spec => {
            Step::Rest
        }
        true if situation.scales => {
            let text = "waiting until the Cluster's brokers have come or gone";
            Step::Wait(Verdict::working(Reason::ClusterNotReady, text))
        }
        true if executing && !situation.owes_note => Step::Move,
        true => Step::Begin,
    }
}

type Noted = (RebalanceStatus, Verdict);

fn unknown(status: RebalanceStatus, doing: &str, failure: &SafetyFailure) -> Noted {
    let text = format!("{doing}: waiting for the brokers' answer: {failure}");
    (status, Verdict::working(Reason::SafetyUnknown, text))
}

pub(crate) fn proposed(
    status: RebalanceStatus,
    answer: Result<ProposalAnswer, SafetyFailure>,
) -> Noted {
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => return unknown(status, "planning", &failure),
    };
    let shown = answer.partitions.into_iter().take(MAX_LISTED).map(|planned| ProposedMove {
        topic: planned.topic,
        partition: planned.partition,
        from: planned.from,
        to: planned.to,
    });
    let proposal = Proposal {
        moves: count(answer.moves),
        bytes: count(answer.bytes),
        partitions: shown.collect(),
        notes: answer
            .blocked
            .iter()
            .map(blocked)
            .chain(answer.notes.clone())
            .take(MAX_LISTED)
            .collect(),
    };
    let notes: String = proposal.notes.iter().map(|note| format!("; {note}")).collect();
    let verdict = if proposal.moves == 0 {
        let text = if answer.blocked.is_empty() {
            "the brokers hold equal shares"
        } else {
            "nothing can move"
        };
        Verdict::Ready(Reason::ProposalReady, format!("{text}{notes}"))
    } else {
        let text = format!(
            "{} partitions would move and {} be copied; set spec.approved to true to do it{notes}",
            proposal.moves,
            bytes(proposal.bytes)
        );
        Verdict::Ready(Reason::ProposalReady, text)
    };
    let phase = Some(RebalancePhase::Proposed);
    (RebalanceStatus { phase, proposal: Some(proposal), progress: None, ..status }, verdict)
}

fn blocked(obstacle: &Obstacle) -> String {
    match &obstacle.topic {
        Some(topic) => format!("topic {topic}: {}", obstacle.message),
        None => obstacle.message.clone(),
    }
}

/// Moves are made from now on; with the limit that is there, if it is to be put back.
pub(crate) fn begun(
    status: RebalanceStatus,
    before: Option<Result<BandwidthAnswer, SafetyFailure>>,
) -> Noted {
    let limit_before = match before {
        None => status.limit_before,
        Some(Ok(BandwidthAnswer { bytes_per_second })) => Some(LimitBefore { bytes_per_second }),
        Some(Err(failure)) => return unknown(status, "limiting the moves", &failure),
    };
    let phase = Some(RebalancePhase::Executing);
    let verdict = Verdict::working(Reason::Rebalancing, "the moves begin");
    (RebalanceStatus { phase, limit_before, ..status }, verdict)
}

/// Whether all moves are made.
pub(crate) fn is_done(moves: &MovesAnswer) -> bool {
    moves.planned == 0 && moves.moving == 0
}

pub(crate) fn moved(
    status: RebalanceStatus,
    limit: Option<u64>,
    answer: Result<MovesAnswer, SafetyFailure>,
) -> Noted {
    let moves = match answer {
        Ok(moves) => moves,
        Err(failure) => return unknown(status, "moving partitions", &failure),
    };
    if is_done(&moves) {
        let status = RebalanceStatus {
            phase: Some(RebalancePhase::Completed),
            progress: None,
            limit_before: None,
            ..status
        };
        return match moves.blocked.first() {
            None => rested(status),
            Some(first) => {
                let text = format!("all moves are made but some: {}", blocked(first));
                (status, Verdict::ready(text))
            }
        };
    }
    let progress = Progress {
        partitions_left: count(moves.left),
        partitions_moving: count(moves.moving),
        bytes_left: count(moves.bytes_left),
    };
    let text = format!(
        "{} partitions left, {} of them on their way, {} to copy{}",
        moves.left,
        moves.moving,
        bytes(progress.bytes_left),
        limit.map_or_else(String::new, |limit| {
            format!(", at most {} a second and broker", bytes(count(limit)))
        })
    );
    let verdict = Verdict::working(Reason::Rebalancing, text);
    (RebalanceStatus { progress: Some(progress), ..status }, verdict)
}

pub(crate) fn stopped(status: RebalanceStatus, result: Result<(), SafetyFailure>) -> Noted {
    match result {
        Err(failure) => unknown(status, "stopping", &failure),
        Ok(()) => {
            let phase = Some(RebalancePhase::Proposed);
            let verdict = Verdict::working(Reason::Rebalancing, "the moves have been stopped");
            (RebalanceStatus { phase, progress: None, limit_before: None, ..status }, verdict)
        }
    }
}

pub(crate) fn rested(status: RebalanceStatus) -> Noted {
    (status, Verdict::ready("all moves are made"))
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
