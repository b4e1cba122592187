//! Ids for idempotent producers, from blocks that the controller gives to this broker (AllocateProducerIds, KIP-730).

use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::AllocateProducerIdsRequest;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::cluster::to_controller::{self, NoController};
use crate::context::Broker;

/// How long a producer waits for its id when there is no active controller.
const TIMEOUT: Duration = Duration::from_secs(10);

/// No id can be given.
#[derive(Debug, Error)]
pub(crate) enum ProducerIdsError {
    /// No answer.
    #[error(transparent)]
    NoController(#[from] NoController),
    /// A refusal.
    #[error("the controller gives no producer ids: {0}")]
    Refused(&'static str),
}

/// The rest of the block that was given last.
#[derive(Debug, Default)]
pub(crate) struct ProducerIds {
    block: Mutex<std::ops::Range<i64>>,
}

impl ProducerIds {
    /// An id that no producer was or will be given. Those who come together ask for one block.
    ///
    /// # Errors
    /// [`ProducerIdsError`].
    pub(crate) async fn next(&self, broker: &Arc<Broker>) -> Result<i64, ProducerIdsError> {
        let mut block = self.block.lock().await;
        if let Some(id) = block.next() {
            return Ok(id);
        }
        let request = AllocateProducerIdsRequest {
            broker_id: broker.config.node_id,
            broker_epoch: broker.broker_epoch.load(),
        };
        let answer = to_controller::call(broker, &request, TIMEOUT).await?;
        match ErrorCode(answer.error_code) {
            ErrorCode::NONE => {}
            code => return Err(ProducerIdsError::Refused(code.message())),
        }
        let first = answer.producer_id_start;
        *block = first..first.saturating_add(i64::from(answer.producer_id_len));
        block.next().ok_or(ProducerIdsError::Refused("the block is empty"))
    }
}
