//! Metadata, versions 0 to 13, with topics created by use.

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::{CreateTopicsRequest, MetadataRequest, MetadataResponse};
use protocol::{ErrorCode, Str};
use quorum::MetadataImage;
use quorum::controller::check_topic_name;
use quorum::image::{PartitionImage, TopicImage};

use crate::cluster::to_controller;
use crate::context::{Broker, RequestContext};

/// First version in which a request of no topics means none; before, it means all.
const EMPTY_IS_NONE_VERSION: i16 = 1;
/// First version in which the client says whether topics may be created; before, they may.
const AUTO_CREATE_VERSION: i16 = 4;
/// How long a request for metadata waits for topics that it creates.
const CREATE_TIMEOUT_MS: i32 = 3_000;
/// Topics that one request may create.
const MAX_CREATED_PER_REQUEST: usize = 1_000;
/// Read, write, create, delete, alter, describe, describe configs, alter configs: `AclOperation` codes as bits (KIP-430).
/// Everybody may do everything as long as there are no ACLs.
pub(super) const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// Create, alter, describe, cluster action, describe configs, alter configs, idempotent write.
const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;
/// Topics that the cluster keeps for itself.
const INTERNAL_TOPICS: [&str; 2] = ["__consumer_offsets", "__transaction_state"];

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: MetadataRequest,
    version: i16,
) -> MetadataResponse {
    let wanted = request.topics.filter(|t| !t.is_empty() || version >= EMPTY_IS_NONE_VERSION);
    let may_create = version < AUTO_CREATE_VERSION || request.allow_auto_topic_creation;
    if let Some(wanted) = &wanted
        && may_create
    {
        create_missing(broker, wanted).await;
    }
    let image = broker.image();
    let operations =
        if request.include_topic_authorized_operations { TOPIC_OPERATIONS } else { i32::MIN };
    let mut topics: Vec<_> = match &wanted {
        None => image.topics().iter().map(|topic| describe(&image, topic)).collect(),
        Some(wanted) => wanted.iter().map(|topic| find(&image, topic)).collect(),
    };
    for topic in topics.iter_mut().filter(|topic| topic.error_code == ErrorCode::NONE.0) {
        topic.topic_authorized_operations = operations;
    }
    MetadataResponse {
        brokers: brokers(&image),
        cluster_id: Some(broker.cluster_id.clone()),
        controller_id: broker.controller_for_clients(),
        topics,
        cluster_authorized_operations: if request.include_cluster_authorized_operations {
            CLUSTER_OPERATIONS
        } else {
            i32::MIN
        },
        ..Default::default()
    }
}

fn brokers(image: &MetadataImage) -> Vec<MetadataResponseBroker> {
    image
        .brokers()
        .filter(|broker| !broker.fenced)
        .map(|broker| MetadataResponseBroker {
            node_id: broker.id,
            host: broker.host.clone(),
            port: i32::from(broker.port),
            rack: broker.rack.clone(),
        })
        .collect()
}

/// Creates the topics that do not exist yet, as a use of them asks for. What cannot be created is answered as unknown
/// or invalid by the lookup that follows.
async fn create_missing(broker: &Arc<Broker>, wanted: &[MetadataRequestTopic]) {
    let image = broker.image();
    if !broker.configs.broker_bool(&image, "auto.create.topics.enable") {
        return;
    }
    let missing = wanted
        .iter()
        .filter(|topic| topic.topic_id.is_zero())
        .filter_map(|topic| topic.name.as_ref())
        .filter(|name| image.topic(name).is_none() && check_topic_name(name).is_ok())
        .filter(|name| !is_internal(name))
        .take(MAX_CREATED_PER_REQUEST);
    let topics: Vec<_> = missing.map(by_default).collect();
    if topics.is_empty() {
        return;
    }
    let names: Vec<Str> = topics.iter().map(|topic| topic.name.clone()).collect();
    let request =
        CreateTopicsRequest { topics, timeout_ms: CREATE_TIMEOUT_MS, ..Default::default() };
    let timeout = Duration::from_millis(CREATE_TIMEOUT_MS as u64);
    match to_controller::call(broker, &request, timeout).await {
        Ok(answer) => {
            // What was created is on its way here.
            let created = |image: &MetadataImage| {
                answer.topics.iter().all(|topic| {
                    topic.error_code != ErrorCode::NONE.0 || image.topic(&topic.name).is_some()
                })
            };
            let waited = tokio::time::timeout(timeout, broker.image.wait_for(created)).await;
            if waited.is_err() {
                tracing::warn!(?names, "topics were created, but are not known here yet");
            }
        }
        Err(error) => tracing::warn!(?names, "cannot create topics by use: {error}"),
    }
}

fn by_default(name: &Str) -> CreatableTopic {
    CreatableTopic {
        name: name.clone(),
        num_partitions: -1,
        replication_factor: -1,
        ..Default::default()
    }
}

fn find(image: &MetadataImage, wanted: &MetadataRequestTopic) -> MetadataResponseTopic {
    let failed = |code: ErrorCode| MetadataResponseTopic {
        error_code: code.0,
        name: wanted.name.clone(),
        topic_id: wanted.topic_id,
        topic_authorized_operations: i32::MIN,
        ..Default::default()
    };
    if !wanted.topic_id.is_zero() {
        return match image.topic_by_id(&wanted.topic_id) {
            Some(topic) => describe(image, topic),
            None => failed(ErrorCode::UNKNOWN_TOPIC_ID),
        };
    }
    let name = wanted.name.clone().unwrap_or_default();
    match image.topic(&name) {
        Some(topic) => describe(image, topic),
        None if check_topic_name(&name).is_err() => failed(ErrorCode::INVALID_TOPIC_EXCEPTION),
        None => failed(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    }
}

fn describe(image: &MetadataImage, topic: &TopicImage) -> MetadataResponseTopic {
    let partitions =
        topic.iter().map(|(index, partition)| describe_partition(image, index, partition));
    MetadataResponseTopic {
        error_code: ErrorCode::NONE.0,
        name: Some(topic.name.clone()),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: partitions.collect(),
        topic_authorized_operations: i32::MIN,
    }
}

fn describe_partition(
    image: &MetadataImage,
    partition_index: i32,
    partition: &PartitionImage,
) -> MetadataResponsePartition {
    let is_online = |id: &i32| image.broker(*id).is_some_and(|broker| !broker.fenced);
    let has_leader = is_online(&partition.leader);
    let code = if has_leader { ErrorCode::NONE } else { ErrorCode::LEADER_NOT_AVAILABLE };
    MetadataResponsePartition {
        error_code: code.0,
        partition_index,
        leader_id: if has_leader { partition.leader } else { -1 },
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replicas.to_vec(),
        isr_nodes: partition.isr.to_vec(),
        offline_replicas: partition.replicas.iter().copied().filter(|id| !is_online(id)).collect(),
    }
}

pub(super) fn is_internal(topic: &Str) -> bool {
    INTERNAL_TOPICS.contains(&topic.as_str())
}
