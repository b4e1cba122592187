//! What to write down after an action, given what came of it. Pure.

use crds::{Reason, Scaling};
use k8s_openapi::jiff::Timestamp;

use super::estimate::Allowed;
use super::grow::{with, without};
use super::{Action, Situation, estimate, listed, unknown};
use crate::safety::{Done, MovesAnswer, Order, SafetyFailure};
use crate::verdict::Verdict;

/// The intent from now on, and the verdict.
pub(crate) fn outcome(
    situation: &Situation,
    action: &Action,
    said: Verdict,
    result: &Result<Done, SafetyFailure>,
    now: Timestamp,
) -> (Scaling, Verdict) {
    let scaling = situation.scaling.clone();
    let done = match result {
        Ok(done) => done,
        Err(failure) => return (scaling, unknown(said.message(), failure)),
    };
    match (action, done) {
        (Action::Intend(intent), _) => (Scaling::clone(intent), said),
        (Action::Forget { id, .. }, _) => {
            let removing = without(&scaling.removing, &[*id]);
            let rest = Scaling { removing, ..scaling };
            let none = rest.removing.is_empty() && rest.adding.is_empty();
            (if none { Scaling::default() } else { rest }, said)
        }
        (Action::Tell(Order::StopMoves(back)), _) => {
            let intent = Scaling {
                adding: with(&scaling.adding, back),
                removing: without(&scaling.removing, back),
                replacing: scaling.replacing,
                ..Scaling::default()
            };
            (intent, said)
        }
        (Action::Tell(Order::Evacuate(_)), Done::Moves(moves)) => {
            let allowed =
                Allowed { bandwidth: situation.bandwidth, receivers: situation.wanted.len() };
            evacuating(&scaling, moves, allowed, now)
        }
        (Action::Tell(Order::Spread), Done::Moves(moves)) => {
            let allowed =
                Allowed { bandwidth: situation.bandwidth, receivers: scaling.adding.len() };
            spreading(scaling, moves, (said, allowed), now)
        }
        _ => (scaling, said),
    }
}

fn evacuating(
    scaling: &Scaling,
    moves: &MovesAnswer,
    allowed: Allowed,
    now: Timestamp,
) -> (Scaling, Verdict) {
    let noted = estimate::note(scaling, moves, now);
    let head = format!("removing {}", listed(&noted.removing));
    let idle = moves.moving == 0 && moves.planned == 0;
    if idle && let Some(first) = moves.blocked.first() {
        let topics = match noted.blocked_topics.as_slice() {
            [] => "some partitions".to_owned(),
            [topic] => format!("topic {topic}"),
            topics => format!("topics {}", topics.join(", ")),
        };
        let text = format!("{head}: {topics} cannot move: {}", first.message);
        return (noted, Verdict::stalled(Reason::ScaleDownBlocked, text));
    }
    let text = format!(
        "{head}: {} replicas to move, {} on their way, {}",
        moves.left,
        moves.moving,
        estimate::words(&noted, allowed, now)
    );
    (noted, Verdict::working(Reason::ScalingDown, text))
}

/// Spreading ends when nothing moves and nothing more can.
fn spreading(
    scaling: Scaling,
    moves: &MovesAnswer,
    (said, allowed): (Verdict, Allowed),
    now: Timestamp,
) -> (Scaling, Verdict) {
    let idle = moves.moving == 0 && moves.planned == 0;
    if idle && (moves.left == 0 || !moves.blocked.is_empty()) {
        let rest = Scaling { removing: scaling.removing, ..Scaling::default() };
        let said = match moves.blocked.first() {
            None => said,
            Some(first) => {
                let text = format!("{}: not everything moves: {}", said.message(), first.message);
                Verdict::working(Reason::ScalingUp, text)
            }
        };
        return (rest, said);
    }
    let noted = estimate::note(&scaling, moves, now);
    let text = format!(
        "{}: {} replicas to move, {} on their way, {}",
        said.message(),
        moves.left,
        moves.moving,
        estimate::words(&noted, allowed, now)
    );
    (noted, Verdict::working(Reason::ScalingUp, text))
}
