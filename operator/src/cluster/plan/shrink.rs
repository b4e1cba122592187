//! Brokers that should not be: everything moves off them, then they stop voting, then they are unregistered and
//! deleted, then forgotten.

use crds::{Reason, Scaling};

use super::grow::{with, without};
use super::{Action, Answers, Concern, Situation, Step, act, listed, voters, wait};
use crate::safety::Order;

/// Brokers that were to go and are wanted again: the moves off them end, and partitions are to move back.
pub(super) fn reprieve(situation: &Situation) -> Concern {
    let wanted = |id: &i32| situation.wanted.contains(id);
    let back: Vec<i32> = situation.scaling.removing.iter().copied().filter(wanted).collect();
    if back.is_empty() {
        return None;
    }
    let text = format!("{} stays after all", listed(&back));
    Some(act(Action::Tell(Order::StopMoves(back)), Reason::ScalingUp, text))
}

/// The next step towards being without the brokers that should not be.
pub(super) fn shrink(situation: &Situation, answers: &Answers) -> Concern {
    let leaving = situation.leaving();
    let scaling = &situation.scaling;
    let going = with(&scaling.removing, &leaving);
    if going.is_empty() {
        return None;
    }
    let text = format!("removing {}", listed(&going));
    if going != scaling.removing || going.iter().any(|id| scaling.adding.contains(id)) {
        let intent = Scaling {
            adding: without(&scaling.adding, &going),
            removing: going,
            ..Scaling::default()
        };
        return Some(act(Action::Intend(Box::new(intent)), Reason::ScalingDown, text));
    }
    Some(remove(situation, answers, &leaving, &text).unwrap_or_else(|step| step))
}

fn remove(
    situation: &Situation,
    answers: &Answers,
    leaving: &[i32],
    text: &str,
) -> Result<Step, Step> {
    let going = &situation.scaling.removing;
    let left = answers.replicas(text, going)?;
    if left.replicas > 0 {
        let order = Action::Tell(Order::Evacuate(going.clone()));
        return Ok(act(order, Reason::ScalingDown, text));
    }
    if left.moving > 0 {
        let text = format!("{text}: {} moves are being completed", left.moving);
        return Ok(wait(Reason::ScalingDown, text));
    }
    if let Some(step) = voters::without(situation, answers, going, text)? {
        return Ok(step);
    }
    if let Some(id) = leaving.last() {
        let text = format!("{text}: nothing is left on broker {id}, which stops now");
        return Ok(act(Action::Retire(*id), Reason::ScalingDown, text));
    }
    let gone = going.iter().find(|id| !situation.lingering.contains(id));
    Ok(match gone {
        None => wait(Reason::ScalingDown, format!("{text}: waiting until their pods are gone")),
        Some(id) => {
            let delete_volume = situation.delete_volumes;
            act(Action::Forget { id: *id, delete_volume }, Reason::ScalingDown, text)
        }
    })
}
