//! DescribeQuorum (KIP-595, KIP-836, KIP-853).

use std::sync::Arc;

use protocol::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use protocol::{ErrorCode, Str, Uuid};
use quorum::node::{QuorumStatus, ReplicaStatus};

use super::describe_cluster::address;
use crate::context::{Broker, RequestContext};

/// Kafka's name of the metadata log as a topic; it has one partition.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// First version that says when replicas fetched.
const WITH_TIMES: i16 = 1;
/// First version that says which folders, and where, the voters are.
const WITH_DIRECTORIES: i16 = 2;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: DescribeQuorumRequest,
    version: i16,
) -> DescribeQuorumResponse {
    let Some(status) = broker.quorum.status().await else {
        return DescribeQuorumResponse {
            error_code: ErrorCode::BROKER_NOT_AVAILABLE.0,
            ..Default::default()
        };
    };
    let topics = request.topics.iter().map(|topic| TopicData {
        topic_name: topic.topic_name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|partition| {
                let known = topic.topic_name == METADATA_TOPIC && partition.partition_index == 0;
                if known {
                    describe(broker, &status, version)
                } else {
                    PartitionData {
                        partition_index: partition.partition_index,
                        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0,
                        ..Default::default()
                    }
                }
            })
            .collect(),
    });
    DescribeQuorumResponse {
        topics: topics.collect(),
        nodes: if version >= WITH_DIRECTORIES { nodes(broker, &status) } else { Vec::new() },
        ..Default::default()
    }
}

fn describe(broker: &Broker, status: &QuorumStatus, version: i16) -> PartitionData {
    let states = |replicas: &[ReplicaStatus]| {
        replicas.iter().map(|replica| state(broker, replica, version)).collect()
    };
    PartitionData {
        leader_id: status.leader.unwrap_or(-1),
        leader_epoch: status.epoch,
        high_watermark: i64::try_from(status.high_watermark).unwrap_or(i64::MAX),
        current_voters: states(&status.voters),
        observers: states(&status.observers),
        ..Default::default()
    }
}

fn state(broker: &Broker, replica: &ReplicaStatus, version: i16) -> ReplicaState {
    let (wall_ms, monotonic_ms) = (broker.clock.now_ms(), broker.clock.monotonic_ms());
    // The quorum knows a clock that has nothing to do with the calendar.
    let wall = |at: Option<u64>| {
        at.map_or(-1, |at| {
            wall_ms - i64::try_from(monotonic_ms.saturating_sub(at)).unwrap_or(i64::MAX)
        })
    };
    ReplicaState {
        replica_id: replica.id,
        replica_directory_id: if version >= WITH_DIRECTORIES {
            replica.directory_id
        } else {
            Uuid::ZERO
        },
        log_end_offset: replica.log_end_offset.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1),
        last_fetch_timestamp: if version >= WITH_TIMES { wall(replica.last_fetch_ms) } else { -1 },
        last_caught_up_timestamp: if version >= WITH_TIMES {
            wall(replica.last_caught_up_ms)
        } else {
            -1
        },
    }
}

fn nodes(broker: &Broker, status: &QuorumStatus) -> Vec<Node> {
    let image = broker.image();
    let node = |voter: &ReplicaStatus| {
        let (host, port) = address(broker, voter.id)?;
        // Controllers alone are no registered brokers.
        let is_broker = image.broker(voter.id).is_some();
        let name = Str::from(if is_broker { "PLAINTEXT" } else { "CONTROLLER" });
        Some(Node { node_id: voter.id, listeners: vec![Listener { name, host, port }] })
    };
    status.voters.iter().filter_map(node).collect()
}
