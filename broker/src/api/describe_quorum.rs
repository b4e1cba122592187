//! DescribeQuorum (KIP-595, KIP-836, KIP-853).

use std::sync::Arc;

use protocol::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use protocol::{ErrorCode, Str, Uuid};
use quorum::node::{QuorumStatus, ReplicaStatus};

use crate::context::{Broker, RequestContext};

/// Kafka's name of the metadata log as a topic; it has one partition.
const METADATA_TOPIC: &str = "__cluster_metadata";
/// First version that tells nodes, and the directories of replicas (KIP-853).
const DIRECTORY_VERSION: i16 = 2;

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
        nodes: if version < DIRECTORY_VERSION { Vec::new() } else { nodes(broker, &status) },
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
        // Older versions cannot say it.
        replica_directory_id: if version < DIRECTORY_VERSION {
            Uuid::ZERO
        } else {
            replica.directory_id
        },
        log_end_offset: replica.log_end_offset.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1),
        last_fetch_timestamp: wall(replica.last_fetch_ms),
        last_caught_up_timestamp: wall(replica.last_caught_up_ms),
    }
}

fn nodes(broker: &Broker, status: &QuorumStatus) -> Vec<Node> {
    let image = broker.image();
    let known = status.voters.iter().filter_map(|voter| image.broker(voter.id));
    let node = |registered: &Arc<quorum::image::BrokerImage>| Node {
        node_id: registered.id,
        listeners: vec![Listener {
            name: Str::from("PLAINTEXT"),
            host: registered.host.clone(),
            port: registered.port,
        }],
    };
    known.map(node).collect()
}
