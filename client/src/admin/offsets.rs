//! Offsets of partitions, and of groups.

use std::collections::{BTreeMap, HashMap};

use protocol::messages::DeleteRecordsRequest;
use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};

use super::Admin;
use crate::cluster::Lane;
use crate::group::coordinator::Coordinator;
use crate::group::{Identity, offsets};
use crate::types::by_topic;
use crate::{ApiError, ClientError, TopicPartition};

/// Which offset of a partition is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first that exists.
    Earliest,
    /// The end: the offset of the next record.
    Latest,
    /// That of the record with the latest timestamp.
    MaxTimestamp,
    /// That of the first record with this timestamp or a later one (milliseconds since 1970); -1 when there is none.
    Timestamp(i64),
}

impl OffsetSpec {
    fn code(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::Timestamp(ms) => ms,
        }
    }
}

/// An offset that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset; -1 when there is none.
    pub offset: i64,
    /// Timestamp of its record, milliseconds since 1970; -1 when the question was not about time.
    pub timestamp_ms: i64,
}

impl Admin {
    /// Offsets of partitions, in the order of the questions.
    pub async fn list_offsets(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
    ) -> Vec<(TopicPartition, Result<ListedOffset, ClientError>)> {
        let wanted: Vec<_> = wanted.iter().map(|(p, spec)| (p.clone(), spec.code())).collect();
        self.client.offsets_at(&wanted, 0).await
    }

    /// All offsets that a group has committed.
    pub async fn committed_offsets(
        &self,
        group: &str,
    ) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
        let coordinator = Coordinator::new(&self.client, group);
        Ok(offsets::fetch(&coordinator, None, false).await?.into_iter().collect())
    }

    /// Commits offsets for a group that has no members.
    pub async fn alter_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
    ) -> Result<(), ClientError> {
        let coordinator = Coordinator::new(&self.client, group);
        offsets::commit(&coordinator, &Identity::NOBODY, None, offsets).await
    }

    /// Deletes the records of partitions that lie before an offset (-1: all). Gives the partitions' new first offsets.
    pub async fn delete_records(
        &self,
        before: &[(TopicPartition, i64)],
    ) -> Result<Vec<(TopicPartition, Result<i64, ApiError>)>, ClientError> {
        let mut by_leader: HashMap<i32, Vec<&(TopicPartition, i64)>> = HashMap::new();
        for wanted in before {
            let leader = self.client.leader(&wanted.0).await?;
            by_leader.entry(leader).or_default().push(wanted);
        }
        let mut results = Vec::with_capacity(before.len());
        for (leader, wanted) in by_leader {
            let named = wanted.into_iter().map(|(p, offset)| {
                let part = DeleteRecordsPartition { partition_index: p.partition, offset: *offset };
                (p.topic.clone(), part)
            });
            let request = DeleteRecordsRequest {
                topics: by_topic(named)
                    .into_iter()
                    .map(|(name, partitions)| DeleteRecordsTopic { name, partitions })
                    .collect(),
                timeout_ms: i32::try_from(self.client.config().request_timeout_ms)
                    .unwrap_or(i32::MAX),
            };
            let response = self.client.call_node(leader, Lane::SHARED, &request, i16::MAX).await?;
            for topic in response.topics {
                let name = protocol::Str::copy(&topic.name);
                results.extend(topic.partitions.iter().map(|p| {
                    let result = ApiError::check(p.error_code).map(|()| p.low_watermark);
                    (TopicPartition::new(name.clone(), p.partition_index), result)
                }));
            }
        }
        Ok(results)
    }
}
