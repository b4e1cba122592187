//! ListOffsets, versions 1 to 11.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::list_offsets_request::ListOffsetsPartition;
use protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use crate::context::{Broker, RequestContext};
use crate::partition::{OffsetQuery, PartitionsView};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// KIP-734.
const MAX_TIMESTAMP: i64 = -3;
/// KIP-405: what is on this broker's disk, which is everything.
const EARLIEST_LOCAL: i64 = -4;
/// KIP-1005, KIP-1023: nothing is in a remote store, nothing waits to be.
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// First version that can say a leader epoch.
const LEADER_EPOCH_VERSION: i16 = 4;
/// First version whose clients know OFFSET_NOT_AVAILABLE (KIP-207).
const NOT_AVAILABLE_VERSION: i16 = 5;

/// Searches by time read from the disk and run on a thread that may wait for it.
pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: ListOffsetsRequest,
    version: i16,
) -> ListOffsetsResponse {
    let view = broker.partitions.view();
    let by_time = request.topics.iter().flat_map(|topic| &topic.partitions).any(searches);
    if !by_time {
        return answer(&view, &request, version);
    }
    let topics = request.topics.clone();
    let searched = tokio::task::spawn_blocking(move || answer(&view, &request, version)).await;
    searched.unwrap_or_else(|_| {
        let failed =
            |p: &ListOffsetsPartition| failure(p.partition_index, ErrorCode::UNKNOWN_SERVER_ERROR);
        let topics = topics.iter().map(|topic| ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions: topic.partitions.iter().map(failed).collect(),
        });
        ListOffsetsResponse { topics: topics.collect(), ..Default::default() }
    })
}

fn searches(partition: &ListOffsetsPartition) -> bool {
    partition.timestamp >= 0 || partition.timestamp == MAX_TIMESTAMP
}

fn answer(
    view: &PartitionsView,
    request: &ListOffsetsRequest,
    version: i16,
) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let mut found = find(view, &topic.name, wanted)
                .unwrap_or_else(|code| failure(wanted.partition_index, code));
            if version < NOT_AVAILABLE_VERSION
                && found.error_code == ErrorCode::OFFSET_NOT_AVAILABLE.0
            {
                found.error_code = ErrorCode::LEADER_NOT_AVAILABLE.0;
            }
            if version < LEADER_EPOCH_VERSION {
                found.leader_epoch = -1;
            }
            found
        });
        ListOffsetsTopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
    });
    ListOffsetsResponse { topics: topics.collect(), ..Default::default() }
}

fn find(
    view: &PartitionsView,
    topic: &str,
    wanted: &ListOffsetsPartition,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    let topic = view.by_name(topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let partition = topic.partition(wanted.partition_index)?;
    let query = match wanted.timestamp {
        LATEST => OffsetQuery::Latest,
        EARLIEST | EARLIEST_LOCAL => OffsetQuery::Earliest,
        MAX_TIMESTAMP => OffsetQuery::MaxTimestamp,
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => {
            return Ok(failure(wanted.partition_index, ErrorCode::NONE));
        }
        timestamp if timestamp >= 0 => OffsetQuery::AtTime(timestamp),
        _ => return Err(ErrorCode::UNSUPPORTED_VERSION),
    };
    let found = partition.list_offset(query, wanted.current_leader_epoch)?;
    Ok(found.map_or_else(
        || failure(wanted.partition_index, ErrorCode::NONE),
        |found| ListOffsetsPartitionResponse {
            partition_index: wanted.partition_index,
            error_code: ErrorCode::NONE.0,
            timestamp: found.timestamp,
            offset: found.offset,
            leader_epoch: found.leader_epoch,
        },
    ))
}

/// With NONE: there is no such record.
fn failure(partition_index: i32, code: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse {
        partition_index,
        error_code: code.0,
        timestamp: -1,
        offset: -1,
        leader_epoch: -1,
    }
}
