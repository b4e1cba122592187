//! What replicas of the metadata log say to each other.
//!
//! The names and meanings are those of Kafka's Vote, BeginQuorumEpoch, EndQuorumEpoch, Fetch and FetchSnapshot (KIP-595,
//! KIP-853, KIP-996), the form is our own ([`Request::to_bytes`]).

use std::sync::Arc;

use bytes::Bytes;
use protocol::Uuid;
use thiserror::Error;

use super::Voter;
use crate::log::Frame;

/// A request of one replica to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The sender's cluster; another cluster's request is refused.
    pub cluster_id: Arc<str>,
    /// The sender.
    pub from: Voter,
    /// Directory id of the replica that is meant; zero when the sender does not know it or does not care.
    pub to_directory: Uuid,
    /// The sender's epoch (in a [`Call::Vote`] that is no pre-vote: the epoch that it wants to lead).
    pub epoch: i32,
    /// What is asked for.
    pub call: Call,
}

/// What a [`Request`] asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// A vote for the sender.
    Vote {
        /// Only asks whether it would be given; nothing changes at the receiver (KIP-996).
        pre_vote: bool,
        /// Epoch of the sender's last frame.
        last_epoch: i32,
        /// The sender's end offset.
        end_offset: u64,
    },
    /// The sender leads `epoch`.
    BeginEpoch,
    /// The sender leads `epoch` no longer.
    EndEpoch {
        /// Who should take over, the best first.
        preferred: Vec<i32>,
    },
    /// Frames from an offset on; everything before it is durable at the sender.
    Fetch {
        /// The sender's end offset.
        offset: u64,
        /// Epoch of the sender's last frame.
        last_epoch: i32,
        /// The most bytes of frames to send; one frame is always sent.
        max_bytes: u32,
        /// How long to wait for something new, in milliseconds.
        max_wait_ms: u32,
        /// What the sender knows to be committed: an answer is worth while when the leader knows more.
        high_watermark: u64,
    },
    /// A part of a snapshot.
    FetchSnapshot {
        /// Offset of the snapshot.
        offset: u64,
        /// Epoch of the last frame in it.
        snapshot_epoch: i32,
        /// First byte wanted.
        position: u64,
        /// The most bytes.
        max_bytes: u32,
    },
}

/// The answer to a [`Request`]. Whoever answers says what it knows of the leader.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Who answers.
    pub from: Voter,
    /// Its epoch.
    pub epoch: i32,
    /// The leader of that epoch, when it knows.
    pub leader: Option<i32>,
    /// What it answers.
    pub answer: Answer,
}

/// What a [`Response`] says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To [`Call::Vote`].
    Vote {
        /// As asked.
        pre_vote: bool,
        /// Whether the sender has the vote.
        granted: bool,
    },
    /// To [`Call::BeginEpoch`] and [`Call::EndEpoch`].
    Noted,
    /// To [`Call::Fetch`].
    Fetch {
        /// As asked.
        offset: u64,
        /// As asked.
        last_epoch: i32,
        /// What the leader knows to be committed.
        high_watermark: u64,
        /// What was found.
        fetched: Fetched,
    },
    /// To [`Call::FetchSnapshot`].
    Snapshot {
        /// As asked.
        offset: u64,
        /// As asked.
        snapshot_epoch: i32,
        /// As asked.
        position: u64,
        /// Bytes of the whole snapshot.
        total_bytes: u64,
        /// Bytes from `position` on; empty only at the end.
        bytes: Bytes,
    },
    /// The request was not served.
    Refused(Refusal),
}

/// What a leader answers to a fetch.
#[derive(Debug, Clone, PartialEq)]
pub enum Fetched {
    /// Frames, the first at the offset that was asked for; none when there is nothing new.
    Frames(Vec<Frame>),
    /// The fetcher's log is another one: in the leader's log the last epoch that is not above the fetcher's ends here.
    Diverging {
        /// That epoch.
        epoch: i32,
        /// Where it ends.
        end_offset: u64,
    },
    /// The leader has no frames from there on any more, but this snapshot.
    Snapshot {
        /// Offset of the snapshot.
        offset: u64,
        /// Epoch of the last frame in it.
        epoch: i32,
    },
}

/// Why a request was not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The sender belongs to another cluster.
    #[error("the request comes from another cluster")]
    OtherCluster,
    /// The request is meant for another disk of this node, or this node never votes.
    #[error("this is not the replica that was meant")]
    OtherReplica,
    /// The receiver leads nothing.
    #[error("not the leader")]
    NotLeader,
    /// The sender's epoch is over.
    #[error("the epoch is over")]
    StaleEpoch,
    /// The snapshot is not there, or no longer.
    #[error("no such snapshot")]
    UnknownSnapshot,
    /// The request makes no sense.
    #[error("the request is invalid")]
    Invalid,
}
