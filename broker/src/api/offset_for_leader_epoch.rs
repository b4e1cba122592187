//! OffsetForLeaderEpoch, versions 2 to 4: where a leader epoch ends in our log (KIP-101, KIP-279, KIP-320).

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::context::{Broker, RequestContext};
use crate::partition::PartitionsView;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: OffsetForLeaderEpochRequest,
    _version: i16,
) -> OffsetForLeaderEpochResponse {
    let view = broker.partitions.view();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let found = find(&view, &topic.topic, wanted);
            let (code, (leader_epoch, end_offset)) = match found {
                // Nothing is known of the epoch.
                Ok(found) => (ErrorCode::NONE, found.unwrap_or((-1, -1))),
                Err(code) => (code, (-1, -1)),
            };
            EpochEndOffset {
                error_code: code.0,
                partition: wanted.partition,
                leader_epoch,
                end_offset,
            }
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult { partitions, topic: topic.topic }
    });
    OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() }
}

fn find(
    view: &PartitionsView,
    topic: &str,
    wanted: &OffsetForLeaderPartition,
) -> Result<Option<(i32, i64)>, ErrorCode> {
    let topic = view.by_name(topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let partition = topic.partition(wanted.partition)?;
    partition.end_offset_for_epoch(wanted.leader_epoch, wanted.current_leader_epoch)
}
