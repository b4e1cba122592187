//! Who votes in the metadata quorum. The operator changes it by one voter at a time, and only among brokers that
//! have caught up.

use crds::Reason;

use super::{Action, Answers, Concern, Situation, Step, act, unknown};
use crate::safety::{Order, QuorumAnswer, QuorumMember};
use crate::verdict::Verdict;

/// Records that a broker may lack and still become a voter: it has them before the change is committed.
const MAX_LAG: u64 = 1000;

/// Voters of a cluster of so many brokers. Always an odd number: one more would not survive one more failure.
pub(crate) fn voter_count(brokers: usize) -> usize {
    match brokers {
        0..=2 => 1,
        3..=4 => 3,
        _ => 5,
    }
}

/// Voters that the cluster should have now. One that began with three keeps three however large it grows: three
/// survive a failure, and every change of the voters is one more thing to go through.
fn target(situation: &Situation) -> usize {
    voter_count(situation.wanted.len()).min(situation.first_voters.max(3))
}

/// Gives votes to brokers while there are too few voters. That the quorum cannot be asked, or refuses, keeps back
/// nothing else.
pub(super) fn gain(situation: &Situation, answers: &Answers) -> Concern {
    let quorum = match asked(situation, answers)? {
        Ok(quorum) => quorum,
        Err(step) => return Some(step),
    };
    if let Some(voter) = lost_disk(&quorum) {
        return Some(demote(voter, Reason::ScalingUp));
    }
    let count = staying(situation, &quorum).count();
    if count >= target(situation) || answers.no_vote().is_some() {
        return None;
    }
    promote(situation, &quorum, Reason::ScalingUp)
}

/// A voter whose broker is back with another data folder: what it voted for is lost with the old one, and the new
/// one has no vote yet.
fn lost_disk(quorum: &QuorumAnswer) -> Option<&QuorumMember> {
    let moved = |v: &&QuorumMember| {
        let another = |o: &QuorumMember| {
            let other = !o.directory_id.is_empty() && o.directory_id != v.directory_id;
            // The quorum also lists, for a while, folders that came before the voter's.
            o.id == v.id && other && o.age() < v.age()
        };
        quorum.leader != Some(v.id) && quorum.observers.iter().any(another)
    };
    quorum.voters.iter().find(moved).filter(|_| quorum.voters.len() > 1)
}

/// Takes the vote of one broker that stays while there are too many voters: an even number of them is worse than
/// one less.
pub(super) fn lose(situation: &Situation, answers: &Answers) -> Concern {
    let quorum = match asked(situation, answers)? {
        Ok(quorum) => quorum,
        Err(step) => return Some(step),
    };
    if staying(situation, &quorum).count() <= target(situation) {
        return None;
    }
    let surplus = staying(situation, &quorum).filter(|v| quorum.leader != Some(v.id));
    surplus.max_by_key(|v| v.id).map(|voter| demote(voter, Reason::ScalingDown))
}

/// The quorum of a cluster in which there is something to choose; nothing if it cannot be asked.
fn asked(situation: &Situation, answers: &Answers) -> Option<Result<QuorumAnswer, Step>> {
    if situation.wanted.len() < 2 {
        return None;
    }
    match answers.quorum("checking the metadata quorum") {
        Ok(quorum) => Some(Ok(quorum)),
        Err(step @ Step::Ask(_)) => Some(Err(step)),
        Err(_) => None,
    }
}

/// Takes the vote of brokers that go, after others have got theirs. `None` if they have none.
pub(super) fn without(
    situation: &Situation,
    answers: &Answers,
    going: &[i32],
    text: &str,
) -> Result<Option<Step>, Step> {
    let quorum = answers.quorum(text)?;
    // The active controller last: with its vote goes its lead.
    let going = quorum.voters.iter().filter(|v| going.contains(&v.id));
    let Some(voter) = going.min_by_key(|v| (quorum.leader == Some(v.id), -v.id)) else {
        return Ok(None);
    };
    let count = staying(situation, &quorum).count();
    if count < target(situation)
        && let Some(step) = promote(situation, &quorum, Reason::ScalingDown)
    {
        return match answers.no_vote() {
            None => Ok(Some(step)),
            Some(failure) => Err(Step::Wait(unknown(text, failure))),
        };
    }
    if count == 0 {
        let text = format!(
            "{text}: none of the brokers that stay votes in the metadata quorum or can take a vote over; \
             keep more brokers, or wait until one has caught up"
        );
        return Err(Step::Wait(Verdict::stalled(Reason::ScaleDownBlocked, text)));
    }
    Ok(Some(demote(voter, Reason::ScalingDown)))
}

/// Takes the vote of a broker whose volume is about to go, after another one has got one where one can. `None` if it has
/// none.
pub(super) fn unvote(
    situation: &Situation,
    answers: &Answers,
    id: i32,
    text: &str,
) -> Result<Option<Step>, Step> {
    let quorum = answers.quorum(text)?;
    let Some(voter) = quorum.voters.iter().find(|v| v.id == id) else { return Ok(None) };
    let others = staying(situation, &quorum).filter(|v| v.id != id).count();
    if others < target(situation)
        && answers.no_vote().is_none()
        && let Some(step) = promote(situation, &quorum, Reason::ReplacingVolume)
    {
        return Ok(Some(step));
    }
    if others == 0 {
        let text = format!(
            "{text}: no other broker votes in the metadata quorum or can take its vote over; add a broker, or wait \
             until one has caught up"
        );
        return Err(Step::Wait(Verdict::stalled(Reason::ReplaceBlocked, text)));
    }
    Ok(Some(demote(voter, Reason::ReplacingVolume)))
}

fn staying<'a>(
    situation: &'a Situation,
    quorum: &'a QuorumAnswer,
) -> impl Iterator<Item = &'a QuorumMember> {
    quorum.voters.iter().filter(|v| situation.wanted.contains(&v.id))
}

/// An observer that stays and has caught up becomes a voter.
fn promote(situation: &Situation, quorum: &QuorumAnswer, reason: Reason) -> Concern {
    let fit = |m: &&QuorumMember| {
        situation.staying().any(|b| b.id == m.id && b.is_ready())
            && !quorum.voters.iter().any(|v| v.id == m.id)
            && m.lag.is_some_and(|lag| lag <= MAX_LAG)
            && !m.directory_id.is_empty()
    };
    let member = quorum.observers.iter().filter(fit).min_by_key(|m| (m.id, m.age()))?;
    let order = Order::AddVoter { id: member.id, directory_id: member.directory_id.clone() };
    let text = format!("broker {} becomes a voter of the metadata quorum", member.id);
    Some(act(Action::Tell(order), reason, text))
}

fn demote(voter: &QuorumMember, reason: Reason) -> Step {
    let order = Order::RemoveVoter { id: voter.id, directory_id: voter.directory_id.clone() };
    let text = format!("broker {} stops voting in the metadata quorum", voter.id);
    act(Action::Tell(order), reason, text)
}
