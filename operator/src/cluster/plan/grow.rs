//! Brokers that should be and are not; then partitions move on to them.

use crds::{Reason, Scaling};

use super::{Action, Answers, Concern, Situation, Step, act, listed, wait};
use crate::safety::Order;

/// Makes the brokers that are missing. Where others are there already, it is written down first that partitions
/// are to move on to the new ones.
pub(super) fn create(situation: &Situation) -> Concern {
    let there = |id: &i32| situation.brokers.iter().any(|b| b.id == *id);
    let missing: Vec<i32> = situation.wanted.iter().copied().filter(|id| !there(id)).collect();
    if missing.is_empty() {
        return None;
    }
    let text = format!("creating {}", listed(&missing));
    let scaling = &situation.scaling;
    let first = situation.brokers.is_empty() && *scaling == Scaling::default();
    let intended = missing.iter().all(|id| scaling.adding.contains(id))
        && !missing.iter().any(|id| scaling.removing.contains(id));
    if !first && !intended {
        let intent = Scaling {
            adding: with(&scaling.adding, &missing),
            removing: without(&scaling.removing, &missing),
            replacing: scaling.replacing.clone(),
            ..Scaling::default()
        };
        return Some(act(Action::Intend(Box::new(intent)), Reason::Applying, text));
    }
    // What is still being deleted would take its successor with it.
    let free = without(&missing, &situation.lingering);
    if free.is_empty() {
        return Some(wait(
            Reason::Applying,
            format!("{text}: waiting until the pods of that name are gone"),
        ));
    }
    Some(act(Action::Create(free), Reason::Applying, text))
}

/// Moves partitions on to brokers that were added, until nothing moves.
pub(super) fn spread(situation: &Situation, answers: &Answers) -> Concern {
    let adding = &situation.scaling.adding;
    if adding.is_empty() {
        return None;
    }
    if situation.brokers.len() == 1 {
        // There is nobody to share with: what the only broker has is where it belongs.
        let none = Action::Intend(Box::default());
        return Some(act(none, Reason::ScalingUp, "the broker is there"));
    }
    let doing = format!("adding {}", listed(adding));
    let registered = match answers.registered(&doing) {
        Ok(registered) => registered,
        Err(step) => return Some(step),
    };
    let absent = without(&situation.wanted, &registered);
    if !absent.is_empty() {
        let text = format!("{doing}: waiting until the cluster knows {}", listed(&absent));
        return Some(wait(Reason::ScalingUp, text));
    }
    Some(Step::Do(
        Action::Tell(Order::Spread),
        crate::verdict::Verdict::working(Reason::ScalingUp, doing),
    ))
}

/// The union, sorted.
pub(super) fn with(ids: &[i32], more: &[i32]) -> Vec<i32> {
    let mut all: Vec<i32> = ids.iter().chain(more).copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The difference.
pub(super) fn without(ids: &[i32], fewer: &[i32]) -> Vec<i32> {
    ids.iter().copied().filter(|id| !fewer.contains(id)).collect()
}
