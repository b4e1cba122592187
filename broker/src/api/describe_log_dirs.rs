//! DescribeLogDirs (KIP-113, KIP-827): how much this broker's partitions take on its disk.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use protocol::{ErrorCode, Str};

use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: DescribeLogDirsRequest,
    _version: i16,
) -> DescribeLogDirsResponse {
    describe(broker, &request)
}

/// What is asked for of this broker's one folder.
pub(crate) fn describe(
    broker: &Broker,
    request: &DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let wanted = |topic: &str, partition: i32| {
        request.topics.as_ref().is_none_or(|topics| {
            let named = topics.iter().find(|wanted| wanted.topic == *topic);
            named.is_some_and(|named| named.partitions.contains(&partition))
        })
    };
    let mut topics: HashMap<Str, Vec<DescribeLogDirsPartition>> = HashMap::new();
    for partition in broker.partitions.view().online() {
        if !wanted(&partition.topic, partition.index) {
            continue;
        }
        let (size, lag) = partition.size_and_lag();
        topics.entry(partition.topic.clone()).or_default().push(DescribeLogDirsPartition {
            partition_index: partition.index,
            partition_size: i64::try_from(size).unwrap_or(i64::MAX),
            offset_lag: lag,
            is_future_key: false,
        });
    }
    let space = disk_space(broker);
    let topics = topics.into_iter();
    let result = DescribeLogDirsResult {
        error_code: ErrorCode::NONE.0,
        log_dir: Str::from(broker.config.data_dir.display().to_string()),
        topics: topics
            .map(|(name, partitions)| DescribeLogDirsTopic { name, partitions })
            .collect(),
        total_bytes: space.map_or(-1, |(total, _)| total),
        usable_bytes: space.map_or(-1, |(_, usable)| usable),
        ..Default::default()
    };
    DescribeLogDirsResponse { results: vec![result], ..Default::default() }
}

/// Bytes of the volume, and those that are free.
fn disk_space(broker: &Broker) -> Option<(i64, i64)> {
    let volume = rustix::fs::statvfs(&broker.config.data_dir).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(volume.f_frsize)).ok();
    Some((bytes(volume.f_blocks)?, bytes(volume.f_bavail)?))
}
