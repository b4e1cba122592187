//! A broker's volume is replaced by an empty one, because a person asked for it or because it is lost, and filled again
//! from the other brokers.
//!
//! | step | what makes it safe to be killed at |
//! |---|---|
//! | it is written down which claim of which broker goes | nothing has been done |
//! | the broker's vote is taken away, after another broker has got one where one can | as any change of the voters |
//! | claim and pod are deleted | both are named by UID, and asked about anew as long as the old claim is not being deleted |
//! | claim and pod are made anew, by the operator and the StatefulSet | they are what the spec asks for |
//! | the vote is given back: [`super::voters::gain`] | as any change of the voters |
//! | it is waited for until the broker has everything: [`refill`] | nothing is done |
//!
//! One broker at a time. What the brokers do not know to be in sync elsewhere is never given up unless a person said
//! that it may be lost; no answer is a no.

use crds::{Reason, Replacing, Scaling};

use super::volume::{Request, Volume};
use super::{Action, Answers, Concern, Seen, Situation, Step, act, voters, wait};
use crate::cluster::names;
use crate::labels::REPLACE_VOLUME;
use crate::safety::{QuorumAnswer, ReplicasAnswer};
use crate::verdict::Verdict;

/// Begins a replacement, or goes on with it until the new volume is there.
pub(super) fn replace(situation: &Situation, answers: &Answers) -> Concern {
    match &situation.scaling.replacing {
        Some(replacing) => go_on(situation, answers, replacing),
        None => begin(situation, answers),
    }
}

/// Waits until the broker is back and has everything; everybody is ready.
pub(super) fn refill(situation: &Situation, answers: &Answers) -> Concern {
    let replacing = situation.scaling.replacing.as_ref()?;
    Some(refilled(situation, answers, replacing).unwrap_or_else(|step| step))
}

/// What is being replaced, while a pod is on its way.
pub(super) fn progress(situation: &Situation) -> Option<String> {
    situation.scaling.replacing.as_ref().map(|replacing| doing(replacing.id))
}

/// What to say of a broker whose volume is lost, and that nobody asked to replace.
pub(super) fn lost(situation: &Situation, broker: &Seen) -> Option<String> {
    broker.volume.as_ref().filter(|volume| volume.lost)?;
    let claim = names::volume(&situation.name, broker.id);
    Some(format!(
        "the volume of PersistentVolumeClaim {claim} does not exist any more; restore it, or have it replaced by an \
         empty one: kubectl annotate pvc {claim} {REPLACE_VOLUME}=true, or whenLost: Replace in the spec"
    ))
}

fn doing(id: i32) -> String {
    format!("replacing the volume of broker {id}")
}

/// Whether this broker's volume is to be replaced.
fn wish(situation: &Situation, broker: &Seen) -> Option<Request> {
    let volume = broker.volume.as_ref()?;
    let policy = situation.replace_lost && volume.lost;
    volume.request.or(policy.then_some(Request::Safely))
}

fn begin(situation: &Situation, answers: &Answers) -> Concern {
    let mut first = None;
    for broker in situation.staying() {
        let (Some(request), Some(volume)) = (wish(situation, broker), &broker.volume) else {
            continue;
        };
        match intend(situation, answers, broker, request, volume) {
            Ok(step) | Err(step @ Step::Ask(_)) => return Some(step),
            // Another one's volume may be replaced meanwhile.
            Err(step) => first = first.or(Some(step)),
        }
    }
    first
}

fn intend(
    situation: &Situation,
    answers: &Answers,
    broker: &Seen,
    request: Request,
    volume: &Volume,
) -> Result<Step, Step> {
    let text = doing(broker.id);
    may_be_emptied(situation, answers, broker, request)?;
    let directory_ids = if is_alone(situation) {
        Vec::new()
    } else {
        directories(&answers.quorum(&text)?, broker.id).map(str::to_owned).collect()
    };
    let replacing = Replacing { id: broker.id, claim_uid: volume.uid.clone(), directory_ids };
    let intent = Scaling { replacing: Some(replacing), ..situation.scaling.clone() };
    Ok(act(Action::Intend(Box::new(intent)), Reason::ReplacingVolume, text))
}

/// Step by step until the old claim is gone; the rest comes by itself, and [`refill`] waits for it.
fn go_on(situation: &Situation, answers: &Answers, replacing: &Replacing) -> Concern {
    let id = replacing.id;
    let Some(broker) = situation.staying().find(|b| b.id == id) else {
        return Some(stop(situation, format!("broker {id} goes, and so its volume stays")));
    };
    let volume = broker.volume.as_ref()?;
    if volume.uid != replacing.claim_uid {
        // The new one is there, and may be lost in its turn.
        let request = wish(situation, broker)?;
        let again = intend(situation, answers, broker, request, volume);
        return Some(again.unwrap_or_else(|step| step));
    }
    if volume.deleted {
        return Some(if broker.holds {
            empty(replacing)
        } else {
            wait(Reason::ReplacingVolume, format!("{}: {}", doing(id), going(situation, id)))
        });
    }
    let Some(request) = wish(situation, broker) else {
        return Some(stop(situation, format!("the volume of broker {id} stays after all")));
    };
    Some(ready_to_go(situation, answers, broker, request).err().unwrap_or_else(|| empty(replacing)))
}

fn going(situation: &Situation, id: i32) -> String {
    format!(
        "waiting until pod {} and its volume are gone; if its node is gone for good, delete the Node",
        situation.pod(id)
    )
}

fn empty(replacing: &Replacing) -> Step {
    let Replacing { id, claim_uid, .. } = replacing.clone();
    let text = format!("{}: it is deleted, and an empty one takes its place", doing(id));
    act(Action::Empty { id, claim_uid }, Reason::ReplacingVolume, text)
}

/// Nothing has been deleted, and nothing will be.
fn stop(situation: &Situation, text: String) -> Step {
    let intent = Scaling { replacing: None, ..situation.scaling.clone() };
    act(Action::Intend(Box::new(intent)), Reason::ReplacingVolume, text)
}

/// Whether nothing is left to do before the volume goes; else what.
fn ready_to_go(
    situation: &Situation,
    answers: &Answers,
    broker: &Seen,
    request: Request,
) -> Result<(), Step> {
    may_be_emptied(situation, answers, broker, request)?;
    if is_alone(situation) {
        return Ok(());
    }
    match voters::unvote(situation, answers, broker.id, &doing(broker.id))? {
        Some(step) => Err(step),
        None => Ok(()),
    }
}

/// Whether the others can do without what is on this broker; else what to do first.
fn may_be_emptied(
    situation: &Situation,
    answers: &Answers,
    broker: &Seen,
    request: Request,
) -> Result<(), Step> {
    let text = doing(broker.id);
    let works = broker.runs || broker.is_ready();
    let other = situation.staying().find(|b| b.id != broker.id && (!b.is_ready() || b.evicted));
    if is_alone(situation) && request == Request::Anyway {
        // There is nobody who could have anything, and perhaps nobody to ask.
        return Ok(());
    }
    if let (true, Some(other)) = (works, other) {
        let pod = situation.pod(other.id);
        let text = format!("{text} waits until pod {pod} is ready");
        return Err(wait(Reason::ReplacingVolume, text));
    }
    let left = answers.replicas(&text, &[broker.id])?;
    if request == Request::Safely {
        elsewhere(situation, broker, &left, other.is_some())?;
    }
    // One that does not run is missed already.
    if works { may_stop(answers, broker, request, &text) } else { Ok(()) }
}

/// Whether everything on this broker is in sync elsewhere.
fn elsewhere(
    situation: &Situation,
    broker: &Seen,
    left: &ReplicasAnswer,
    others_come: bool,
) -> Result<(), Step> {
    let text = doing(broker.id);
    let topics = match left.sole_topics.as_slice() {
        [] => "some partitions".to_owned(),
        [topic] => format!("partitions of topic {topic}"),
        [topic, more @ ..] => format!("partitions of topic {topic} and {} more", more.len()),
    };
    match left.sole {
        Some(0) => Ok(()),
        None => {
            let text = format!("{text}: the brokers do not say what is in sync elsewhere");
            Err(wait(Reason::SafetyUnknown, text))
        }
        Some(_) if others_come => {
            let text = format!("{text} waits: {topics} are in sync nowhere else");
            Err(wait(Reason::ReplacingVolume, text))
        }
        Some(_) => {
            let claim = names::volume(&situation.name, broker.id);
            let text = format!(
                "{text}: {topics} are in sync nowhere else; give these topics another replica, or, if they may be \
                 lost: kubectl annotate --overwrite pvc {claim} {REPLACE_VOLUME}=force"
            );
            Err(Step::Wait(Verdict::stalled(Reason::ReplaceBlocked, text)))
        }
    }
}

/// Whether a broker that works may stop, as for a roll.
fn may_stop(answers: &Answers, broker: &Seen, request: Request, text: &str) -> Result<(), Step> {
    let answer = answers.restart(text, &[broker.id])?;
    if answer.safe {
        return Ok(());
    }
    // A vote is taken away before its broker stops. Of two voters neither can be spared, and yet one has to go.
    let few_votes = match answer.reasons.iter().any(|r| r.kind == "quorum") {
        true => answers.quorum(text)?.voters.len() < 3,
        false => false,
    };
    let counts = |kind: &str| match kind {
        "partition" => request == Request::Safely,
        "quorum" => !few_votes,
        _ => true,
    };
    let obstacle = answer.reasons.iter().find(|r| counts(&r.kind));
    if obstacle.is_none() && !answer.reasons.is_empty() {
        return Ok(());
    }
    let why = obstacle.map_or("the brokers say that it is not safe", |r| &r.message);
    Err(wait(Reason::ReplacingVolume, format!("{text} waits: {why}")))
}

fn refilled(situation: &Situation, answers: &Answers, replacing: &Replacing) -> Result<Step, Step> {
    let (id, text) = (replacing.id, doing(replacing.id));
    if !is_alone(situation) {
        let quorum = answers.quorum(&text)?;
        let known = |folder: &str| replacing.directory_ids.iter().any(|old| old == folder);
        if directories(&quorum, id).all(known) {
            let text = format!("{text}: waiting until it has joined with an empty data folder");
            return Err(wait(Reason::ReplacingVolume, text));
        }
    }
    let left = answers.replicas(&text, &[id])?;
    match left.behind {
        Some(0) => Ok(stop(situation, format!("broker {id} has everything again"))),
        Some(behind) => {
            let text =
                format!("{text}: {behind} of {} replicas are not in sync yet", left.replicas);
            Ok(wait(Reason::ReplacingVolume, text))
        }
        None => {
            let text = format!("{text}: the brokers do not say what is in sync");
            Ok(wait(Reason::SafetyUnknown, text))
        }
    }
}

/// The data folders of a broker that the quorum knows; it forgets one only some minutes after it was last heard of.
fn directories(quorum: &QuorumAnswer, id: i32) -> impl Iterator<Item = &str> {
    let members = quorum.observers.iter().chain(&quorum.voters);
    let own = members.filter(move |m| m.id == id && !m.directory_id.is_empty());
    own.map(|m| m.directory_id.as_str())
}

fn is_alone(situation: &Situation) -> bool {
    situation.brokers.len() == 1 && situation.wanted.len() == 1
}
