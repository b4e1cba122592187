//! [`QuorumNode`]: a replica of the metadata, from messages to the committed image.
//!
//! Joins the Raft engine, the log on its [`Disk`], the committed image and (on the leader) the [`Controller`]. Synchronous,
//! on one thread, without a clock and sockets: whoever owns it feeds [`Input`]s and does what the [`Output`]s say.

mod config;
mod io;
mod proposal;
mod status;

use std::path::Path;
use std::sync::Arc;

use storage::disk::{Disk, DiskError};
use thiserror::Error;

pub use config::NodeConfig;
pub use io::{ChangeDone, ChangeVotersError, Input, Output, VoterChange};
pub use proposal::{Done, Proposal, ProposeError};
pub use status::{QuorumStatus, ReplicaStatus};

use crate::controller::{ConfigSchema, Entropy};
use crate::image::MetadataImage;
use crate::log::LogError;

/// The node cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The log is damaged or the disk refuses.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The disk refuses.
    #[error("quorum state: {0}")]
    Disk(#[from] DiskError),
    /// The quorum's state is damaged: a vote might be given twice by going on.
    #[error(
        "{path} is damaged: {why}; restore the folder from a backup, or empty it and add the voter again"
    )]
    State {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// The node cannot go on: it must be dropped, and opened again once the cause is gone.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The log is damaged or the disk refuses.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The disk refuses.
    #[error("quorum state: {0}")]
    Disk(#[from] DiskError),
    /// The leader's log contradicts what was committed here.
    #[error(
        "the leader's log ends at {end_offset}, before what is committed here ({committed}): a quorum was lost or a disk put back"
    )]
    Diverged {
        /// Where the leader's log and this one part.
        end_offset: u64,
        /// What is committed here.
        committed: u64,
    },
}

/// A replica of the metadata.
#[derive(Debug)]
pub struct QuorumNode {
    image: Arc<MetadataImage>,
}

impl QuorumNode {
    /// Opens the replica in a folder (`__cluster_metadata`; made when missing). Nothing is sent before the first
    /// [`QuorumNode::handle`], which is due at once.
    ///
    /// # Errors
    /// The log or the quorum's state is damaged, or the disk refuses.
    pub fn open(
        config: NodeConfig,
        schema: Arc<dyn ConfigSchema>,
        disk: Arc<dyn Disk>,
        dir: &Path,
        now_ms: u64,
    ) -> Result<QuorumNode, OpenError> {
        let _ = (config, schema, disk, dir, now_ms);
        Ok(Self { image: Arc::default() })
    }

    /// Takes one input. See [`QuorumNode::handle_all`].
    ///
    /// # Errors
    /// As [`QuorumNode::handle_all`].
    pub fn handle(
        &mut self,
        now_ms: u64,
        input: Input,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<Output>, NodeError> {
        self.handle_all(now_ms, vec![input], entropy)
    }

    /// Takes inputs that came together; they share one sync of the disk. `now_ms` is any clock that does not run
    /// backwards (what does is taken for standing still).
    ///
    /// # Errors
    /// The disk failed, or the log contradicts the leader's: the node must be dropped. Who waits has been told.
    pub fn handle_all(
        &mut self,
        now_ms: u64,
        inputs: Vec<Input>,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<Output>, NodeError> {
        let _ = (now_ms, inputs, entropy);
        Ok(Vec::new())
    }

    /// When to hand in [`Input::Tick`] at the latest.
    pub fn deadline_ms(&self) -> u64 {
        0
    }

    /// The newest image that is known to be committed.
    pub fn image(&self) -> &Arc<MetadataImage> {
        &self.image
    }

    /// The leader's node id and its epoch.
    pub fn leader(&self) -> Option<(i32, i32)> {
        None
    }

    /// Whether this node is the active controller: leads, and has committed in its epoch.
    pub fn is_active(&self) -> bool {
        false
    }

    /// For DescribeQuorum.
    pub fn status(&self) -> QuorumStatus {
        QuorumStatus::default()
    }
}
