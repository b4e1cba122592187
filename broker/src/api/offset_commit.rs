//! OffsetCommit. Topics by name, from v10 by id. Answered when the offsets are durable.

use std::sync::Arc;

use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use protocol::{ErrorCode, Str};
use quorum::image::TopicImage;

use crate::context::{Broker, RequestContext};
use crate::group::{CommitPartition, Committer};

/// First version that names topics by id.
const TOPIC_IDS_FROM: i16 = 10;
/// First version that can be told that a group does not exist.
const GROUP_ID_NOT_FOUND_FROM: i16 = 9;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: OffsetCommitRequest,
    version: i16,
) -> OffsetCommitResponse {
    let (commits, codes) = check(broker, &request, version);
    let committer = Committer {
        group_id: request.group_id.clone(),
        member_id: request.member_id.clone(),
        instance_id: request.group_instance_id.clone(),
        generation: request.generation_id_or_member_epoch,
        retention_ms: Some(request.retention_time_ms).filter(|ms| *ms >= 0),
        unknown_group: if version >= GROUP_ID_NOT_FOUND_FROM {
            ErrorCode::GROUP_ID_NOT_FOUND
        } else {
            ErrorCode::ILLEGAL_GENERATION
        },
    };
    let result = broker.groups.commit(&committer, commits).await;
    let code = |checked: ErrorCode| match result {
        Err(error) => error,
        Ok(()) => checked,
    };
    let topics = request.topics.into_iter().zip(codes).map(|(topic, codes)| {
        let partitions = topic.partitions.iter().zip(codes).map(|(partition, checked)| {
            OffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: code(checked).into(),
            }
        });
        OffsetCommitResponseTopic {
            partitions: partitions.collect(),
            name: topic.name,
            topic_id: topic.topic_id,
        }
    });
    OffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}

/// What can be committed, and a code for each partition of each topic.
fn check(
    broker: &Broker,
    request: &OffsetCommitRequest,
    version: i16,
) -> (Vec<CommitPartition>, Vec<Vec<ErrorCode>>) {
    let image = broker.image();
    let longest = broker.configs.static_long("offset.metadata.max.bytes");
    let longest = usize::try_from(longest).unwrap_or(0);
    let mut commits = Vec::new();
    let codes = request.topics.iter().map(|topic| {
        let (found, unknown) = if version >= TOPIC_IDS_FROM {
            (image.topic_by_id(&topic.topic_id), ErrorCode::UNKNOWN_TOPIC_ID)
        } else {
            (image.topic(&topic.name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        };
        check_topic(topic, found.map(|t| &**t), unknown, longest, &mut commits)
    });
    let codes = codes.collect();
    (commits, codes)
}

fn check_topic(
    topic: &OffsetCommitRequestTopic,
    found: Option<&TopicImage>,
    unknown: ErrorCode,
    longest_metadata: usize,
    commits: &mut Vec<CommitPartition>,
) -> Vec<ErrorCode> {
    let check = |partition: &OffsetCommitRequestPartition| {
        let Some(found) = found else { return unknown };
        let metadata = partition.committed_metadata.clone().unwrap_or(Str::EMPTY);
        if found.partition(partition.partition_index).is_none() {
            return ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        }
        if metadata.len() > longest_metadata {
            return ErrorCode::OFFSET_METADATA_TOO_LARGE;
        }
        commits.push(CommitPartition {
            topic: found.name.clone(),
            topic_id: found.id,
            partition: partition.partition_index,
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata,
        });
        ErrorCode::NONE
    };
    topic.partitions.iter().map(check).collect()
}
