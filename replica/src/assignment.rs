use std::sync::Arc;

/// What the metadata says of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Leader's node id, -1 when there is none.
    pub leader: i32,
    /// Raised with every change of leader.
    pub leader_epoch: i32,
    /// Raised with every change.
    pub partition_epoch: i32,
    /// Node ids, the preferred leader first.
    pub replicas: Arc<[i32]>,
    /// In-sync replicas.
    pub isr: Arc<[i32]>,
}

/// The rules that configs set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// `min.insync.replicas`.
    pub min_insync_replicas: usize,
    /// `log.flush.before.ack`: a replica holds a record only when it is on its disk.
    pub flush_before_ack: bool,
    /// `replica.lag.time.max.ms`: a follower that has not caught up for this long leaves the ISR.
    pub max_lag_ms: i64,
    /// The topic is compacted: a follower may meet gaps between batches.
    pub compacted: bool,
}

impl Rules {
    /// Fewest in-sync replicas under which records are committed, of so many replicas (KIP-966: a topic with fewer replicas
    /// than the config asks for must stay usable).
    pub(crate) fn effective_min_isr(&self, replicas: usize) -> usize {
        self.min_insync_replicas.min(replicas)
    }
}
