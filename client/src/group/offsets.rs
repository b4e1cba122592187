//! Committed offsets of a group.

use std::collections::HashMap;

use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::{OffsetCommitRequest, OffsetFetchRequest};
use protocol::{ApiKey, Str};

use super::Identity;
use super::coordinator::Coordinator;
use crate::cluster::Retry;
use crate::types::by_topic;
use crate::{ApiError, ClientError, TopicPartition};

/// The last version that names topics; later ones need ids.
const LAST_VERSION_BY_NAME: i16 = 9;
/// From this version on several groups can be asked for at once.
const FIRST_VERSION_BY_GROUP: i16 = 8;

/// Committed offsets: of the given partitions, or of all that have one. Partitions without one are left out.
pub(crate) async fn fetch(
    coordinator: &Coordinator,
    partitions: Option<&[TopicPartition]>,
    require_stable: bool,
) -> Result<HashMap<TopicPartition, i64>, ClientError> {
    let mut retry = Retry::new(&coordinator.client);
    loop {
        match fetch_once(coordinator, partitions, require_stable).await {
            Ok(offsets) => return Ok(offsets),
            Err(e) => retry.again(e).await?,
        }
    }
}

async fn fetch_once(
    coordinator: &Coordinator,
    partitions: Option<&[TopicPartition]>,
    require_stable: bool,
) -> Result<HashMap<TopicPartition, i64>, ClientError> {
    let connection = coordinator.connection().await?;
    let version = connection.version(ApiKey::OffsetFetch).unwrap_or(0).min(LAST_VERSION_BY_NAME);
    let topics = partitions
        .map(|p| by_topic(p.iter().map(|p| (p.topic.clone(), p.partition))))
        .map(|topics| topics.into_iter());
    let group_id = Str::copy(&coordinator.group);
    let mut request = OffsetFetchRequest { require_stable, ..Default::default() };
    if version >= FIRST_VERSION_BY_GROUP {
        let topics = topics.map(|topics| {
            let topic = |(name, partition_indexes)| OffsetFetchRequestTopics {
                name,
                partition_indexes,
                ..Default::default()
            };
            topics.map(topic).collect()
        });
        request.groups = vec![OffsetFetchRequestGroup { group_id, topics, ..Default::default() }];
    } else {
        request.group_id = group_id;
        request.topics = topics.map(|topics| {
            let topic =
                |(name, partition_indexes)| OffsetFetchRequestTopic { name, partition_indexes };
            topics.map(topic).collect()
        });
    }
    let timeout = coordinator.client.config().request_timeout();
    let response = connection.call_up_to(&request, LAST_VERSION_BY_NAME, timeout).await?;
    let mut offsets = HashMap::new();
    let mut take = |name: &Str, partition: i32, offset: i64, code: i16| {
        coordinator.note(code);
        ApiError::check(code)?;
        if offset >= 0 {
            offsets.insert(TopicPartition::new(Str::copy(name), partition), offset);
        }
        Ok::<(), ClientError>(())
    };
    coordinator.note(response.error_code);
    ApiError::check(response.error_code)?;
    for group in &response.groups {
        coordinator.note(group.error_code);
        ApiError::check(group.error_code)?;
        for topic in &group.topics {
            for p in &topic.partitions {
                take(&topic.name, p.partition_index, p.committed_offset, p.error_code)?;
            }
        }
    }
    for topic in &response.topics {
        for p in &topic.partitions {
            take(&topic.name, p.partition_index, p.committed_offset, p.error_code)?;
        }
    }
    Ok(offsets)
}

/// Commits offsets in the name of a member, or of nobody. All or nothing is *not* promised by Kafka: the first
/// refused partition is reported, others may be committed.
pub(crate) async fn commit(
    coordinator: &Coordinator,
    identity: &Identity,
    instance_id: Option<&str>,
    offsets: &[(TopicPartition, i64)],
) -> Result<(), ClientError> {
    let mut retry = Retry::new(&coordinator.client);
    loop {
        match commit_once(coordinator, identity, instance_id, offsets).await {
            Ok(()) => return Ok(()),
            Err(e) => retry.again(e).await?,
        }
    }
}

async fn commit_once(
    coordinator: &Coordinator,
    identity: &Identity,
    instance_id: Option<&str>,
    offsets: &[(TopicPartition, i64)],
) -> Result<(), ClientError> {
    let named = offsets.iter().map(|(p, committed_offset)| {
        let partition = OffsetCommitRequestPartition {
            partition_index: p.partition,
            committed_offset: *committed_offset,
            ..Default::default()
        };
        (p.topic.clone(), partition)
    });
    let request = OffsetCommitRequest {
        group_id: Str::copy(&coordinator.group),
        generation_id_or_member_epoch: identity.generation,
        member_id: identity.member_id.clone(),
        group_instance_id: instance_id.map(Str::copy),
        topics: by_topic(named)
            .into_iter()
            .map(|(name, partitions)| OffsetCommitRequestTopic {
                name,
                partitions,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    let connection = coordinator.connection().await?;
    let timeout = coordinator.client.config().request_timeout();
    let response = connection.call_up_to(&request, LAST_VERSION_BY_NAME, timeout).await?;
    for partition in response.topics.iter().flat_map(|t| &t.partitions) {
        coordinator.note(partition.error_code);
        ApiError::check(partition.error_code)?;
    }
    Ok(())
}
