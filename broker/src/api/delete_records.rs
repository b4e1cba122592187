//! DeleteRecords, versions 0 to 2: moves the log's start. Answered when the new start is durable.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::context::{Broker, RequestContext};
use crate::partition::Partition;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: DeleteRecordsRequest,
    _version: i16,
) -> DeleteRecordsResponse {
    let view = broker.partitions.view();
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
    DeleteRecordsResponse { topics, ..Default::default() }
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
