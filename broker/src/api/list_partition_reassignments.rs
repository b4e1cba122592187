//! ListPartitionReassignments (KIP-455): any broker's image tells.

use std::sync::Arc;

use protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};
use quorum::image::TopicImage;

use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: ListPartitionReassignmentsRequest,
    _version: i16,
) -> ListPartitionReassignmentsResponse {
    let image = broker.image();
    let topics: Vec<OngoingTopicReassignment> = match &request.topics {
        None => image.topics().iter().filter_map(|topic| ongoing(topic, |_| true)).collect(),
        Some(wanted) => {
            let found = wanted.iter().filter_map(|wanted| {
                let topic = image.topic(&wanted.name)?;
                ongoing(topic, |index| wanted.partition_indexes.contains(&index))
            });
            found.collect()
        }
    };
    ListPartitionReassignmentsResponse { topics, ..Default::default() }
}

fn ongoing(topic: &TopicImage, wanted: impl Fn(i32) -> bool) -> Option<OngoingTopicReassignment> {
    let moving =
        topic.iter().filter(|(index, partition)| wanted(*index) && partition.is_reassigning());
    let partitions: Vec<_> = moving
        .map(|(partition_index, partition)| OngoingPartitionReassignment {
            partition_index,
            replicas: partition.replicas.to_vec(),
            adding_replicas: partition.adding_replicas.to_vec(),
            removing_replicas: partition.removing_replicas.to_vec(),
        })
        .collect();
    let name = topic.name.clone();
    (!partitions.is_empty()).then_some(OngoingTopicReassignment { name, partitions })
}
