//! Produce, versions 3 to 13. Hot path: nothing is allocated for a record, nothing boxed unless the answer must wait.

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::produce_request::TopicProduceData;
use protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    TopicProduceResponse,
};
use protocol::messages::{ProduceRequest, ProduceResponse};
use protocol::{ApiKey, ErrorCode, Str};

use super::leader_hint::{self, Hints};
use crate::connection::{CloseReason, Reply};
use crate::context::{Broker, RequestContext};
use crate::dispatch::encode;
use crate::partition::{Accepted, CommitOutcome, CommitWait, PartitionsView, Refusal};

/// First version that names topics by id.
const TOPIC_ID_VERSION: i16 = 13;
/// Longest wait for a commit: a client's absurd timeout must not hold its request for ever.
const MAX_TIMEOUT_MS: u64 = 10 * 60 * 1000;

/// Appends to all partitions at once, on the connection's task; then waits if the client wants acks=all.
pub(crate) fn handle(
    broker: &Arc<Broker>,
    ctx: RequestContext,
    request: ProduceRequest,
) -> Result<Reply, CloseReason> {
    let acks = request.acks;
    let wait = (acks == -1).then(CommitWait::new);
    let mut append = Append {
        broker,
        view: broker.partitions.view(),
        version: ctx.api_version,
        now_ms: broker.clock.now_ms(),
        wait: wait.as_ref(),
        valid_acks: matches!(acks, -1..=1),
        failed: None,
        parts: 0,
    };
    let responses = request.topic_data.iter().map(|topic| append.topic(topic)).collect();
    let failed = append.failed;
    let answer = Answer { ctx, response: ProduceResponse { responses, ..Default::default() } };
    let Some(wait) = wait else {
        return match (acks, failed) {
            (0, None) => Ok(Reply::Nothing),
            (0, Some(code)) => Err(CloseReason::UnacknowledgedProduce(code.name())),
            (_, None) => Ok(Reply::Now(answer.encode()?)),
            (_, Some(_)) => Ok(Reply::Now(answer.named(broker).encode()?)),
        };
    };
    if let Some(outcome) = wait.outcome() {
        return Ok(Reply::Now(answer.committed(broker, &outcome)?));
    }
    let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0).min(MAX_TIMEOUT_MS);
    let broker = Arc::clone(broker);
    Ok(Reply::Later(Box::pin(async move {
        let outcome = wait.ended_within(Duration::from_millis(timeout_ms)).await;
        answer.committed(&broker, &outcome)
    })))
}

/// What was appended, and is not told yet.
struct Answer {
    ctx: RequestContext,
    response: ProduceResponse,
}

impl Answer {
    /// The answer to acks=all: with a success only for what the outcome says is committed.
    fn committed(
        mut self,
        broker: &Broker,
        outcome: &CommitOutcome,
    ) -> Result<Vec<protocol::Segment>, CloseReason> {
        let mut wrong = false;
        let partitions =
            self.response.responses.iter_mut().flat_map(|t| &mut t.partition_responses);
        for (part, partition) in partitions.enumerate() {
            let appended = partition.error_code == ErrorCode::NONE.0;
            if let Some(code) = outcome.failure(part).filter(|_| appended) {
                partition.error_code = code.0;
                partition.base_offset = -1;
            }
            wrong |= partition.error_code != ErrorCode::NONE.0;
        }
        if wrong { self.named(broker).encode() } else { self.encode() }
    }

    /// With the leaders of the partitions that this broker does not lead.
    fn named(mut self, broker: &Broker) -> Self {
        name_leaders(broker, self.ctx.api_version, &mut self.response);
        self
    }

    fn encode(self) -> Result<Vec<protocol::Segment>, CloseReason> {
        encode(ApiKey::Produce, self.ctx.api_version, self.ctx.correlation_id, &self.response)
    }
}

/// Tells a client that asked the wrong broker whom to ask (KIP-951).
fn name_leaders(broker: &Broker, version: i16, response: &mut ProduceResponse) {
    if version < leader_hint::PRODUCE_VERSION {
        return;
    }
    let mut hints = Hints::default();
    let mut image = None;
    for topic in &mut response.responses {
        let wrong = |p: &&mut PartitionProduceResponse| leader_hint::helps(ErrorCode(p.error_code));
        for partition in topic.partition_responses.iter_mut().filter(wrong) {
            let image = image.get_or_insert_with(|| broker.image());
            let found = if version >= TOPIC_ID_VERSION {
                image.topic_by_id(&topic.topic_id)
            } else {
                image.topic(&topic.name)
            };
            let found = found.and_then(|topic| topic.partition(partition.index));
            if let Some((leader_id, leader_epoch)) = hints.leader(image, found) {
                partition.current_leader = LeaderIdAndEpoch { leader_id, leader_epoch };
            }
        }
    }
    let endpoint = |broker: &quorum::image::BrokerImage| NodeEndpoint {
        node_id: broker.id,
        host: broker.host.clone(),
        port: i32::from(broker.port),
        rack: broker.rack.clone(),
    };
    response.node_endpoints = hints.nodes().map(endpoint).collect();
}

/// One request being appended.
struct Append<'a> {
    broker: &'a Broker,
    view: Arc<PartitionsView>,
    version: i16,
    now_ms: i64,
    wait: Option<&'a Arc<CommitWait>>,
    valid_acks: bool,
    /// The first failure, for acks=0.
    failed: Option<ErrorCode>,
    /// Partitions so far: names each in the failures of the wait.
    parts: usize,
}

impl Append<'_> {
    fn topic(&mut self, topic: &TopicProduceData) -> TopicProduceResponse {
        let view = Arc::clone(&self.view);
        let (hosted, unknown) = if self.version >= TOPIC_ID_VERSION {
            (view.by_id(&topic.topic_id), ErrorCode::UNKNOWN_TOPIC_ID)
        } else {
            (view.by_name(&topic.name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        };
        let mut partition_responses = Vec::with_capacity(topic.partition_data.len());
        for data in &topic.partition_data {
            let part = self.parts;
            self.parts += 1;
            let result = if self.valid_acks {
                hosted
                    .ok_or(unknown)
                    .and_then(|topic| topic.partition(data.index))
                    .map_err(Refusal::of)
                    .and_then(|partition| {
                        let records = data.records.as_ref();
                        let wait = self.wait.map(|wait| (wait, part));
                        partition.append(records, self.version, wait, self.now_ms)
                    })
            } else {
                Err(Refusal::of(ErrorCode::INVALID_REQUIRED_ACKS))
            };
            let bytes = data.records.as_ref().map_or(0, bytes::Bytes::len);
            partition_responses.push(self.partition(data.index, bytes, result));
        }
        TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses,
        }
    }

    fn partition(
        &mut self,
        index: i32,
        bytes: usize,
        result: Result<Accepted, Refusal>,
    ) -> PartitionProduceResponse {
        match result {
            Ok(accepted) => {
                self.broker.metrics.bytes_in.inc_by(bytes as u64);
                self.broker.metrics.records_in.inc_by(accepted.records);
                PartitionProduceResponse {
                    index,
                    base_offset: accepted.base_offset,
                    log_append_time_ms: accepted.log_append_time_ms,
                    log_start_offset: accepted.log_start_offset,
                    ..Default::default()
                }
            }
            Err(refusal) => {
                self.failed.get_or_insert(refusal.code);
                self.broker.metrics.partition_error(ApiKey::Produce, refusal.code);
                let record_error = |(batch_index, reason): (i32, &'static str)| {
                    let batch_index_error_message = Some(Str::from(reason));
                    BatchIndexAndErrorMessage { batch_index, batch_index_error_message }
                };
                PartitionProduceResponse {
                    index,
                    error_code: refusal.code.0,
                    base_offset: -1,
                    log_append_time_ms: -1,
                    log_start_offset: refusal.log_start_offset,
                    record_errors: refusal.record_errors.into_iter().map(record_error).collect(),
                    error_message: refusal.message.map(Str::from),
                    ..Default::default()
                }
            }
        }
    }
}
