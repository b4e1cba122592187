//! How large partitions are.

use std::collections::HashMap;

use protocol::Str;
use protocol::messages::DescribeLogDirsRequest;

use super::Admin;
use crate::cluster::Lane;
use crate::{ClientError, TopicPartition};

impl Admin {
    /// Bytes of every partition, as the largest of its replicas has them (DescribeLogDirs). Each broker knows its own, so
    /// each is asked.
    pub async fn partition_sizes(&self) -> Result<HashMap<TopicPartition, u64>, ClientError> {
        let mut sizes = HashMap::new();
        for broker in self.describe_cluster().await?.brokers {
            let request = DescribeLogDirsRequest { topics: None };
            let answer = self.client.call_node(broker.id, Lane::SHARED, &request, i16::MAX).await?;
            for topic in answer.results.into_iter().flat_map(|folder| folder.topics) {
                let name = Str::copy(&topic.name);
                for partition in topic.partitions {
                    let key = TopicPartition::new(name.clone(), partition.partition_index);
                    let bytes = u64::try_from(partition.partition_size).unwrap_or(0);
                    let size = sizes.entry(key).or_default();
                    *size = bytes.max(*size);
                }
            }
        }
        Ok(sizes)
    }
}
