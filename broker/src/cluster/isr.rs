//! Leaders' proposals of in-sync replicas on their way to the active controller (AlterPartition).

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use protocol::ErrorCode;
use replica::IsrOutcome;

use super::to_controller;
use crate::context::Broker;
use crate::replication::{IsrChanges, PartitionProposal, alter_partition};

/// How long one batch may take, a change of controller included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the active controller.
#[derive(Debug)]
pub(crate) struct IsrToController(pub(crate) Arc<Broker>);

impl IsrChanges for IsrToController {
    fn alter_partitions(
        &self,
        proposals: Vec<PartitionProposal>,
    ) -> BoxFuture<'_, Vec<IsrOutcome>> {
        Box::pin(async move {
            let (node_id, epoch) = (self.0.config.node_id, self.0.broker_epoch.load());
            let request = alter_partition::request(node_id, epoch, &proposals);
            let answer = match to_controller::call(&self.0, &request, TIMEOUT).await {
                Ok(answer) => Some(answer),
                Err(error) => {
                    tracing::warn!("in-sync replicas cannot be changed yet: {error}");
                    None
                }
            };
            if let Some(refused) = answer.as_ref().filter(|answer| answer.error_code != 0) {
                let why = ErrorCode(refused.error_code).message();
                tracing::warn!("the controller takes no in-sync replicas from here: {why}");
            }
            alter_partition::outcomes(&proposals, answer.as_ref())
        })
    }
}
