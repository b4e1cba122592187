//! DeleteRecords, versions 0 to 2: moves the log's start. Answered when the new start is durable here, and on all replicas
//! that are alive (KIP-107): what is answered as deleted does not come back with another leader.

use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use tokio::time::Instant;

use crate::context::{Broker, RequestContext};
use crate::partition::{Partition, PartitionsView};

/// Longest wait: a client's absurd timeout must not hold its request for ever.
const MAX_TIMEOUT: Duration = Duration::from_secs(10 * 60);

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: DeleteRecordsRequest,
    _version: i16,
) -> DeleteRecordsResponse {
    let view = broker.partitions.view();
    let deadline = Instant::now() + timeout(request.timeout_ms);
    let mut changed: Vec<Arc<Partition>> = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let hosted = view.by_name(&topic.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        let partitions = topic.partitions.iter().map(|wanted| {
            let moved = hosted.and_then(|topic| topic.partition(wanted.partition_index)).and_then(
                |partition| {
                    let start = partition.delete_records(wanted.offset)?;
                    changed.push(Arc::clone(partition));
                    Ok(start)
                },
            );
            DeleteRecordsPartitionResult {
                partition_index: wanted.partition_index,
                low_watermark: moved.unwrap_or(-1),
                error_code: moved.err().unwrap_or(ErrorCode::NONE).0,
            }
        });
        let partitions = partitions.collect();
        topics.push(DeleteRecordsTopicResult { partitions, name: topic.name });
    }
    if !changed.is_empty() && !make_durable(broker, changed).await {
        let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        for partition in partitions.filter(|p| p.error_code == ErrorCode::NONE.0) {
            partition.error_code = ErrorCode::KAFKA_STORAGE_ERROR.0;
        }
    }
    wait_for_followers(broker, &view, &mut topics, deadline).await;
    DeleteRecordsResponse { topics, ..Default::default() }
}

fn timeout(timeout_ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0)).min(MAX_TIMEOUT)
}

/// Replaces the leader's log start by the low watermark of each partition.
async fn wait_for_followers(
    broker: &Broker,
    view: &PartitionsView,
    topics: &mut [DeleteRecordsTopicResult],
    deadline: Instant,
) {
    let is_alive = |id: i32| broker.image().is_active(id);
    for topic in topics {
        let Some(hosted) = view.by_name(&topic.name) else { continue };
        let good = topic.partitions.iter_mut().filter(|p| p.error_code == ErrorCode::NONE.0);
        for result in good {
            let Ok(partition) = hosted.partition(result.partition_index) else { continue };
            let deleted = partition.deleted_everywhere(result.low_watermark, is_alive);
            match tokio::time::timeout_at(deadline, deleted).await {
                Ok(Ok(low_watermark)) => result.low_watermark = low_watermark,
                Ok(Err(code)) => result.error_code = code.0,
                Err(_) => result.error_code = ErrorCode::REQUEST_TIMED_OUT.0,
            }
        }
    }
}

async fn make_durable(broker: &Arc<Broker>, changed: Vec<Arc<Partition>>) -> bool {
    let broker = Arc::clone(broker);
    let written =
        tokio::task::spawn_blocking(move || broker.partitions.checkpoint_starts(&changed)).await;
    match written {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!("cannot write the log start checkpoint: {error}");
            false
        }
        Err(_) => false,
    }
}
