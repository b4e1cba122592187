//! What a change means for records, as the brokers say.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::change::Change;
use crate::safety::{Answer, Brokers, Question, ReplicasAnswer, SafetyFailure};

/// Most brokers that are asked one by one what stops with them.
const MAX_RESTARTS_ASKED: usize = 16;

type Known<T> = Result<T, SafetyFailure>;

/// What the brokers say. `None` where it was not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Toll {
    /// What all brokers hold, of which new ones get their share.
    pub(super) all: Option<Known<ReplicasAnswer>>,
    /// What those that go hold.
    pub(super) going: Option<Known<ReplicasAnswer>>,
    /// Topics that have no other replica than on a broker that restarts.
    pub(super) silent: Option<Known<BTreeSet<String>>>,
}

pub(super) async fn ask(change: &Change, brokers: &impl Brokers) -> Toll {
    let mut toll = Toll::default();
    if !change.adds.is_empty() {
        toll.all = Some(replicas(brokers, &change.there).await);
    }
    if !change.removes.is_empty() {
        toll.going = Some(replicas(brokers, &change.removes).await);
    }
    if !change.restarts.is_empty() {
        toll.silent = Some(silent(brokers, &change.restarts).await);
    }
    toll
}

/// When the brokers took too long: a failure in the place of each answer.
pub(super) fn nobody_said(within: Duration) -> Toll {
    let failure = SafetyFailure::Unknown(format!("nobody said within {} s", within.as_secs()));
    Toll {
        all: Some(Err(failure.clone())),
        going: Some(Err(failure.clone())),
        silent: Some(Err(failure)),
    }
}

async fn replicas(brokers: &impl Brokers, ids: &[i32]) -> Known<ReplicasAnswer> {
    match brokers.ask(&Question::Replicas(ids.to_vec())).await? {
        Answer::Replicas(answer) => Ok(answer),
        _ => Err(SafetyFailure::mismatched()),
    }
}

async fn silent(brokers: &impl Brokers, ids: &[i32]) -> Known<BTreeSet<String>> {
    let mut topics = BTreeSet::new();
    // At once: an answer may take the active controller a heartbeat, and an edit that is made meanwhile begins again.
    let asked = ids.iter().take(MAX_RESTARTS_ASKED);
    let questions: Vec<_> = asked.map(|id| Question::Restart(vec![*id])).collect();
    for answer in join_all(questions.iter().map(|question| brokers.ask(question))).await {
        let Answer::Restart(answer) = answer? else { return Err(SafetyFailure::mismatched()) };
        topics.extend(answer.unavoidable.into_iter().filter_map(|obstacle| obstacle.topic));
    }
    Ok(topics)
}
