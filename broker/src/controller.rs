//! Runs `quorum`'s controller: decide, persist, apply, publish, answer, in this order.
//!
//! The decisions are the state machine's; here are the disk and the waiting. Commands run one at a time on a blocking
//! thread, because each ends in a sync.

use std::sync::Arc;

use parking_lot::Mutex;
use quorum::controller::{AllocateProducerIds, Command, Controller, Entropy, ProducerIdBlock};
use quorum::image::ApplyError;
use quorum::log::LogError;
use quorum::{MetadataImage, MetadataLog};

use crate::context::ImageCell;

/// What follows from a new image on this broker: logs are made and removed. Called before clients see the image.
pub(crate) type OnChange = Box<dyn Fn(&Arc<MetadataImage>) + Send + Sync>;

/// Submits commands to the controller; clones share it.
#[derive(Clone)]
pub(crate) struct ControllerHandle {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    image: Arc<ImageCell>,
    on_change: OnChange,
}

struct State {
    controller: Controller,
    log: MetadataLog,
    producer_ids: Option<ProducerIdBlock>,
}

impl std::fmt::Debug for ControllerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControllerHandle").finish_non_exhaustive()
    }
}

/// Why a command was not carried out, although it may have been a good one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    /// The metadata log cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The controller decided what its image does not allow: a bug of ours.
    #[error("the controller's records contradict its image: {0}")]
    Apply(#[from] ApplyError),
    /// All producer ids are used up.
    #[error(transparent)]
    ProducerIds(#[from] quorum::controller::ProducerIdError),
    /// The broker is stopping.
    #[error("the broker is stopping")]
    Stopping,
}

impl ControllerHandle {
    /// Takes over a replayed log; `image` already holds what it says.
    pub(crate) fn new(
        controller: Controller,
        log: MetadataLog,
        image: Arc<ImageCell>,
        on_change: OnChange,
    ) -> Self {
        let state = Mutex::new(State { controller, log, producer_ids: None });
        Self { shared: Arc::new(Shared { state, image, on_change }) }
    }

    /// The image that commands are decided on.
    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        self.shared.image.load()
    }

    /// Carries out a command; its answer may be given to the client, because its records are durable.
    pub(crate) async fn submit<C>(&self, command: C) -> Result<C::Answer, SubmitError>
    where
        C: Command + Send + 'static,
        C::Answer: Send + 'static,
    {
        let handle = self.clone();
        tokio::task::spawn_blocking(move || handle.submit_blocking(command))
            .await
            .map_err(|_| SubmitError::Stopping)?
    }

    /// The same on the calling thread, which must be allowed to wait for the disk.
    pub(crate) fn submit_blocking<C: Command>(&self, command: C) -> Result<C::Answer, SubmitError> {
        self.shared.run(&mut self.shared.state.lock(), command)
    }

    /// An id that no producer was or will be given.
    pub(crate) async fn next_producer_id(&self) -> Result<i64, SubmitError> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.next_producer_id())
            .await
            .map_err(|_| SubmitError::Stopping)?
    }
}

impl Shared {
    fn run<C: Command>(&self, state: &mut State, command: C) -> Result<C::Answer, SubmitError> {
        let decision = state.controller.decide(command, &mut SystemEntropy);
        if decision.records.is_empty() {
            return Ok(decision.answer);
        }
        let next = Arc::new(state.controller.image().with(&decision.records)?);
        state.log.append(&[&decision.records])?;
        state.controller.advance(Arc::clone(&next));
        (self.on_change)(&next);
        self.image.publish(Arc::clone(&next));
        // The command is durable; a snapshot that fails is tried again with the next one.
        if let Err(error) = state.log.compact_if_large(&next) {
            tracing::warn!(%error, "failed to compact the metadata log");
        }
        Ok(decision.answer)
    }

    fn next_producer_id(&self) -> Result<i64, SubmitError> {
        let mut state = self.state.lock();
        let block = match state.producer_ids.take().filter(|block| block.len > 0) {
            Some(block) => block,
            None => self.run(&mut state, AllocateProducerIds)??,
        };
        state.producer_ids = Some(ProducerIdBlock { first: block.first + 1, len: block.len - 1 });
        Ok(block.first)
    }
}

/// The machine's randomness.
#[derive(Debug)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn bytes(&mut self) -> [u8; 16] {
        std::array::from_fn(|_| fastrand::u8(..))
    }
}
