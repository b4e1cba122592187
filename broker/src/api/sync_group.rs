//! SyncGroup. Waits until the leader's assignment is durable.

use std::sync::Arc;

use bytes::Bytes;
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use protocol::{ErrorCode, Str};

use crate::context::{Broker, RequestContext};
use groups::{Sync, SyncAnswer};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: SyncGroupRequest,
    _version: i16,
) -> SyncGroupResponse {
    let answer = if request.group_id.is_empty() {
        SyncAnswer::error(ErrorCode::INVALID_GROUP_ID)
    } else {
        broker.groups.sync(&request.group_id, |id| sync(id, &request)).await
    };
    SyncGroupResponse {
        error_code: answer.error.into(),
        protocol_type: answer.protocol_type,
        protocol_name: answer.protocol_name,
        assignment: answer.assignment,
        ..Default::default()
    }
}

fn sync(id: u64, request: &SyncGroupRequest) -> Sync {
    Sync {
        request: id,
        generation: request.generation_id,
        member_id: Str::copy(&request.member_id),
        instance_id: request.group_instance_id.clone(),
        protocol_type: request.protocol_type.clone(),
        protocol_name: request.protocol_name.clone(),
        assignments: request
            .assignments
            .iter()
            .map(|a| (Str::copy(&a.member_id), Bytes::copy_from_slice(&a.assignment)))
            .collect(),
    }
}
