//! Brokers whose spec changed are restarted one at a time, when the brokers say that the next may go. Where the spec
//! lets several of a zone go together, [`roll_zone`] is asked first.

use crds::Reason;

use super::{Action, Answers, Concern, Seen, Situation, act, roll_zone, wait};
use crate::safety::{Question, RestartAnswer};

/// A broker that does not work anyway gets its changed spec at once: its restart costs nothing, and a spec that
/// cannot work must be correctable. One that is busy with its own log is left alone, and so is one that may work after
/// all: its pod counts as unready when its node is not heard from, or when it is too busy to answer a probe in time.
pub(super) fn correct(situation: &Situation, answers: &Answers) -> Concern {
    let mut waits = None;
    for broker in situation.staying().filter(|b| !b.current && !b.is_ready()) {
        match may_be_corrected(situation, answers, broker) {
            Ok(()) => {
                let pod = situation.pod(broker.id);
                let text = format!("pod {pod} is not ready and gets its changed spec");
                return Some(act(Action::Replace(vec![broker.id]), Reason::Rolling, text));
            }
            Err(step @ super::Step::Wait(_)) => waits = waits.or(Some(step)),
            Err(step) => return Some(step),
        }
    }
    waits
}

/// Whether a broker that is not ready does not work either; else what to do first.
fn may_be_corrected(
    situation: &Situation,
    answers: &Answers,
    broker: &Seen,
) -> Result<(), super::Step> {
    let pod = situation.pod(broker.id);
    if broker.unheard {
        let text =
            format!("the node of pod {pod} is not heard from; its changed spec waits for that");
        return Err(wait(Reason::Rolling, text));
    }
    if broker.starting && answers.recovers(&format!("changing pod {pod}"), broker.id)? {
        let text = format!("pod {pod} recovers its log; its changed spec waits for that");
        return Err(wait(Reason::Rolling, text));
    }
    if !broker.runs {
        return Ok(());
    }
    // The others have to do without all that are not ready, whatever keeps them from it.
    let unready: Vec<i32> =
        situation.brokers.iter().filter(|b| !b.is_ready()).map(|b| b.id).collect();
    match answers.restart(&format!("changing pod {pod}"), &unready) {
        Ok(answer) if !answer.safe => {
            let why = answer.reasons.first();
            let why = why.map_or("the brokers say that it is not safe", |r| &r.message);
            let text = format!("pod {pod} runs and is not ready; its changed spec waits: {why}");
            Err(wait(Reason::Rolling, text))
        }
        Ok(_) => Ok(()),
        // It is one of those that keep the cluster from working. Where nobody is heard the cluster may work all the same.
        Err(_) if answers.are_leaderless(&Question::Restart(unready)) => Ok(()),
        Err(step) => Err(step),
    }
}

/// Restarts the next broker with a changed spec; everybody is ready. The active controller comes last, so that
/// control moves once.
pub(super) fn roll(situation: &Situation, answers: &Answers) -> Concern {
    let stale: Vec<&Seen> = situation.staying().filter(|b| !b.current).collect();
    let (first, second) = (stale.first()?, stale.get(1));
    if situation.brokers.len() == 1 {
        // Nobody could take over, so there is nothing to wait for.
        return Some(restart(situation, first, ""));
    }
    if let Some(step) = roll_zone::roll(situation, answers, &stale) {
        return Some(step);
    }
    let mut broker = *first;
    let mut turn = may_go(situation, answers, broker, second.is_some());
    if let (Turn::Controller, Some(second)) = (&turn, second) {
        broker = second;
        turn = may_go(situation, answers, broker, false);
    }
    Some(match turn {
        Turn::Go(cost) => restart(situation, broker, &cost),
        Turn::Not(step) => step,
        // It cannot be: nobody else could go first.
        Turn::Controller => wait(Reason::Rolling, format!("{} waits", head(situation, broker))),
    })
}

/// What to do about a candidate.
enum Turn {
    /// It may go; what that costs.
    Go(String),
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
        return Turn::Go(away(&answer));
    }
    if answer.reasons.iter().all(|r| r.kind == "quorum") && !answer.reasons.is_empty() {
        // Who votes alone can hand nothing over: there is nothing to wait for.
        match answers.quorum(&doing) {
            Ok(quorum) if quorum.voters.len() == 1 => return Turn::Go(away(&answer)),
            Ok(_) => {}
            Err(step) => return Turn::Not(step),
        }
    }
    let why = answer.reasons.first().map_or("the brokers say that it is not safe", |r| &r.message);
    let more = answer.reasons.len().saturating_sub(1);
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    Turn::Not(wait(Reason::Rolling, format!("{doing} waits: {why}{more}")))
}

/// What a restart costs that nobody can help.
fn away(answer: &RestartAnswer) -> String {
    match answer.unavoidable.len() {
        0 => String::new(),
        1 => "; 1 partition without another replica is away meanwhile".to_owned(),
        more => format!("; {more} partitions without another replica are away meanwhile"),
    }
}

fn restart(situation: &Situation, broker: &Seen, cost: &str) -> super::Step {
    let text = format!("{} restarts{cost}", head(situation, broker));
    act(Action::Replace(vec![broker.id]), Reason::Rolling, text)
}

/// Which pod of how many.
pub(super) fn head(situation: &Situation, next: &Seen) -> String {
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
