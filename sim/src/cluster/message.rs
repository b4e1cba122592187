//! What goes over the simulated network.

use std::sync::Arc;

use bytes::Bytes;
use groups::{JoinAnswer, SyncAnswer};
use protocol::{ErrorCode, Str, Uuid};
use quorum::MetadataImage;
use quorum::controller::{HeartbeatAnswer, IsrChange, MorePartitions, Reassignment};
use quorum::image::PartitionImage;
use replica::{Divergence, FetchPosition};

/// A partition.
pub(super) type Key = (Uuid, i32);

/// A message; `id` names a request at its sender, and comes back with the answer.
#[derive(Debug, Clone)]
pub(super) enum Message {
    /// Of the quorum, encoded.
    QuorumRequest {
        id: u64,
        bytes: Bytes,
    },
    QuorumResponse {
        id: u64,
        bytes: Bytes,
    },
    /// For the active controller.
    Call {
        id: u64,
        call: Call,
    },
    Reply {
        id: u64,
        reply: Reply,
    },
    /// A follower's fetch of everything that it has from one leader.
    Fetch {
        id: u64,
        broker_epoch: i64,
        parts: Vec<(Key, FetchPosition)>,
    },
    Fetched {
        id: u64,
        parts: Vec<(Key, Part)>,
    },
    Produce {
        id: u64,
        key: Key,
        batch: Bytes,
    },
    Produced {
        id: u64,
        result: Result<i64, ErrorCode>,
    },
    Consume {
        id: u64,
        key: Key,
        leader_epoch: i32,
        offset: i64,
        /// A follower may answer (KIP-392).
        elsewhere: bool,
    },
    /// An administrator wants what is before an offset gone.
    DeleteRecords {
        key: Key,
        leader_epoch: i32,
        before: i64,
    },
    Consumed {
        id: u64,
        result: Result<Records, ErrorCode>,
    },
    ListEnd {
        id: u64,
        key: Key,
        leader_epoch: i32,
    },
    Ended {
        id: u64,
        result: Result<i64, ErrorCode>,
    },
    /// Of a member of a group, to its coordinator.
    Group {
        id: u64,
        key: Key,
        group: usize,
        ask: Ask,
    },
    GroupTold {
        id: u64,
        told: Told,
    },
    Metadata,
    MetadataIs {
        image: Arc<MetadataImage>,
    },
}

/// What a member of a group asks.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Join {
        member: Str,
    },
    Sync {
        member: Str,
        generation: i32,
        assignments: Vec<(Str, Vec<i32>)>,
    },
    Heartbeat {
        member: Str,
        generation: i32,
    },
    Leave {
        member: Str,
    },
    /// An offset of one of the partitions that clients look at, with the topic that the member means.
    Commit {
        member: Str,
        generation: i32,
        lane: i32,
        topic_id: Uuid,
        offset: i64,
    },
    Offsets,
}

/// What it is told.
#[derive(Debug, Clone)]
pub(super) enum Told {
    Joined(JoinAnswer),
    Synced(SyncAnswer),
    /// Of a heartbeat, a goodbye or a commit.
    Code(ErrorCode),
    /// By partition of those that clients look at, with the topic that they are of; -1 where nothing is committed.
    Offsets(Result<Vec<(i32, Uuid, i64)>, ErrorCode>),
}

/// What a leader answers for one partition.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Records { high_watermark: i64, start: i64, records: Bytes },
    Diverging(Divergence),
    OutOfRange { start: i64 },
    Error(ErrorCode),
}

/// What a consumer is answered.
#[derive(Debug, Clone)]
pub(super) struct Records {
    pub(super) high_watermark: i64,
    /// The log's start: what is before is deleted.
    pub(super) start: i64,
    pub(super) bytes: Bytes,
}

/// What brokers and clients ask the active controller for.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Register {
        broker: i32,
        incarnation: Uuid,
        directory: Uuid,
        previous_epoch: i64,
    },
    Heartbeat {
        broker: i32,
        epoch: i64,
        metadata_offset: u64,
        want_shut_down: bool,
        offline_log_dirs: Vec<Uuid>,
    },
    Alter {
        broker: i32,
        epoch: i64,
        changes: Vec<IsrChange>,
    },
    CreateTopics {
        topics: Vec<(String, Vec<Vec<i32>>)>,
        min_isr: usize,
    },
    DeleteTopic(String),
    /// How many partitions a topic shall have; the controller may choose where the new ones are.
    AddPartitions(MorePartitions),
    ProducerIds,
    Reassign(Reassignment),
    Elect(Vec<(String, i32)>),
    Balance,
    Drain(Vec<i32>),
    /// Writes a number that nobody else writes.
    Note(u64),
}

/// What it answers.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Ask somebody else, or later.
    NotController,
    /// The leadership ended, or the log refused: it may have been done.
    Unknown,
    /// A rule of the controller is broken.
    Broken(String),
    Registered(Result<i64, String>),
    Heartbeat(Result<HeartbeatAnswer, String>),
    Altered(Option<Vec<Result<PartitionImage, ErrorCode>>>),
    ProducerIds(i64),
    Done,
}
