//! OffsetFetch: one group (to v7) or several; topics by name, from v10 by id.

use std::sync::Arc;

use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic};
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use protocol::{ErrorCode, Str, Uuid};
use quorum::MetadataImage;

use crate::context::{Broker, RequestContext};
use crate::group::FetchedOffset;

/// First version with several groups.
const BATCHED_FROM: i16 = 8;
/// First version that names topics by id.
const TOPIC_IDS_FROM: i16 = 10;
/// First version with an error of the whole answer; before, each partition carries it.
const TOP_LEVEL_ERROR_FROM: i16 = 2;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: OffsetFetchRequest,
    version: i16,
) -> OffsetFetchResponse {
    // RequireStable changes nothing as long as there are no transactions: no commit is ever pending.
    if version < BATCHED_FROM {
        return one_group(broker, &request, version);
    }
    let image = broker.image();
    let groups = request.groups.into_iter().map(|group| {
        if version >= TOPIC_IDS_FROM {
            group_by_topic_ids(broker, &image, group)
        } else {
            group_by_topic_names(broker, group)
        }
    });
    OffsetFetchResponse { groups: groups.collect(), ..Default::default() }
}

fn one_group(broker: &Broker, request: &OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    let asked: Option<Vec<(Str, Vec<i32>)>> = request.topics.as_ref().map(|topics| {
        topics.iter().map(|t| (t.name.clone(), t.partition_indexes.clone())).collect()
    });
    let (error, topics) = match broker.groups.fetch(&request.group_id, asked.as_deref()) {
        Ok(topics) => {
            let found = |(name, partitions): (Str, Vec<FetchedOffset>)| OffsetFetchResponseTopic {
                name,
                partitions: partitions.into_iter().map(|p| old_partition(p, 0)).collect(),
            };
            (ErrorCode::NONE, topics.into_iter().map(found).collect())
        }
        Err(error) if version < TOP_LEVEL_ERROR_FROM => {
            let topics = request.topics.iter().flatten();
            (error, topics.map(|topic| failed_topic(topic, error)).collect())
        }
        Err(error) => (error, Vec::new()),
    };
    OffsetFetchResponse { topics, error_code: error.into(), ..Default::default() }
}

fn failed_topic(topic: &OffsetFetchRequestTopic, error: ErrorCode) -> OffsetFetchResponseTopic {
    let partition = |p: &i32| old_partition(nothing(*p), error.into());
    OffsetFetchResponseTopic {
        name: topic.name.clone(),
        partitions: topic.partition_indexes.iter().map(partition).collect(),
    }
}

fn group_by_topic_names(
    broker: &Broker,
    group: OffsetFetchRequestGroup,
) -> OffsetFetchResponseGroup {
    let asked: Option<Vec<(Str, Vec<i32>)>> = group.topics.map(|topics| {
        topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
    });
    match broker.groups.fetch(&group.group_id, asked.as_deref()) {
        Err(error) => failed_group(group.group_id, error),
        Ok(topics) => {
            let topics = topics.into_iter().map(|(name, partitions)| OffsetFetchResponseTopics {
                name,
                topic_id: Uuid::ZERO,
                partitions: partitions.into_iter().map(|p| partition(p, ErrorCode::NONE)).collect(),
            });
            answered_group(group.group_id, topics.collect())
        }
    }
}

/// A topic id that is not known is answered so; among all offsets of a group, those of deleted topics are left out.
fn group_by_topic_ids(
    broker: &Broker,
    image: &MetadataImage,
    group: OffsetFetchRequestGroup,
) -> OffsetFetchResponseGroup {
    let Some(asked) = group.topics else {
        return match broker.groups.fetch(&group.group_id, None) {
            Err(error) => failed_group(group.group_id, error),
            Ok(topics) => {
                let topics = topics.into_iter().filter_map(|(name, partitions)| {
                    let topic_id = image.topic(&name)?.id;
                    Some(by_id(topic_id, partitions))
                });
                answered_group(group.group_id, topics.collect())
            }
        };
    };
    let mut topics = Vec::with_capacity(asked.len());
    for topic in asked {
        let Some(found) = image.topic_by_id(&topic.topic_id) else {
            let unknown = |p: &i32| partition(nothing(*p), ErrorCode::UNKNOWN_TOPIC_ID);
            topics.push(OffsetFetchResponseTopics {
                topic_id: topic.topic_id,
                partitions: topic.partition_indexes.iter().map(unknown).collect(),
                ..Default::default()
            });
            continue;
        };
        let wanted = [(found.name.clone(), topic.partition_indexes)];
        match broker.groups.fetch(&group.group_id, Some(&wanted)) {
            Err(error) => return failed_group(group.group_id, error),
            Ok(fetched) => {
                topics.extend(fetched.into_iter().map(|(_, p)| by_id(topic.topic_id, p)));
            }
        }
    }
    if topics.is_empty()
        && let Err(error) = broker.groups.fetch(&group.group_id, Some(&[]))
    {
        return failed_group(group.group_id, error);
    }
    answered_group(group.group_id, topics)
}

fn by_id(topic_id: Uuid, partitions: Vec<FetchedOffset>) -> OffsetFetchResponseTopics {
    OffsetFetchResponseTopics {
        topic_id,
        partitions: partitions.into_iter().map(|p| partition(p, ErrorCode::NONE)).collect(),
        ..Default::default()
    }
}

fn answered_group(
    group_id: Str,
    topics: Vec<OffsetFetchResponseTopics>,
) -> OffsetFetchResponseGroup {
    OffsetFetchResponseGroup { group_id, topics, ..Default::default() }
}

fn failed_group(group_id: Str, error: ErrorCode) -> OffsetFetchResponseGroup {
    OffsetFetchResponseGroup { group_id, error_code: error.into(), ..Default::default() }
}

fn partition(fetched: FetchedOffset, error: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: fetched.partition,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(fetched.metadata),
        error_code: error.into(),
    }
}

fn old_partition(fetched: FetchedOffset, error_code: i16) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition {
        partition_index: fetched.partition,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(fetched.metadata),
        error_code,
    }
}

fn nothing(partition: i32) -> FetchedOffset {
    FetchedOffset { partition, offset: -1, leader_epoch: -1, metadata: Str::EMPTY }
}
