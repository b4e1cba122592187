//! AllocateProducerIds (KIP-730): a broker needs producer ids to give away.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::{AllocateProducerIdsRequest, AllocateProducerIdsResponse};
use quorum::controller::AllocateProducerIds;

use super::refusal;
use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: AllocateProducerIdsRequest,
    _version: i16,
) -> AllocateProducerIdsResponse {
    let failed = |error_code: i16| AllocateProducerIdsResponse { error_code, ..Default::default() };
    let epoch = broker.image().broker(request.broker_id).map(|registered| registered.epoch);
    // This node's image may be behind what the broker knows of itself, never ahead of it.
    if epoch.is_some_and(|epoch| epoch > request.broker_epoch) {
        return failed(ErrorCode::STALE_BROKER_EPOCH.0);
    }
    match broker.controller.submit_for_others(AllocateProducerIds).await {
        Ok(Ok(block)) => AllocateProducerIdsResponse {
            producer_id_start: block.first,
            producer_id_len: block.len,
            ..Default::default()
        },
        Ok(Err(error)) => {
            tracing::error!("{error}");
            failed(ErrorCode::UNKNOWN_SERVER_ERROR.0)
        }
        Err(error) => failed(refusal(&error).0),
    }
}
