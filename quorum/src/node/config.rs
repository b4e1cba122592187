//! [`NodeConfig`].

use protocol::Uuid;

use crate::controller::ControllerSettings;
use crate::raft::{MAX_FETCH_BYTES, Timing, Voter};

/// What a node is in the quorum.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// This node, from 0.
    pub node_id: i32,
    /// This node's data folder (`directory.id` in `meta.properties`); never zero.
    pub directory_id: Uuid,
    /// The cluster; messages of another one are refused.
    pub cluster_id: String,
    /// The voters while the log names none (`controller.quorum.voters`). All nodes must be given the same.
    pub initial_voters: Vec<Voter>,
    /// Whether this node may vote and lead when it is in the set of voters; `false` is an observer for ever.
    pub is_voter: bool,
    /// How long to wait for what.
    pub timing: Timing,
    /// For the controller that runs while this node leads.
    pub controller: ControllerSettings,
    /// Spreads election timeouts: must differ between nodes.
    pub seed: u64,
}

/// Sizes that a simulation makes small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A log of fewer bytes is never compacted.
    pub compact_from_bytes: u64,
    /// Bytes of frames before a snapshot that stay in the log, so that followers that are a little behind need no snapshot.
    pub keep_bytes: u64,
    /// The most bytes of frames in one fetch (one frame is always sent).
    pub max_fetch_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            compact_from_bytes: 4 * 1024 * 1024,
            keep_bytes: 1024 * 1024,
            max_fetch_bytes: MAX_FETCH_BYTES,
        }
    }
}
