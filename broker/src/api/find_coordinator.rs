//! FindCoordinator: which broker leads a group's partition of `__consumer_offsets`. The first one asks for creates it.

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::find_coordinator_response::Coordinator;
use protocol::messages::{CreateTopicsRequest, FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::{ErrorCode, Str};
use quorum::MetadataImage;

use crate::cluster::to_controller;
use crate::context::{Broker, RequestContext};
use groups::{OFFSETS_TOPIC, partition_for};

/// Key type of groups; 1 are transactional ids, 2 share groups.
const GROUP: i8 = 0;
/// How long a request waits for the topic of groups to be created.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);
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
    let failed = |why: String| {
        tracing::warn!(%why, "cannot create {OFFSETS_TOPIC}");
        (ErrorCode::COORDINATOR_NOT_AVAILABLE, format!("cannot create {OFFSETS_TOPIC}: {why}"))
    };
    let request = CreateTopicsRequest {
        topics: vec![offsets_topic(broker)],
        timeout_ms: CREATE_TIMEOUT.as_millis() as i32,
        ..Default::default()
    };
    let answer = to_controller::call(broker, &request, CREATE_TIMEOUT).await;
    let answer = answer.map_err(|e| failed(e.to_string()))?;
    let code = answer.topics.first().map_or(ErrorCode::NONE, |topic| ErrorCode(topic.error_code));
    // Somebody else was faster.
    if code != ErrorCode::NONE && code != ErrorCode::TOPIC_ALREADY_EXISTS {
        let message = answer.topics.into_iter().next().and_then(|topic| topic.error_message);
        return Err(failed(message.map_or_else(String::new, |m| m.to_string())));
    }
    let known = broker.image.wait_for(|image| image.topic(OFFSETS_TOPIC).is_some());
    // If it is not known yet, the client asks again.
    tokio::time::timeout(CREATE_TIMEOUT, known).await.ok();
    Ok(())
}

fn offsets_topic(broker: &Broker) -> CreatableTopic {
    const FACTOR: &str = "offsets.topic.replication.factor";
    let configs = &broker.configs;
    let mut factor = configs.static_long(FACTOR);
    if !configs.is_static(FACTOR) {
        // Nobody asked for three replicas: a cluster of one broker shall work as it is.
        let brokers = i64::try_from(broker.image().brokers().len()).unwrap_or(i64::MAX);
        factor = factor.min(brokers);
    }
    let config = |name: &'static str, value: &str| CreatableTopicConfig {
        name: Str::from(name),
        value: Some(Str::copy(value)),
    };
    // Kafka lets this broker config be less than what it lets the topic config be.
    let segment_bytes = configs.static_long("offsets.topic.segment.bytes").max(1024 * 1024);
    CreatableTopic {
        name: Str::from(OFFSETS_TOPIC),
        num_partitions: i32::try_from(configs.static_long("offsets.topic.num.partitions"))
            .unwrap_or(i32::MAX),
        replication_factor: i16::try_from(factor).unwrap_or(i16::MAX),
        configs: vec![
            config("cleanup.policy", "compact"),
            config("compression.type", "producer"),
            config("segment.bytes", &segment_bytes.to_string()),
        ],
        ..Default::default()
    }
}
