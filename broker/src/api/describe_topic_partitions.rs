//! DescribeTopicPartitions (KIP-966): partitions with their eligible leaders, page by page.

use std::sync::Arc;

use protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use protocol::{ErrorCode, Str};
use quorum::MetadataImage;
use quorum::image::{PartitionImage, TopicImage};

use super::metadata::{TOPIC_OPERATIONS, is_internal};
use crate::context::{Broker, RequestContext};

/// The most partitions of one answer (Kafka's `max.request.partition.size.limit`).
const MAX_PARTITIONS: usize = 2_000;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: DescribeTopicPartitionsRequest,
    _version: i16,
) -> DescribeTopicPartitionsResponse {
    let image = broker.image();
    let mut names: Vec<Str> = if request.topics.is_empty() {
        image.topics().iter().map(|topic| topic.name.clone()).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.clone()).collect()
    };
    names.sort();
    names.dedup();
    let mut first = 0;
    if let Some(cursor) = &request.cursor {
        names.retain(|name| *name >= cursor.topic_name);
        if names.first() == Some(&cursor.topic_name) {
            first = usize::try_from(cursor.partition_index).unwrap_or(0);
        }
    }
    let wanted = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut left = if wanted == 0 { MAX_PARTITIONS } else { wanted.min(MAX_PARTITIONS) };
    let mut answer = DescribeTopicPartitionsResponse::default();
    for name in names {
        let from = std::mem::take(&mut first);
        let Some(topic) = image.topic(&name) else {
            answer.topics.push(unknown(name));
            continue;
        };
        if left == 0 {
            let partition_index = i32::try_from(from).unwrap_or(i32::MAX);
            answer.next_cursor = Some(Cursor { topic_name: name, partition_index });
            break;
        }
        let partitions = page(&image, topic, from, left);
        left -= partitions.len();
        let next = from + partitions.len();
        answer.topics.push(describe(topic, partitions));
        if next < topic.partitions.len() {
            let partition_index = i32::try_from(next).unwrap_or(i32::MAX);
            answer.next_cursor = Some(Cursor { topic_name: name, partition_index });
            break;
        }
    }
    answer
}

fn unknown(name: Str) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0,
        name: Some(name),
        topic_authorized_operations: i32::MIN,
        ..Default::default()
    }
}

fn describe(
    topic: &TopicImage,
    partitions: Vec<DescribeTopicPartitionsResponsePartition>,
) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        name: Some(topic.name.clone()),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions,
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..Default::default()
    }
}

fn page(
    image: &MetadataImage,
    topic: &TopicImage,
    from: usize,
    most: usize,
) -> Vec<DescribeTopicPartitionsResponsePartition> {
    topic
        .iter()
        .skip(from)
        .take(most)
        .map(|(index, state)| partition(image, index, state))
        .collect()
}

fn partition(
    image: &MetadataImage,
    partition_index: i32,
    state: &PartitionImage,
) -> DescribeTopicPartitionsResponsePartition {
    let is_online = |id: &i32| image.broker(*id).is_some_and(|broker| !broker.fenced);
    let code = if state.leader >= 0 { ErrorCode::NONE } else { ErrorCode::LEADER_NOT_AVAILABLE };
    let offline = state.replicas.iter().copied().filter(|id| !is_online(id));
    DescribeTopicPartitionsResponsePartition {
        error_code: code.0,
        partition_index,
        leader_id: state.leader,
        leader_epoch: state.leader_epoch,
        replica_nodes: state.replicas.to_vec(),
        isr_nodes: state.isr.to_vec(),
        eligible_leader_replicas: Some(state.elr.to_vec()),
        last_known_elr: Some(state.last_known_elr.to_vec()),
        offline_replicas: offline.collect(),
    }
}
