//! One Produce request: batches of several partitions to one broker.

use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::PartitionProduceResponse;
use protocol::messages::{ProduceRequest, ProduceResponse};
use protocol::{ErrorCode, Uuid};

use super::ProducerConfig;
use super::batch::Batch;
use super::config::Acks;
use super::queue::Answer;
use crate::cluster::{Lane, Snapshot};
use crate::types::by_topic;
use crate::{ApiError, Client, ClientError, TopicPartition};

/// The last version that names topics; later ones need ids.
const LAST_VERSION_BY_NAME: i16 = 12;
/// The broker gives up waiting for replicas this much earlier than we for the broker.
const ANSWER_GRACE: std::time::Duration = std::time::Duration::from_secs(1);

/// Batches that were sent, with what became of each.
pub(super) type Sent = Vec<(TopicPartition, Batch, Answer)>;

/// Sends batches to their leader and waits for the answer.
pub(super) async fn send(
    client: &Client,
    config: &ProducerConfig,
    node: i32,
    lane: Lane,
    batches: Vec<(TopicPartition, Batch)>,
) -> Sent {
    let snapshot = client.snapshot();
    let mut sendable = Vec::with_capacity(batches.len());
    let mut unsendable = Vec::new();
    for (partition, mut batch) in batches {
        match batch.bytes() {
            Ok(bytes) => sendable.push((partition, batch, bytes)),
            Err(error) => {
                let message = Some(error.to_string());
                let refused = ApiError { code: ErrorCode::INVALID_RECORD, message };
                unsendable.push((partition, batch, Answer::Refused(refused)));
            }
        }
    }
    let named = sendable.iter().map(|(p, _, bytes)| {
        let data = PartitionProduceData { index: p.partition, records: Some(bytes.clone()) };
        (p.topic.clone(), data)
    });
    let topics = by_topic(named);
    let id = |name: &protocol::Str| snapshot.topics.get(name).map_or(Uuid::ZERO, |t| t.id);
    let every_id = topics.iter().all(|(name, _)| !id(name).is_zero());
    let request = ProduceRequest {
        acks: config.acks.code(),
        timeout_ms: i32::try_from(client.config().request_timeout_ms).unwrap_or(i32::MAX),
        topic_data: topics
            .into_iter()
            .map(|(name, partition_data)| TopicProduceData {
                topic_id: id(&name),
                name,
                partition_data,
            })
            .collect(),
        ..Default::default()
    };
    let max_version = if every_id { i16::MAX } else { LAST_VERSION_BY_NAME };
    let result = exchange(client, config, node, lane, &request, max_version).await;
    let mut sent = unsendable;
    sent.extend(sendable.into_iter().map(|(partition, batch, _)| {
        let answer = answer(&partition, &result, &snapshot);
        (partition, batch, answer)
    }));
    sent
}

async fn exchange(
    client: &Client,
    config: &ProducerConfig,
    node: i32,
    lane: Lane,
    request: &ProduceRequest,
    max_version: i16,
) -> Result<Option<ProduceResponse>, ClientError> {
    if config.acks == Acks::None {
        client.connection(node, lane).await?.send_only(request, max_version).await?;
        return Ok(None);
    }
    let timeout = client.config().request_timeout() + ANSWER_GRACE;
    client.call_node_within(node, lane, request, max_version, timeout).await.map(Some)
}

fn answer(
    partition: &TopicPartition,
    result: &Result<Option<ProduceResponse>, ClientError>,
    snapshot: &Snapshot,
) -> Answer {
    match result {
        Ok(None) => Answer::Written { base_offset: -1, append_time_ms: None },
        Ok(Some(response)) => match find(response, partition, snapshot) {
            Some(part) => {
                match ApiError::check_with(part.error_code, part.error_message.as_ref()) {
                    Ok(()) => Answer::Written {
                        base_offset: part.base_offset,
                        append_time_ms: (part.log_append_time_ms >= 0)
                            .then_some(part.log_append_time_ms),
                    },
                    Err(error) => Answer::Refused(error),
                }
            }
            None => Answer::Failed {
                error: "the broker's answer lacks the partition".to_owned(),
                maybe_written: true,
            },
        },
        Err(ClientError::Call(e)) if !e.is_retriable() && !e.may_have_happened() => {
            let message = Some(e.to_string());
            Answer::Refused(ApiError { code: ErrorCode::UNSUPPORTED_VERSION, message })
        }
        Err(error) => {
            let maybe_written = match error {
                ClientError::Call(e) => e.may_have_happened(),
                _ => false,
            };
            Answer::Failed { error: error.to_string(), maybe_written }
        }
    }
}

fn find<'a>(
    response: &'a ProduceResponse,
    partition: &TopicPartition,
    snapshot: &Snapshot,
) -> Option<&'a PartitionProduceResponse> {
    let id = snapshot.topics.get(&partition.topic).map_or(Uuid::ZERO, |t| t.id);
    let topic = response.responses.iter().find(|t| {
        t.name == partition.topic || (t.name.is_empty() && !id.is_zero() && t.topic_id == id)
    })?;
    topic.partition_responses.iter().find(|p| p.index == partition.partition)
}
