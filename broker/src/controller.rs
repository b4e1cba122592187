//! Commands to this node's controller. They are decided here only while this node leads the quorum; requests that reach
//! another node are passed on before they become commands (see [`crate::cluster::forward`]).

use std::sync::Arc;

use quorum::controller::Command;

use crate::cluster::QuorumHandle;
pub(crate) use crate::cluster::SubmitError;
use crate::context::ImageCell;

/// Submits commands; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct ControllerHandle {
    quorum: QuorumHandle,
    image: Arc<ImageCell>,
}

impl ControllerHandle {
    pub(crate) fn new(quorum: QuorumHandle, image: Arc<ImageCell>) -> Self {
        Self { quorum, image }
    }

    /// Carries out a command. When it is answered, its records are committed, and this broker acts by them: whoever asks
    /// this broker next sees what was done.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub(crate) async fn submit<C>(&self, command: C) -> Result<C::Answer, SubmitError>
    where
        C: Command + Send + 'static,
        C::Answer: Send + 'static,
    {
        let (answer, offset) = self.quorum.propose(command).await?;
        self.image.wait_for(|image| image.offset() >= offset).await;
        Ok(answer)
    }

    /// The same, answered as soon as it is committed: for other nodes, whose own image counts.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub(crate) async fn submit_for_others<C>(&self, command: C) -> Result<C::Answer, SubmitError>
    where
        C: Command + Send + 'static,
        C::Answer: Send + 'static,
    {
        self.quorum.propose(command).await.map(|(answer, _)| answer)
    }
}
