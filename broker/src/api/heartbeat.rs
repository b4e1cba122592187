//! Heartbeat.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: HeartbeatRequest,
    _version: i16,
) -> HeartbeatResponse {
    let error = if request.group_id.is_empty() {
        ErrorCode::INVALID_GROUP_ID
    } else {
        broker.groups.heartbeat(
            &request.group_id,
            &request.member_id,
            request.group_instance_id.as_ref(),
            request.generation_id,
        )
    };
    HeartbeatResponse { error_code: error.into(), ..Default::default() }
}
