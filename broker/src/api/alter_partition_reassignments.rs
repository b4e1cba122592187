//! AlterPartitionReassignments (KIP-455, KIP-860).

use std::sync::Arc;

use protocol::Str;
use protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};
use quorum::controller::{AlterReassignments, Reassignment};

use super::refusal;
use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: AlterPartitionReassignmentsRequest,
    _version: i16,
) -> AlterPartitionReassignmentsResponse {
    let partitions = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| Reassignment {
            topic: topic.name.to_string(),
            partition: partition.partition_index,
            replicas: partition.replicas.clone(),
        })
    });
    let command = AlterReassignments {
        partitions: partitions.collect(),
        allow_replication_factor_change: request.allow_replication_factor_change,
    };
    let allow_replication_factor_change = request.allow_replication_factor_change;
    match broker.controller.submit(command).await {
        Ok(answers) => {
            let mut answers = answers.into_iter();
            let responses = request.topics.iter().map(|topic| {
                let each = topic.partitions.iter().zip(&mut answers);
                let partitions = each.map(|(partition, answer)| ReassignablePartitionResponse {
                    partition_index: partition.partition_index,
                    error_code: answer.as_ref().map_or_else(|e| e.code().0, |()| 0),
                    error_message: answer.err().map(|e| Str::from(e.to_string())),
                });
                ReassignableTopicResponse {
                    name: topic.name.clone(),
                    partitions: partitions.collect(),
                }
            });
            AlterPartitionReassignmentsResponse {
                allow_replication_factor_change,
                responses: responses.collect(),
                ..Default::default()
            }
        }
        Err(error) => {
            let (error_code, error_message) = refusal(&error);
            AlterPartitionReassignmentsResponse {
                allow_replication_factor_change,
                error_code,
                error_message,
                ..Default::default()
            }
        }
    }
}
