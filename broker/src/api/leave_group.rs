//! LeaveGroup: one member (to v2) or several, static ones by their instance id.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::leave_group_response::MemberResponse;
use protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use crate::context::{Broker, RequestContext};
use groups::Leaving;

/// First version with several members.
const BATCHED_FROM: i16 = 3;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: LeaveGroupRequest,
    version: i16,
) -> LeaveGroupResponse {
    let fail =
        |error: ErrorCode| LeaveGroupResponse { error_code: error.into(), ..Default::default() };
    if request.group_id.is_empty() {
        return fail(ErrorCode::INVALID_GROUP_ID);
    }
    let leaving: Vec<Leaving> = if version >= BATCHED_FROM {
        let members = request.members.into_iter();
        members
            .map(|m| Leaving { member_id: m.member_id, instance_id: m.group_instance_id })
            .collect()
    } else {
        vec![Leaving { member_id: request.member_id, instance_id: None }]
    };
    let codes = match broker.groups.leave(&request.group_id, &leaving) {
        Ok(codes) => codes,
        Err(error) => return fail(error),
    };
    if version < BATCHED_FROM {
        return fail(codes.first().copied().unwrap_or(ErrorCode::NONE));
    }
    let member = |(member, code): (Leaving, ErrorCode)| MemberResponse {
        member_id: member.member_id,
        group_instance_id: member.instance_id,
        error_code: code.into(),
    };
    let members = leaving.into_iter().zip(codes).map(member).collect();
    LeaveGroupResponse { members, ..Default::default() }
}
