//! Brokers whose spec changed are restarted one at a time, when the brokers say that the next may go.

use crds::Reason;

use super::{Action, Answers, Concern, Seen, Situation, act, wait};

/// A broker that does not work anyway gets its changed spec at once: its restart costs nothing, and a spec that
/// cannot work must be correctable. One that is busy with its own log is left alone.
pub(super) fn correct(situation: &Situation, answers: &Answers) -> Concern {
    for broker in situation.staying().filter(|b| !b.current && !b.is_ready()) {
        let pod = situation.pod(broker.id);
        if broker.running {
            let doing = format!("changing pod {pod}");
            match answers.recovers(&doing, broker.id) {
                Ok(false) => {}
                Ok(true) => {
                    let text = format!("pod {pod} recovers its log; its changed spec waits for that");
                    return Some(wait(Reason::Rolling, text));
                }
                Err(step) => return Some(step),
            }
        }
        let text = format!("pod {pod} is not ready and gets its changed spec");
        return Some(act(Action::Replace(broker.id), Reason::Rolling, text));
    }
    None
}

/// Restarts the next broker with a changed spec; everybody is ready. The active controller comes last, so that
/// control moves once.
pub(super) fn roll(situation: &Situation, answers: &Answers) -> Concern {
    let stale: Vec<&Seen> = situation.staying().filter(|b| !b.current).collect();
    let (first, second) = (stale.first()?, stale.get(1));
    if situation.brokers.len() == 1 {
        // Nobody could take over, so there is nothing to wait for.
        return Some(restart(situation, first));
    }
    Some(match may_go(situation, answers, first, second.is_some()) {
        Turn::Go => restart(situation, first),
        Turn::Not(step) => step,
        Turn::Controller => match second {
            None => restart(situation, first),
            Some(second) => match may_go(situation, answers, second, false) {
                Turn::Not(step) => step,
                Turn::Go | Turn::Controller => restart(situation, second),
            },
        },
    })
}

/// What to do about a candidate.
enum Turn {
    Go,
    /// It is the active controller, and others can go first.
    Controller,
    Not(super::Step),
}

fn may_go(situation: &Situation, answers: &Answers, broker: &Seen, others: bool) -> Turn {
    let doing = head(situation, broker);
    let answer = match answers.restart(&doing, &[broker.id]) {
        Ok(answer) => answer,
        Err(step) => return Turn::Not(step),
    };
    if others && answer.controller == Some(broker.id) {
        return Turn::Controller;
    }
    if answer.safe {
        return Turn::Go;
    }
    let why = answer.reasons.first().map_or("the brokers say that it is not safe", |r| &r.message);
    let more = answer.reasons.len().saturating_sub(1);
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    Turn::Not(wait(Reason::Rolling, format!("{doing} waits: {why}{more}")))
}

fn restart(situation: &Situation, broker: &Seen) -> super::Step {
    let text = format!("{} restarts", head(situation, broker));
    act(Action::Replace(broker.id), Reason::Rolling, text)
}

/// Which pod of how many.
fn head(situation: &Situation, next: &Seen) -> String {
    let all = situation.staying().count();
    let changed = situation.staying().filter(|b| b.current).count();
    format!("rolling pod {} of {all}: {}", changed + 1, situation.pod(next.id))
}

/// How far a roll is, while one of its pods is on its way.
pub(super) fn progress(situation: &Situation) -> Option<String> {
    let all = situation.staying().count();
    let changed = situation.staying().filter(|b| b.current).count();
    (changed < all && changed > 0).then(|| format!("rolling, {changed} of {all} pods changed"))
}
