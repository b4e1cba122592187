//! [`QuorumStatus`]: what DescribeQuorum tells.

use protocol::Uuid;

use crate::raft::{Raft, Voter};

/// The quorum as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuorumStatus {
    /// The leader, when it is known.
    pub leader: Option<i32>,
    /// The epoch.
    pub epoch: i32,
    /// Offset before which everything is committed.
    pub high_watermark: u64,
    /// The voters, by node id.
    pub voters: Vec<ReplicaStatus>,
    /// Who else fetches, by node id; empty on nodes that do not lead.
    pub observers: Vec<ReplicaStatus>,
}

/// A replica as the leader sees it; on other nodes only the ids are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// Node id.
    pub id: i32,
    /// Its data folder; zero when not known.
    pub directory_id: Uuid,
    /// Everything before this offset is on its disk.
    pub log_end_offset: Option<u64>,
    /// When it fetched last, on the clock of `now_ms`.
    pub last_fetch_ms: Option<u64>,
    /// When it last had all that the leader had.
    pub last_caught_up_ms: Option<u64>,
}

pub(super) fn of(raft: &Raft) -> QuorumStatus {
    let voters = raft.voters().current();
    let leads = raft.leader() == Some(raft.me().id);
    let row = |replica: Voter| {
        let progress = raft.replicas().find(|(of, _)| **of == replica).map(|(_, of)| *of);
        let own = replica.id == raft.me().id;
        ReplicaStatus {
            id: replica.id,
            directory_id: replica.directory_id,
            log_end_offset: progress.map(|of| of.offset).or(own.then_some(raft.log().end())),
            last_fetch_ms: progress
                .map(|of| of.last_fetch_ms)
                .or((own && leads).then_some(raft.now())),
            last_caught_up_ms: progress
                .map_or((own && leads).then_some(raft.now()), |of| of.last_caught_up_ms),
        }
    };
    QuorumStatus {
        leader: raft.leader(),
        epoch: raft.epoch(),
        high_watermark: raft.high_watermark(),
        voters: voters.iter().map(row).collect(),
        observers: raft
            .replicas()
            .map(|(of, _)| *of)
            .filter(|of| !voters.contains(*of))
            .map(row)
            .collect(),
    }
}
