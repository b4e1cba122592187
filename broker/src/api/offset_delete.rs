//! OffsetDelete: forgets committed offsets of topics that the group does not consume.

use std::sync::Arc;

use protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use protocol::{ErrorCode, Str};

use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: OffsetDeleteRequest,
    _version: i16,
) -> OffsetDeleteResponse {
    let image = broker.image();
    let known: Vec<(Str, i32)> = request
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|p| (&topic.name, p.partition_index)))
        .filter(|(topic, partition)| image.partition(topic, *partition).is_some())
        .map(|(topic, partition)| (topic.clone(), partition))
        .collect();
    let codes = match broker.groups.delete_offsets(&request.group_id, &known).await {
        Ok(codes) => codes,
        Err(error) => {
            return OffsetDeleteResponse { error_code: error.into(), ..Default::default() };
        }
    };
    // One code for each partition that is known, in the order of the request.
    let mut codes = codes.into_iter();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|p| {
            let error = match image.partition(&topic.name, p.partition_index) {
                Some(_) => codes.next().unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR),
                None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            };
            OffsetDeleteResponsePartition {
                partition_index: p.partition_index,
                error_code: error.into(),
            }
        });
        OffsetDeleteResponseTopic { partitions: partitions.collect(), name: topic.name }
    });
    OffsetDeleteResponse { topics: topics.collect(), ..Default::default() }
}
