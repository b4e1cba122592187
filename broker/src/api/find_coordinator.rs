//! FindCoordinator: which broker leads a group's partition of `__consumer_offsets`. The first one asks for creates it.

use std::sync::Arc;

use protocol::messages::find_coordinator_response::Coordinator;
use protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::{ErrorCode, Str};
use quorum::MetadataImage;
use quorum::controller::{CreateTopics, NewTopic};

use crate::context::{Broker, RequestContext};
use crate::group::{OFFSETS_TOPIC, partition_for};

/// Key type of groups; 1 are transactional ids, 2 share groups.
const GROUP: i8 = 0;
/// First version that asks for several keys.
const BATCHED_FROM: i16 = 4;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: FindCoordinatorRequest,
    version: i16,
) -> FindCoordinatorResponse {
    let keys = if version >= BATCHED_FROM { request.coordinator_keys } else { vec![request.key] };
    let mut coordinators = Vec::with_capacity(keys.len());
    for key in keys {
        let found = match request.key_type {
            GROUP => find(broker, &key).await,
            _ => Err((
                ErrorCode::INVALID_REQUEST,
                "only coordinators of consumer groups are served; transactions and share groups are not".to_owned(),
            )),
        };
        coordinators.push(coordinator(key, found));
    }
    if version >= BATCHED_FROM {
        return FindCoordinatorResponse { coordinators, ..Default::default() };
    }
    let one = coordinators.pop().unwrap_or_default();
    FindCoordinatorResponse {
        error_code: one.error_code,
        error_message: one.error_message,
        node_id: one.node_id,
        host: one.host,
        port: one.port,
        ..Default::default()
    }
}

type Found = Result<(i32, Str, u16), (ErrorCode, String)>;

fn coordinator(key: Str, found: Found) -> Coordinator {
    match found {
        Ok((node_id, host, port)) => {
            Coordinator { key, node_id, host, port: i32::from(port), ..Default::default() }
        }
        Err((error, message)) => Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code: error.into(),
            error_message: Some(Str::from(message)),
            ..Default::default()
        },
    }
}

async fn find(broker: &Arc<Broker>, group_id: &str) -> Found {
    let mut image = broker.image();
    if image.topic(OFFSETS_TOPIC).is_none() {
        create_offsets_topic(broker).await?;
        image = broker.image();
    }
    leader(&image, group_id).ok_or_else(|| {
        let error = ErrorCode::COORDINATOR_NOT_AVAILABLE;
        (error, error.message().to_owned())
    })
}

fn leader(image: &MetadataImage, group_id: &str) -> Option<(i32, Str, u16)> {
    let topic = image.topic(OFFSETS_TOPIC)?;
    let partition = partition_for(group_id, i32::try_from(topic.partitions.len()).ok()?);
    let leader = image.broker(topic.partition(partition)?.leader)?;
    Some((leader.id, leader.host.clone(), leader.port))
}

async fn create_offsets_topic(broker: &Arc<Broker>) -> Result<(), (ErrorCode, String)> {
    let topic = offsets_topic(broker);
    let command = CreateTopics { topics: vec![topic], validate_only: false };
    let failed = |why: String| {
        tracing::error!(%why, "cannot create {OFFSETS_TOPIC}");
        (ErrorCode::COORDINATOR_NOT_AVAILABLE, format!("cannot create {OFFSETS_TOPIC}: {why}"))
    };
    let answer = broker.controller.submit(command).await.map_err(|e| failed(e.to_string()))?;
    match answer.into_iter().next() {
        // Somebody else was faster.
        Some(Err(error)) if error.code() == ErrorCode::TOPIC_ALREADY_EXISTS => Ok(()),
        Some(Err(error)) => Err(failed(error.to_string())),
        Some(Ok(_)) | None => Ok(()),
    }
}

fn offsets_topic(broker: &Broker) -> NewTopic {
    const FACTOR: &str = "offsets.topic.replication.factor";
    let configs = &broker.configs;
    let mut factor = configs.static_long(FACTOR);
    if !configs.is_static(FACTOR) {
        // Nobody asked for three replicas: a cluster of one broker shall work as it is.
        let brokers = i64::try_from(broker.image().brokers().len()).unwrap_or(i64::MAX);
        factor = factor.min(brokers);
    }
    let config = |key: &str, value: String| (key.to_owned(), Some(value));
    NewTopic {
        name: OFFSETS_TOPIC.to_owned(),
        num_partitions: i32::try_from(configs.static_long("offsets.topic.num.partitions"))
            .unwrap_or(i32::MAX),
        replication_factor: i16::try_from(factor).unwrap_or(i16::MAX),
        assignments: Vec::new(),
        configs: vec![
            config("cleanup.policy", "compact".to_owned()),
            config("compression.type", "producer".to_owned()),
            config(
                "segment.bytes",
                // Kafka lets this broker config be less than what it lets the topic config be.
                configs.static_long("offsets.topic.segment.bytes").max(1024 * 1024).to_string(),
            ),
        ],
    }
}
