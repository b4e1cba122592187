//! The door to the brokers' own judgement: may these restart, what is left on those, move everything off.
//!
//! It fails closed: no answer, an answer that does not read and an answer of the wrong node are all "not known",
//! and whoever asked leaves everything as it is.

mod contract;
mod door;

#[cfg(test)]
pub(crate) use contract::ProposedMoveAnswer;
pub(crate) use contract::{
    BandwidthAnswer, MovesAnswer, Obstacle, ProposalAnswer, QuorumAnswer, QuorumMember,
    ReplicasAnswer, RestartAnswer,
};
pub(crate) use door::BrokerDoor;

/// What can be asked. Nothing changes by asking.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    /// May these brokers stop together, now?
    Restart(Vec<i32>),
    /// What is left on these brokers?
    Replicas(Vec<i32>),
    /// Who votes?
    Quorum,
    /// Which moves would even the brokers out?
    Proposal,
    /// What limits the moves?
    Bandwidth,
    /// Which brokers are registered and not fenced?
    Registered,
    /// Is this broker, which is not ready, recovering its log?
    Recovery(i32),
}

/// What was answered, one variant a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Restart(RestartAnswer),
    Replicas(ReplicasAnswer),
    Quorum(QuorumAnswer),
    Proposal(ProposalAnswer),
    Bandwidth(BandwidthAnswer),
    Registered(Vec<i32>),
    Recovery(bool),
}

/// What the brokers can be told to do. Each may be told again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Move leaders off these brokers.
    Drain(Vec<i32>),
    /// Plan the next moves off these brokers.
    Evacuate(Vec<i32>),
    /// Plan the next moves on to brokers that have too few.
    Spread,
    /// Plan the next moves towards so many replicas of each partition of a topic.
    Resize { topic: String, replicas: i32 },
    /// Limit what moves take of each broker to so many bytes a second, one way; `None`: as if no limit had been set.
    Limit(Option<u64>),
    /// Forget the moves off these brokers.
    StopMoves(Vec<i32>),
    /// Make a caught-up observer a voter.
    AddVoter { id: i32, directory_id: String },
    /// Make a voter an observer.
    RemoveVoter { id: i32, directory_id: String },
    /// Forget a broker that has no replicas.
    Unregister(i32),
}

/// What an order came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Moves(MovesAnswer),
    Done,
}

/// A question has no answer, or an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SafetyFailure {
    /// The active controller understood and says no, for now.
    #[error("{0}")]
    Refused(String),
    /// What the order is about does not exist.
    #[error("{0}")]
    NoSuch(String),
    /// Brokers answer, and nobody leads them: no process that could is out of sight.
    #[error("{0}")]
    Leaderless(String),
    /// Nobody could say.
    #[error("{0}")]
    Unknown(String),
}

impl SafetyFailure {
    /// The answer is that to another question, or of another order. It cannot happen, and is no answer.
    pub(crate) fn mismatched() -> Self {
        Self::Unknown("the answer is another's".to_owned())
    }
}

/// The seam: brokers over HTTP and Kafka's protocol, or a test's.
pub(crate) trait Brokers {
    /// Asks.
    fn ask(
        &self,
        question: &Question,
    ) -> impl Future<Output = Result<Answer, SafetyFailure>> + Send;
    /// Tells to do something.
    fn order(&self, order: &Order) -> impl Future<Output = Result<Done, SafetyFailure>> + Send;
}

/// Has moves begun that keep to a limit of bytes a second: where it cannot be set, none begin.
pub(crate) async fn begin_limited(
    brokers: &impl Brokers,
    limit: Option<u64>,
    order: &Order,
) -> Result<Done, SafetyFailure> {
    if limit.is_some() {
        brokers.order(&Order::Limit(limit)).await?;
    }
    brokers.order(order).await
}
