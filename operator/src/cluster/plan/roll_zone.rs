//! Several brokers of one zone restart together, when the brokers say that this set may.
//!
//! The judgement is theirs: every partition keeps its minimum of in-sync replicas, and the quorum its majority, without
//! the whole set (`quorum::safety::may_stop`). A zone is where that is likely, as replicas are spread over zones, and
//! where a failure of the zone itself can then cost no more than the roll does. If a set may stop, so may each part of it,
//! and so the operator may be killed half-way.

use crds::Reason;

use super::{Action, Answers, Concern, Seen, Situation, Step, act, roll};

/// Restarts the next set, if there is one of more than one broker; else it is a single one's turn. `stale`: brokers that
/// have another spec than they should.
pub(super) fn roll(situation: &Situation, answers: &Answers, stale: &[&Seen]) -> Concern {
    // A spec that cannot work must cost one broker and not several.
    let tried = situation.staying().any(|b| b.current);
    if situation.together < 2 || !tried {
        return None;
    }
    next_set(situation, answers, stale).unwrap_or_else(Some)
}

fn next_set(
    situation: &Situation,
    answers: &Answers,
    stale: &[&Seen],
) -> Result<Option<Step>, Step> {
    let [first, _, ..] = stale else { return Ok(None) };
    // A single one's question, which it needs anyway, names the active controller.
    let answer = answers.restart(&roll::head(situation, first), &[first.id])?;
    let Some(controller) = answer.controller else { return Ok(None) };
    let others: Vec<&Seen> = stale.iter().copied().filter(|b| b.id != controller).collect();
    let Some(zone) = others.first().and_then(|b| b.zone.as_ref()) else { return Ok(None) };
    let mut set: Vec<i32> =
        others.iter().filter(|b| b.zone.as_ref() == Some(zone)).map(|b| b.id).collect();
    set.truncate(situation.together);
    while set.len() > 1 {
        let doing = head(situation, zone, &set);
        let answer = answers.restart(&doing, &set)?;
        // Another one may have become the active controller between two questions.
        let controls = answer.controller.is_none_or(|id| set.contains(&id));
        if answer.safe && !controls {
            let text = format!("{doing} restart together");
            return Ok(Some(act(Action::Replace(set), Reason::Rolling, text)));
        }
        let half = if set.len() == 2 { 1 } else { set.len().div_ceil(2) };
        set.truncate(half);
    }
    Ok(None)
}

/// Which pods of how many.
fn head(situation: &Situation, zone: &str, set: &[i32]) -> String {
    let all = situation.staying().count();
    let changed = situation.staying().filter(|b| b.current).count();
    let pods: Vec<String> = set.iter().map(|id| situation.pod(*id)).collect();
    format!(
        "rolling pods {} to {} of {all}, zone {zone}: {}",
        changed + 1,
        changed + set.len(),
        pods.join(", ")
    )
}
