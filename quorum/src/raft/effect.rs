//! [`Effect`]: what the engine wants done.

use bytes::Bytes;

use super::message::{Request, Response};
use crate::log::{Frame, SnapshotId};

/// What the engine wants done, in order. Before a request, a response or a commit leaves the node, everything before it and
/// the engine's [`super::HardState`] must be durable; first the state, then the log.
#[derive(Debug)]
pub enum Effect {
    /// Append to the log.
    Append(Frame),
    /// Cut the log.
    Truncate(u64),
    /// Replace everything by this snapshot, then call [`super::Raft::installed`].
    Install {
        /// Which one it must be.
        id: SnapshotId,
        /// Its file.
        bytes: Bytes,
    },
    /// Send.
    Request {
        /// To whom.
        to: i32,
        /// Comes back with the answer.
        id: u64,
        /// What.
        request: Request,
    },
    /// Send.
    Response {
        /// To whom.
        to: i32,
        /// The request's.
        id: u64,
        /// What.
        response: Response,
    },
    /// Send this response with the frames from its offset on.
    ServeFrames {
        /// To whom.
        to: i32,
        /// The request's.
        id: u64,
        /// A fetch answer without frames.
        response: Response,
        /// First offset.
        offset: u64,
        /// The most bytes.
        max_bytes: usize,
    },
    /// Send this response with a part of a snapshot.
    ServeSnapshot {
        /// To whom.
        to: i32,
        /// The request's.
        id: u64,
        /// A snapshot answer without bytes.
        response: Response,
        /// Which one.
        snapshot: SnapshotId,
        /// First byte.
        position: u64,
        /// The most bytes.
        max_bytes: usize,
    },
    /// Everything before this offset is committed.
    Committed(u64),
    /// This node's leadership has committed its first frame: everything in the log is committed.
    Active,
    /// This node leads no longer.
    Deposed,
    /// Another leader, or none.
    LeaderChanged {
        /// Node id.
        leader: Option<i32>,
        /// Its epoch.
        epoch: i32,
    },
    /// The leader's log does not have what is committed here: the node must stop.
    Diverged {
        /// Where the leader's log and this one part.
        end_offset: u64,
        /// What is committed here.
        committed: u64,
    },
}
