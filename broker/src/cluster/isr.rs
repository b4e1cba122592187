//! Leaders' proposals of in-sync replicas on their way to the active controller (AlterPartition).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};
use protocol::{ErrorCode, Uuid};
use replica::IsrOutcome;

use super::to_controller;
use crate::context::Broker;
use crate::replication::{IsrChanges, PartitionProposal};

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
            let request = self.request(&proposals);
            match to_controller::call(&self.0, &request, TIMEOUT).await {
                Ok(answer) if answer.error_code == ErrorCode::NONE.0 => {
                    outcomes(&proposals, answer)
                }
                Ok(answer) => {
                    let why = ErrorCode(answer.error_code).message();
                    tracing::warn!("the controller takes no in-sync replicas from here: {why}");
                    unknown(&proposals)
                }
                Err(error) => {
                    tracing::warn!("in-sync replicas cannot be changed yet: {error}");
                    unknown(&proposals)
                }
            }
        })
    }
}

impl IsrToController {
    fn request(&self, proposals: &[PartitionProposal]) -> AlterPartitionRequest {
        let (node_id, own_epoch) = (self.0.config.node_id, self.0.broker_epoch.load());
        let mut topics: Vec<TopicData> = Vec::new();
        let mut known: HashMap<Uuid, usize> = HashMap::new();
        for proposal in proposals {
            let topic = *known.entry(proposal.topic_id).or_insert_with(|| {
                topics.push(TopicData { topic_id: proposal.topic_id, partitions: Vec::new() });
                topics.len() - 1
            });
            let member = |(broker_id, epoch): &(i32, i64)| BrokerState {
                broker_id: *broker_id,
                broker_epoch: if *broker_id == node_id { own_epoch } else { *epoch },
            };
            topics[topic].partitions.push(PartitionData {
                partition_index: proposal.partition,
                leader_epoch: proposal.proposal.leader_epoch,
                partition_epoch: proposal.proposal.partition_epoch,
                new_isr_with_epochs: proposal.proposal.isr.iter().map(member).collect(),
                ..Default::default()
            });
        }
        AlterPartitionRequest { broker_id: node_id, broker_epoch: own_epoch, topics }
    }
}

fn unknown(proposals: &[PartitionProposal]) -> Vec<IsrOutcome> {
    vec![IsrOutcome::Unknown; proposals.len()]
}

fn outcomes(proposals: &[PartitionProposal], answer: AlterPartitionResponse) -> Vec<IsrOutcome> {
    let mut decided = HashMap::new();
    for topic in answer.topics {
        for partition in topic.partitions {
            let of = (topic.topic_id, partition.partition_index);
            let outcome = match ErrorCode(partition.error_code) {
                ErrorCode::NONE => IsrOutcome::Decided {
                    leader: partition.leader_id,
                    leader_epoch: partition.leader_epoch,
                    partition_epoch: partition.partition_epoch,
                    isr: partition.isr,
                },
                // The state has changed before: an image that says how is on its way.
                ErrorCode::INVALID_UPDATE_VERSION | ErrorCode::FENCED_LEADER_EPOCH => {
                    IsrOutcome::Unknown
                }
                _ => IsrOutcome::Refused,
            };
            decided.insert(of, outcome);
        }
    }
    let mut outcome = |p: &PartitionProposal| decided.remove(&(p.topic_id, p.partition));
    proposals.iter().map(|p| outcome(p).unwrap_or(IsrOutcome::Unknown)).collect()
}
