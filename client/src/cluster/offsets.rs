//! Offsets of partitions by time (ListOffsets).

use std::collections::HashMap;

use protocol::messages::ListOffsetsRequest;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::{ErrorCode, Str};

use super::{Client, Lane, Retry};
use crate::types::by_topic;
use crate::{ApiError, ClientError, ListedOffset, TopicPartition};

/// The answer about a partition.
pub(crate) type Listed = (TopicPartition, Result<ListedOffset, ClientError>);

impl Client {
    /// Looks up one offset a partition (Kafka's special timestamps are negative); tries again what may be tried again.
    /// Results are in the order of the partitions.
    pub(crate) async fn offsets_at(
        &self,
        wanted: &[(TopicPartition, i64)],
        isolation_level: i8,
    ) -> Vec<Listed> {
        let mut retry = Retry::new(self);
        let mut results: HashMap<TopicPartition, Result<ListedOffset, ClientError>> =
            HashMap::new();
        let mut todo = wanted.to_vec();
        loop {
            let mut again = None;
            for (partition, result) in self.offsets_once(&todo, isolation_level).await {
                if let Err(e) = &result
                    && e.is_retriable()
                {
                    again = Some(e.clone());
                }
                results.insert(partition, result);
            }
            todo.retain(|(p, _)| {
                results.get(p).is_none_or(|r| r.as_ref().is_err_and(ClientError::is_retriable))
            });
            let Some(error) = again else { break };
            if retry.again(error).await.is_err() {
                break;
            }
            let topics = by_topic(todo.iter().map(|(p, _)| (p.topic.clone(), ())));
            let topics: Vec<Str> = topics.into_iter().map(|(topic, _)| topic).collect();
            self.refresh_topics(&topics).await;
        }
        let missing = || Err(ClientError::Incomplete("the partition"));
        wanted.iter().map(|(p, _)| (p.clone(), results.remove(p).unwrap_or_else(missing))).collect()
    }

    async fn offsets_once(
        &self,
        wanted: &[(TopicPartition, i64)],
        isolation_level: i8,
    ) -> Vec<Listed> {
        let mut results = Vec::with_capacity(wanted.len());
        let mut by_leader: HashMap<i32, Vec<(TopicPartition, i64)>> = HashMap::new();
        for (partition, timestamp) in wanted {
            match self.leader(partition).await {
                Ok(leader) => {
                    by_leader.entry(leader).or_default().push((partition.clone(), *timestamp));
                }
                Err(e) => results.push((partition.clone(), Err(e))),
            }
        }
        for (leader, wanted) in by_leader {
            let request = request(&wanted, isolation_level, self.config().request_timeout_ms);
            let response = self.call_node(leader, Lane::SHARED, &request, i16::MAX).await;
            for (partition, _) in wanted {
                let result = match &response {
                    Ok(response) => find(response, &partition),
                    Err(e) => Err(e.clone()),
                };
                results.push((partition, result));
            }
        }
        results
    }
}

fn request(
    wanted: &[(TopicPartition, i64)],
    isolation_level: i8,
    timeout_ms: u32,
) -> ListOffsetsRequest {
    let named = wanted.iter().map(|(p, timestamp)| {
        let partition = ListOffsetsPartition {
            partition_index: p.partition,
            timestamp: *timestamp,
            ..Default::default()
        };
        (p.topic.clone(), partition)
    });
    let topics = by_topic(named)
        .into_iter()
        .map(|(name, partitions)| ListOffsetsTopic { name, partitions })
        .collect();
    ListOffsetsRequest {
        replica_id: -1,
        isolation_level,
        topics,
        timeout_ms: i32::try_from(timeout_ms).unwrap_or(i32::MAX),
    }
}

fn find(
    response: &protocol::messages::ListOffsetsResponse,
    partition: &TopicPartition,
) -> Result<ListedOffset, ClientError> {
    let topic = response.topics.iter().find(|t| t.name == partition.topic);
    let found = topic
        .and_then(|t| t.partitions.iter().find(|p| p.partition_index == partition.partition))
        .ok_or(ClientError::Incomplete("the partition"))?;
    if ErrorCode(found.error_code) == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION {
        tracing::debug!(%partition, "unknown to its leader");
    }
    ApiError::check(found.error_code)?;
    Ok(ListedOffset { offset: found.offset, timestamp_ms: found.timestamp })
}
