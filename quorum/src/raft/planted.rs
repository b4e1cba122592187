//! Bugs made on purpose, to see that the simulation finds them.

/// A known way to be wrong. Only there with the feature `planted`, and only when a test asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// Epoch and vote are forgotten by a restart.
    VoteNotDurable,
    /// A leader takes frames of an older epoch for committed because a majority has them.
    CommitOfOlderEpoch,
    /// A follower cuts off what it knows to be committed.
    TruncateCommitted,
    /// An observer's fetches count towards the majority.
    ObserverCounted,
    /// The voters are changed before the change before is committed.
    VoterChangeUncommitted,
    /// A voter is its node id, whatever disk it stands on.
    DirectoryIgnored,
    /// A leader cuts its own log where a follower's parts from it.
    LeaderTruncates,
    /// A leader that has been replaced answers what it had been asked as if it still led.
    StaleLeaderAnswers,
    /// A leader answers as soon as its own disk has the records.
    AcknowledgeBeforeMajority,
}

impl Planted {
    /// All of them.
    pub const ALL: [Planted; 9] = [
        Planted::VoteNotDurable,
        Planted::CommitOfOlderEpoch,
        Planted::TruncateCommitted,
        Planted::ObserverCounted,
        Planted::VoterChangeUncommitted,
        Planted::DirectoryIgnored,
        Planted::LeaderTruncates,
        Planted::StaleLeaderAnswers,
        Planted::AcknowledgeBeforeMajority,
    ];
}
