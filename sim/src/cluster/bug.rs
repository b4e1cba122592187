//! [`Bug`]: mistakes on purpose, each of which the simulation must find.

use super::Scenario;

/// A mistake on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Of a partition's replica.
    Replica(replica::Planted),
    /// Of the controller.
    Controller(quorum::controller::Planted),
    /// Of the metadata quorum.
    Quorum(quorum::raft::Planted),
    /// Of a broker around them.
    Broker(Mistake),
}

/// A mistake of a broker around its state machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// A produce with acks=all is answered after the leader's append.
    AnswersBeforeCommit,
    /// A group's offset is answered after the coordinator's append.
    GroupAnswersEarly,
    /// A new leader does not know the producers of records that it has replicated.
    ProducersForgotten,
    /// A group's coordinator serves before it has loaded what its predecessor wrote.
    CoordinatorServesUnloaded,
    /// A node that lacks what was pruned is given no snapshot.
    NoSnapshots,
    /// The folder remembers its registration although what was acknowledged may not be on the disk.
    EpochNotedUnflushed,
    /// Logs are opened by what the metadata said before this life's registration.
    OpensBeforeRegistered,
    /// A produce that waits when its leader loses its leadership is answered as if it were committed.
    LostLeaderAcknowledges,
    /// A truncation is not made, only noted.
    NeverTruncates,
    /// A follower gives consumers all that it has.
    FollowerServesAll,
    /// DeleteRecords takes away what is not committed.
    DeletesUncommitted,
    /// A coordinator takes offsets of any generation.
    CommitsUnfenced,
    /// A coordinator tells what its predecessor has written and nobody has committed.
    CoordinatorServesUncommitted,
    /// A topic's folder is what has its name, whichever topic that is.
    FoldersByName,
    /// Clients are served what has the topic's name, whichever topic they mean.
    ServesByName,
    /// A topic that was deleted while the broker was down stays in its folder.
    DeletionForgotten,
    /// Logs of a topic that was made anew are opened before those of its predecessor go.
    OpensBeforeRemoving,
    /// What groups have committed for a deleted topic counts for its successor.
    OffsetsByName,
    /// A throttle holds replicas back that are in sync.
    InSyncThrottled,
    /// What a throttle has held back is not asked for again.
    PauseNeverEnds,
    /// Partitions that are added to a topic are not hosted.
    AddedPartitionsIgnored,
}

impl Mistake {
    /// All of them.
    pub const ALL: [Mistake; 21] = [
        Mistake::AnswersBeforeCommit,
        Mistake::GroupAnswersEarly,
        Mistake::ProducersForgotten,
        Mistake::CoordinatorServesUnloaded,
        Mistake::NoSnapshots,
        Mistake::EpochNotedUnflushed,
        Mistake::OpensBeforeRegistered,
        Mistake::LostLeaderAcknowledges,
        Mistake::NeverTruncates,
        Mistake::FollowerServesAll,
        Mistake::DeletesUncommitted,
        Mistake::CommitsUnfenced,
        Mistake::CoordinatorServesUncommitted,
        Mistake::FoldersByName,
        Mistake::ServesByName,
        Mistake::DeletionForgotten,
        Mistake::OpensBeforeRemoving,
        Mistake::OffsetsByName,
        Mistake::AddedPartitionsIgnored,
        Mistake::InSyncThrottled,
        Mistake::PauseNeverEnds,
    ];
}

impl Bug {
    /// All of them.
    pub fn all() -> Vec<Bug> {
        let replica = replica::Planted::ALL.into_iter().map(Bug::Replica);
        let controller = quorum::controller::Planted::ALL.into_iter().map(Bug::Controller);
        let quorum = [
            quorum::raft::Planted::StaleLeaderAnswers,
            quorum::raft::Planted::AcknowledgeBeforeMajority,
        ];
        let broker = Mistake::ALL.into_iter().map(Bug::Broker);
        replica.chain(controller).chain(quorum.map(Bug::Quorum)).chain(broker).collect()
    }

    /// As the command line calls it.
    pub fn name(self) -> String {
        match self {
            Bug::Replica(bug) => format!("replica-{bug:?}"),
            Bug::Controller(bug) => format!("controller-{bug:?}"),
            Bug::Quorum(bug) => format!("quorum-{bug:?}"),
            Bug::Broker(bug) => format!("broker-{bug:?}"),
        }
    }

    /// Where it is looked for first.
    pub fn scenario(self) -> Scenario {
        use quorum::controller::Planted as C;
        use replica::Planted as R;
        match self {
            Bug::Replica(R::FetchBeforeFlush) => Scenario::PowerLoss,
            Bug::Replica(R::ProgressKept) => Scenario::Elections,
            Bug::Replica(R::BrokerEpochIgnored) => Scenario::Disks,
            Bug::Replica(R::ProgressWiped | R::ReadSkipsSegment) => Scenario::Kills,
            Bug::Replica(_) => Scenario::Partitions,
            Bug::Controller(C::EmptyDiskInSync | C::OldDiskInSync | C::BrokerEpochIgnored) => {
                Scenario::Disks
            }
            Bug::Controller(C::NoNewEpoch) => Scenario::PowerLoss,
            Bug::Controller(C::ReassignedBeforeInSync) => Scenario::Reassignments,
            Bug::Controller(C::NeverFences) => Scenario::Partitions,
            Bug::Controller(C::PartitionEpochIgnored) => Scenario::Elections,
            Bug::Controller(C::TopicIdIgnored) => Scenario::Topics,
            Bug::Controller(_) => Scenario::Everything,
            Bug::Quorum(_) => Scenario::Elections,
            Bug::Broker(Mistake::EpochNotedUnflushed) => Scenario::PowerLoss,
            Bug::Broker(Mistake::OpensBeforeRegistered) => Scenario::Disks,
            Bug::Broker(Mistake::NeverTruncates) => Scenario::Partitions,
            Bug::Broker(Mistake::CoordinatorServesUncommitted) => Scenario::Elections,
            Bug::Broker(Mistake::InSyncThrottled | Mistake::PauseNeverEnds) => Scenario::Throttles,
            Bug::Broker(
                Mistake::FoldersByName
                | Mistake::ServesByName
                | Mistake::DeletionForgotten
                | Mistake::OpensBeforeRemoving
                | Mistake::OffsetsByName
                | Mistake::AddedPartitionsIgnored,
            ) => Scenario::Topics,
            Bug::Broker(Mistake::CommitsUnfenced) => Scenario::Elections,
            Bug::Broker(_) => Scenario::Kills,
        }
    }

    /// Whether it takes hundreds of seeds: several things must meet.
    pub fn is_rare(self) -> bool {
        use quorum::controller::Planted as C;
        use replica::Planted as R;
        matches!(
            self,
            Bug::Replica(R::BrokerEpochIgnored | R::FetchBeforeFlush)
                | Bug::Controller(C::BrokerEpochIgnored)
                | Bug::Broker(Mistake::PauseNeverEnds)
        )
    }

    pub(super) fn replica(self) -> Option<replica::Planted> {
        match self {
            Bug::Replica(bug) => Some(bug),
            _ => None,
        }
    }
}
