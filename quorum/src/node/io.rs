//! What goes into a node and what comes out: [`Input`], [`Output`].

use std::sync::Arc;

use thiserror::Error;

use super::proposal::{Done, Proposal, Waiter};
use crate::image::MetadataImage;
use crate::raft::{NoAnswer, Request, Response, Voter};

/// What happens to a node.
#[derive(Debug)]
pub enum Input {
    /// Time has passed: due at the latest at [`super::QuorumNode::deadline_ms`].
    Tick,
    /// Another node asks; the answer comes as [`Output::Response`] with the same `id`, perhaps much later, perhaps never.
    Request {
        /// Who asks.
        from: i32,
        /// Names the request among those of `from` that are not answered yet; the caller chooses.
        id: u64,
        /// What it asks.
        request: Request,
    },
    /// The answer to an [`Output::Request`].
    Response {
        /// Who answers.
        from: i32,
        /// The request's.
        id: u64,
        /// What it answers.
        response: Response,
    },
    /// An [`Output::Request`] will not be answered. (One that nothing is heard of is given up by itself.)
    RequestFailed {
        /// Whom it was for.
        to: i32,
        /// The request's.
        id: u64,
        /// Why not.
        why: NoAnswer,
    },
    /// A command for the active controller.
    Propose(Proposal),
    /// One voter joins or leaves (KIP-853); only the leader does it.
    ChangeVoters {
        /// What changes.
        change: VoterChange,
        /// Told when the change is committed, or why it is not.
        done: ChangeDone,
    },
    /// The leader hands over to this voter as soon as it has caught up; does nothing on another node.
    Transfer {
        /// A voter other than this node.
        to: i32,
    },
    /// The leader hands over to the voter that is furthest; does nothing on another node. For a graceful stop.
    Resign,
}

/// A change of one voter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoterChange {
    /// AddRaftVoter: an observer that has caught up becomes a voter.
    Add(Voter),
    /// RemoveRaftVoter: with the directory id that the set has.
    Remove(Voter),
}

/// Why the voters stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChangeVotersError {
    /// This node does not lead.
    #[error("not the leader of the metadata quorum")]
    NotLeader {
        /// Who does, when it is known.
        leader: Option<i32>,
    },
    /// The change before is not committed yet, or the leader has not committed anything in its epoch.
    #[error("another change of the voters, or an election, is not finished")]
    Busy,
    /// A voter with this node id is in the set.
    #[error("voter {0} is in the set already; remove it first")]
    Duplicate(i32),
    /// No such voter, or with another directory id.
    #[error("voter {0} with this directory id is not in the set")]
    Unknown(i32),
    /// The node does not fetch, or is too far behind.
    #[error("node {0} has not caught up with the leader")]
    NotCaughtUp(i32),
    /// The new set would have a voter whose disk is not known yet: it must fetch first, or be removed.
    #[error("voter {0} has not fetched yet, so its directory id is not known")]
    UnknownDirectory(i32),
    /// The set would be empty or too large.
    #[error("a quorum has 1 to {} voters", crate::raft::MAX_VOTERS)]
    Size,
    /// The leadership ended before the change was committed: it may come to be, or not.
    #[error("the leadership ended before the change was committed")]
    Lost,
}

/// Who is told of a [`VoterChange`].
pub struct ChangeDone(Box<dyn FnOnce(Result<(), ChangeVotersError>) + Send>);

impl ChangeDone {
    /// Calls `on_done` just once, on the node's thread: it must not block.
    pub fn new(on_done: impl FnOnce(Result<(), ChangeVotersError>) + Send + 'static) -> Self {
        Self(Box::new(on_done))
    }

    /// To be told with the batch's other results.
    pub(super) fn later(self, result: Result<(), ChangeVotersError>) -> Done {
        Waiter::new(move |_| self.call(result)).done(Ok(()))
    }

    pub(super) fn call(self, result: Result<(), ChangeVotersError>) {
        (self.0)(result);
    }
}

impl std::fmt::Debug for ChangeDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChangeDone")
    }
}

/// What a node wants done, in this order.
#[derive(Debug)]
pub enum Output {
    /// To be sent.
    Request {
        /// To whom.
        to: i32,
        /// For the answer: unique among this node's requests.
        id: u64,
        /// What.
        request: Request,
    },
    /// To be sent back.
    Response {
        /// To whom.
        to: i32,
        /// As in [`Input::Request`].
        id: u64,
        /// What.
        response: Response,
    },
    /// A newer committed image.
    Published(Arc<MetadataImage>),
    /// A proposal's result, to be called (or dropped) after the image before it is published.
    Done(Done),
    /// Another leader, or none.
    LeaderChanged {
        /// Node id.
        leader: Option<i32>,
        /// Its epoch.
        epoch: i32,
    },
}
