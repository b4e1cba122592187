//! [`NodeConfig`].

use protocol::Uuid;

use crate::controller::ControllerSettings;
use crate::raft::{Timing, Voter};

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
