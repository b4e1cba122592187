//! Which brokers are started, restarted or removed next. Pure: what is there and what the brokers answer go in,
//! one step comes out.
//!
//! Nothing is remembered between passes but [`Scaling`], which is in the object's status and is written *before*
//! what it speaks of is done. So the operator may be killed anywhere: the next pass finds the intent, looks at what
//! is there, and goes on. Every order may be given twice.
//!
//! The order of concerns, one step a pass:
//! 1. brokers that should be and are not: [`grow`];
//! 2. the spec of brokers that do not work anyway is corrected: [`roll::correct`];
//! 3. a change of mind: [`shrink::reprieve`];
//! 4. a volume that is lost, or that a person does not want any more, is replaced by an empty one: [`replace`];
//! 5. everybody who stays must be ready, and nobody be evicted, before anything else is disturbed;
//! 6. the metadata quorum gets as many voters as it should have: [`voters::gain`];
//! 7. a broker with a new volume gets everything that it had: [`replace::refill`];
//! 8. brokers with another spec are restarted, one at a time or some of a zone together: [`roll`];
//! 9. brokers that should not be are emptied and removed: [`shrink`];
//! 10. partitions move on to new brokers: [`grow::spread`];
//! 11. the metadata quorum gets rid of voters that are too many: [`voters::lose`].

mod answers;
mod estimate;
mod grow;
mod ids;
mod outcome;
mod replace;
mod roll;
mod roll_zone;
mod shrink;
mod volume;
mod voters;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use crds::{Reason, Scaling};

use crate::safety::{Order, Question, SafetyFailure};
use crate::verdict::Verdict;
use crate::workload::PodState;

pub(crate) use answers::Answers;
pub(crate) use estimate::bytes;
pub(crate) use ids::wanted_ids;
pub(crate) use outcome::outcome;
pub(crate) use volume::{Request, Volume};
pub(crate) use voters::voter_count;

/// One broker that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: i32,
    /// Whether its StatefulSet is what the spec asks for.
    pub(crate) current: bool,
    /// Whether its pod is what its StatefulSet asks for.
    pub(crate) settled: bool,
    /// Whether its container runs, and not for so long that it cannot be busy with its start any more.
    pub(crate) starting: bool,
    /// Whether its eviction was granted just now.
    pub(crate) evicted: bool,
    /// Whether its container runs, ready or not, as far as is known.
    pub(crate) runs: bool,
    /// Whether it counts as unready only because its node is not heard from.
    pub(crate) unheard: bool,
    /// Its pod; `None` if there is none.
    pub(crate) pod: Option<PodState>,
    /// Whether its pod has a node and is not being deleted: then it keeps its volume, which Kubernetes deletes only after it.
    pub(crate) holds: bool,
    /// Its zone, which is its rack, if it has one.
    pub(crate) zone: Option<String>,
    /// The claim of its volume; `None` if there is none.
    pub(crate) volume: Option<Volume>,
}

impl Seen {
    fn is_ready(&self) -> bool {
        self.settled && self.pod == Some(PodState::Ready)
    }
}

/// What is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Situation {
    /// Name of the cluster, for messages.
    pub(crate) name: String,
    /// Ids that the spec asks for, sorted.
    pub(crate) wanted: Vec<i32>,
    /// Brokers that have a StatefulSet, sorted.
    pub(crate) brokers: Vec<Seen>,
    /// Ids that still have a pod or a StatefulSet, also one that is being deleted.
    pub(crate) lingering: Vec<i32>,
    /// What is on its way, as it was last written down.
    pub(crate) scaling: Scaling,
    /// Voters with which the cluster began.
    pub(crate) first_voters: usize,
    /// Whether the volumes of removed brokers go.
    pub(crate) delete_volumes: bool,
    /// Whether volumes that are lost are replaced without being asked.
    pub(crate) replace_lost: bool,
    /// Most brokers of one zone that may restart together.
    pub(crate) together: usize,
    /// Bytes a second that moves may take of each broker.
    pub(crate) bandwidth: Option<u64>,
}

/// Something to do. At most one a pass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Nothing but to write this intent down.
    Intend(Box<Scaling>),
    /// Make volumes and StatefulSets.
    Create(Vec<i32>),
    /// Change StatefulSets, which restarts their pods. Several of them may stop together, and so may any of them.
    Replace(Vec<i32>),
    /// Tell the brokers something.
    Tell(Order),
    /// Unregister a broker that is empty, then delete its StatefulSet.
    Retire(i32),
    /// Unregister a broker that is gone, delete its volume if the spec says so.
    Forget { id: i32, delete_volume: bool },
    /// Delete a broker's volume and its pod, so that both are made anew.
    Empty { id: i32, claim_uid: String },
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// This must be known first.
    Ask(Question),
    /// Do this, and say so.
    Do(Action, Verdict),
    /// Wait for something that comes by itself, or for a person.
    Wait(Verdict),
    /// Nothing is to be done: the brokers are those that the spec asks for.
    Settled,
}

/// What a concern has to say: a step, or nothing.
type Concern = Option<Step>;

/// The next step.
pub(crate) fn next(situation: &Situation, answers: &Answers) -> Step {
    grow::create(situation)
        .or_else(|| roll::correct(situation, answers))
        .or_else(|| shrink::reprieve(situation))
        .or_else(|| replace::replace(situation, answers))
        .or_else(|| everybody_ready(situation))
        .or_else(|| voters::gain(situation, answers))
        .or_else(|| replace::refill(situation, answers))
        .or_else(|| roll::roll(situation, answers))
        .or_else(|| shrink::shrink(situation, answers))
        .or_else(|| grow::spread(situation, answers))
        .or_else(|| voters::lose(situation, answers))
        .unwrap_or(Step::Settled)
}

impl Situation {
    /// Brokers that are there and stay.
    fn staying(&self) -> impl Iterator<Item = &Seen> {
        self.brokers.iter().filter(|b| self.wanted.contains(&b.id))
    }

    /// Ids of brokers that are there and should not be.
    fn leaving(&self) -> Vec<i32> {
        let ids = self.brokers.iter().map(|b| b.id);
        ids.filter(|id| !self.wanted.contains(id)).collect()
    }

    fn pod(&self, id: i32) -> String {
        super::names::pod(&self.name, id)
    }
}

fn act(action: Action, reason: Reason, text: impl Into<String>) -> Step {
    Step::Do(action, Verdict::working(reason, text))
}

fn wait(reason: Reason, text: impl Into<String>) -> Step {
    Step::Wait(Verdict::working(reason, text))
}

/// The brokers could not say.
fn unknown(doing: &str, failure: &SafetyFailure) -> Verdict {
    let text = format!("{doing}: waiting until the brokers say that it is safe: {failure}");
    Verdict::working(Reason::SafetyUnknown, text)
}

/// The plan and the answers do not fit together. It cannot happen, and must not end in a step.
pub(crate) fn too_many_questions() -> Verdict {
    let odd = SafetyFailure::Unknown("the answers lead nowhere".to_owned());
    unknown("planning the next step", &odd)
}

/// While a broker that stays is not ready, nothing else is disturbed.
fn everybody_ready(situation: &Situation) -> Concern {
    let unready = situation.staying().find(|b| !b.is_ready() || b.evicted)?;
    let all = situation.staying().count();
    let ready = situation.staying().filter(|b| b.is_ready()).count();
    let head = match replace::progress(situation).or_else(|| roll::progress(situation)) {
        Some(progress) => format!("{progress}; {ready} of {all} brokers ready"),
        None => format!("{ready} of {all} brokers ready"),
    };
    let pod = situation.pod(unready.id);
    if let (false, Some(text)) = (unready.is_ready(), replace::lost(situation, unready)) {
        return Some(Step::Wait(Verdict::stalled(Reason::VolumeLost, format!("{head}; {text}"))));
    }
    let verdict = match &unready.pod {
        Some(PodState::Failing(text)) => {
            Verdict::stalled(Reason::PodFailing, format!("{head}; pod {pod} {text}"))
        }
        Some(PodState::Waiting(text)) => {
            Verdict::working(Reason::PodsNotReady, format!("{head}; pod {pod} {text}"))
        }
        Some(PodState::Ready) if unready.evicted => {
            Verdict::working(Reason::PodsNotReady, format!("{head}; pod {pod} is being evicted"))
        }
        Some(PodState::Ready) => Verdict::working(
            Reason::PodsNotReady,
            format!("{head}; pod {pod} is about to be replaced"),
        ),
        None => Verdict::working(
            Reason::PodsNotReady,
            format!("{head}; pod {pod} is about to be created"),
        ),
    };
    Some(Step::Wait(verdict))
}

impl Action {
    /// What it is, in a word.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Intend(_) => "intend",
            Self::Create(_) => "create",
            Self::Replace(_) => "replace",
            Self::Tell(Order::Evacuate(_)) => "evacuate",
            Self::Tell(Order::Drain(_)) => "drain",
            Self::Tell(Order::Resize { .. }) => "resize",
            Self::Tell(Order::Spread) => "spread",
            Self::Tell(Order::Limit(_)) => "limit",
            Self::Tell(Order::StopMoves(_)) => "stop-moves",
            Self::Tell(Order::AddVoter { .. }) => "add-voter",
            Self::Tell(Order::RemoveVoter { .. }) => "remove-voter",
            Self::Tell(Order::Unregister(_)) => "unregister",
            Self::Retire(_) => "retire",
            Self::Forget { .. } => "forget",
            Self::Empty { .. } => "empty",
        }
    }

    /// Whether it gives a vote, which others need not wait for.
    pub(crate) fn gives_vote(&self) -> bool {
        matches!(self, Self::Tell(Order::AddVoter { .. }))
    }
}

/// Ids as people list them.
pub(crate) fn listed(ids: &[i32]) -> String {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    let noun = if ids.len() == 1 { "broker" } else { "brokers" };
    format!("{noun} {}", ids.join(", "))
}
