//! PartitionTraffic: one of our own, by which the active controller learns what other brokers have measured (see
//! `protocol/schemas/own` and [`crate::traffic`]).

use std::collections::HashMap;
use std::sync::Arc;

use protocol::messages::partition_traffic_response::{
    PartitionTrafficPartition, PartitionTrafficTopic,
};
use protocol::messages::{PartitionTrafficRequest, PartitionTrafficResponse};
use protocol::{ErrorCode, Uuid};

use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: PartitionTrafficRequest,
    _version: i16,
) -> PartitionTrafficResponse {
    if request.cluster_id != broker.cluster_id {
        let error_code = ErrorCode::INCONSISTENT_CLUSTER_ID.0;
        return PartitionTrafficResponse { error_code, ..Default::default() };
    }
    measured(broker)
}

/// What this broker has measured.
pub(crate) fn measured(broker: &Broker) -> PartitionTrafficResponse {
    let mut topics: HashMap<Uuid, Vec<PartitionTrafficPartition>> = HashMap::new();
    for partition in broker.partitions.view().online() {
        let Some(rates) = partition.traffic.rates() else { continue };
        topics.entry(partition.topic_id).or_default().push(PartitionTrafficPartition {
            partition_index: partition.index,
            bytes_in_per_second: i64::try_from(rates.bytes_in).unwrap_or(i64::MAX),
            bytes_out_per_second: i64::try_from(rates.bytes_out).unwrap_or(i64::MAX),
        });
    }
    let topics = topics.into_iter();
    PartitionTrafficResponse {
        topics: topics
            .map(|(topic_id, partitions)| PartitionTrafficTopic { topic_id, partitions })
            .collect(),
        ..Default::default()
    }
}
