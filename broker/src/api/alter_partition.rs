//! AlterPartition (KIP-497, KIP-903): a leader proposes who is in sync.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::alter_partition_response::{PartitionData, TopicData};
use protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};
use quorum::controller::{AlterPartition, IsrChange, IsrError};
use quorum::image::PartitionImage;

use super::refusal;
use crate::context::{Broker, RequestContext};

/// First version that names the ISR's registrations.
const WITH_EPOCHS: i16 = 3;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: AlterPartitionRequest,
    version: i16,
) -> AlterPartitionResponse {
    let failed = |error_code: i16| AlterPartitionResponse { error_code, ..Default::default() };
    let partitions: Vec<IsrChange> = changes(&request, version).collect();
    let command = AlterPartition {
        broker_id: request.broker_id,
        broker_epoch: request.broker_epoch,
        partitions,
    };
    match broker.controller.submit_for_others(command).await {
        Ok(Ok(answers)) => answer(&request, answers),
        Ok(Err(stale)) => {
            tracing::warn!("refused an ISR: {stale}");
            failed(ErrorCode::STALE_BROKER_EPOCH.0)
        }
        Err(error) => failed(refusal(&error).0),
    }
}

fn changes(
    request: &AlterPartitionRequest,
    version: i16,
) -> impl Iterator<Item = IsrChange> + use<'_> {
    request.topics.iter().flat_map(move |topic| {
        topic.partitions.iter().map(move |partition| IsrChange {
            topic_id: topic.topic_id,
            partition: partition.partition_index,
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            isr: if version >= WITH_EPOCHS {
                let members = partition.new_isr_with_epochs.iter();
                members.map(|member| (member.broker_id, member.broker_epoch)).collect()
            } else {
                partition.new_isr.iter().map(|id| (*id, -1)).collect()
            },
        })
    })
}

fn answer(
    request: &AlterPartitionRequest,
    answers: Vec<Result<PartitionImage, IsrError>>,
) -> AlterPartitionResponse {
    let mut answers = answers.into_iter();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(&mut answers);
        TopicData {
            topic_id: topic.topic_id,
            partitions: partitions.map(|(p, answer)| data(p.partition_index, answer)).collect(),
        }
    });
    AlterPartitionResponse { topics: topics.collect(), ..Default::default() }
}

fn data(partition_index: i32, answer: Result<PartitionImage, IsrError>) -> PartitionData {
    match answer {
        Ok(state) => PartitionData {
            partition_index,
            leader_id: state.leader,
            leader_epoch: state.leader_epoch,
            isr: state.isr.to_vec(),
            partition_epoch: state.partition_epoch,
            ..Default::default()
        },
        Err(error) => {
            tracing::debug!(partition = partition_index, "refused an ISR: {error}");
            PartitionData { partition_index, error_code: error.code().0, ..Default::default() }
        }
    }
}
