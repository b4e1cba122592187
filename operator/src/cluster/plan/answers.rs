//! What has been answered in this pass. It is thrown away with it: the next pass asks anew.

use std::collections::BTreeMap;

use super::{Step, unknown};
use crate::safety::{Answer, Question, QuorumAnswer, ReplicasAnswer, RestartAnswer, SafetyFailure};

/// Answers by question.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    by_question: BTreeMap<Question, Result<Answer, SafetyFailure>>,
    /// Why a vote could not be given in this pass.
    no_vote: Option<SafetyFailure>,
}

impl Answers {
    pub(crate) fn learn(&mut self, question: Question, answer: Result<Answer, SafetyFailure>) {
        self.by_question.insert(question, answer);
    }

    /// A broker could not become a voter; the plan goes on without.
    pub(crate) fn learn_no_vote(&mut self, failure: SafetyFailure) {
        self.no_vote = Some(failure);
    }

    pub(super) fn no_vote(&self) -> Option<&SafetyFailure> {
        self.no_vote.as_ref()
    }

    /// The answer, or the step that gets it. An answer to another question is none.
    fn get<T>(
        &self,
        doing: &str,
        question: Question,
        read: impl Fn(&Answer) -> Option<T>,
    ) -> Result<T, Step> {
        match self.by_question.get(&question) {
            None => Err(Step::Ask(question)),
            Some(Err(failure)) => Err(Step::Wait(unknown(doing, failure))),
            Some(Ok(answer)) => read(answer).ok_or_else(|| {
                let odd = SafetyFailure::Unknown("the answer is to another question".to_owned());
                Step::Wait(unknown(doing, &odd))
            }),
        }
    }

    pub(super) fn restart(&self, doing: &str, ids: &[i32]) -> Result<RestartAnswer, Step> {
        self.get(doing, Question::Restart(ids.to_vec()), |answer| match answer {
            Answer::Restart(answer) => Some(answer.clone()),
            _ => None,
        })
    }

    /// Whether the brokers that answer say that nobody leads who could.
    pub(super) fn are_leaderless(&self, question: &Question) -> bool {
        matches!(self.by_question.get(question), Some(Err(SafetyFailure::Leaderless(_))))
    }

    pub(super) fn replicas(&self, doing: &str, ids: &[i32]) -> Result<ReplicasAnswer, Step> {
        self.get(doing, Question::Replicas(ids.to_vec()), |answer| match answer {
            Answer::Replicas(answer) => Some(answer.clone()),
            _ => None,
        })
    }

    pub(super) fn quorum(&self, doing: &str) -> Result<QuorumAnswer, Step> {
        self.get(doing, Question::Quorum, |answer| match answer {
            Answer::Quorum(answer) => Some(answer.clone()),
            _ => None,
        })
    }

    pub(super) fn registered(&self, doing: &str) -> Result<Vec<i32>, Step> {
        self.get(doing, Question::Registered, |answer| match answer {
            Answer::Registered(ids) => Some(ids.clone()),
            _ => None,
        })
    }

    pub(super) fn recovers(&self, doing: &str, id: i32) -> Result<bool, Step> {
        self.get(doing, Question::Recovery(id), |answer| match answer {
            Answer::Recovery(recovers) => Some(*recovers),
            _ => None,
        })
    }
}
