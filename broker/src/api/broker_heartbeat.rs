//! BrokerHeartbeat (KIP-631, KIP-858): a broker is there, or wants to stop, or has a disk that takes no writes.

use std::sync::Arc;

use protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};
use quorum::controller::BrokerHeartbeat;

use super::refusal;
use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: BrokerHeartbeatRequest,
    _version: i16,
) -> BrokerHeartbeatResponse {
    let command = BrokerHeartbeat {
        broker_id: request.broker_id,
        broker_epoch: request.broker_epoch,
        metadata_offset: u64::try_from(request.current_metadata_offset).unwrap_or(0),
        want_fence: request.want_fence,
        want_shut_down: request.want_shut_down,
        offline_log_dirs: request.offline_log_dirs,
        now_ms: broker.clock.monotonic_ms(),
    };
    let failed = |error_code: i16| BrokerHeartbeatResponse {
        error_code,
        is_fenced: true,
        ..Default::default()
    };
    match broker.controller.submit_for_others(command).await {
        Ok(Ok(answer)) => BrokerHeartbeatResponse {
            is_caught_up: answer.is_caught_up,
            is_fenced: answer.is_fenced,
            should_shut_down: answer.should_shut_down,
            ..Default::default()
        },
        Ok(Err(error)) => failed(error.code().0),
        Err(error) => failed(refusal(&error).0),
    }
}
