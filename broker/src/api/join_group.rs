//! JoinGroup. Waits until the rebalance is over.

use std::sync::Arc;

use bytes::Bytes;
use protocol::messages::join_group_response::JoinGroupResponseMember;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use protocol::{ErrorCode, Str};

use crate::context::{Broker, RequestContext};
use groups::{Join, JoinAnswer};

/// First version in which a new member must come back with its id (KIP-394).
const REQUIRES_MEMBER_ID_FROM: i16 = 4;
/// First version in which the protocol's name may be null.
const NULLABLE_PROTOCOL_FROM: i16 = 7;
/// First version that can tell a leader to skip the assignment (KIP-814).
const SKIPS_ASSIGNMENT_FROM: i16 = 9;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    ctx: &RequestContext,
    request: JoinGroupRequest,
    version: i16,
) -> JoinGroupResponse {
    if request.group_id.is_empty() {
        let answer = JoinAnswer::error(request.member_id, ErrorCode::INVALID_GROUP_ID);
        return response(answer, version);
    }
    let answer = broker.groups.join(&request.group_id, |id| join(id, &request, ctx, version)).await;
    response(answer, version)
}

/// Strings and bytes are copied: those of the request keep its whole frame in memory.
fn join(id: u64, request: &JoinGroupRequest, ctx: &RequestContext, version: i16) -> Join {
    let client_id = ctx.client_id.as_deref().unwrap_or_default();
    let instance_id = request.group_instance_id.as_deref().map(Str::copy);
    let name = instance_id.as_deref().unwrap_or(client_id);
    let copy = |metadata: &Bytes| Bytes::copy_from_slice(metadata);
    Join {
        request: id,
        member_id: Str::copy(&request.member_id),
        fresh_member_id: Str::from(format!("{name}-{}", random_uuid())),
        require_known_member_id: version >= REQUIRES_MEMBER_ID_FROM,
        can_skip_assignment: version >= SKIPS_ASSIGNMENT_FROM,
        client_id: Str::copy(client_id),
        client_host: Str::from(format!("/{}", ctx.peer.ip())),
        rebalance_timeout_ms: match version {
            0 => request.session_timeout_ms,
            _ => request.rebalance_timeout_ms,
        },
        session_timeout_ms: request.session_timeout_ms,
        protocol_type: Str::copy(&request.protocol_type),
        protocols: request
            .protocols
            .iter()
            .map(|p| (Str::copy(&p.name), copy(&p.metadata)))
            .collect(),
        instance_id,
    }
}

fn response(answer: JoinAnswer, version: i16) -> JoinGroupResponse {
    let protocol_name = match answer.protocol_name {
        None if version < NULLABLE_PROTOCOL_FROM => Some(Str::EMPTY),
        name => name,
    };
    JoinGroupResponse {
        error_code: answer.error.into(),
        generation_id: answer.generation,
        protocol_type: answer.protocol_type,
        protocol_name,
        leader: answer.leader,
        skip_assignment: answer.skip_assignment,
        member_id: answer.member_id,
        members: answer
            .members
            .into_iter()
            .map(|member| JoinGroupResponseMember {
                member_id: member.member_id,
                group_instance_id: member.instance_id,
                metadata: member.metadata,
            })
            .collect(),
        ..Default::default()
    }
}

/// Java's text form of a random UUID, as Kafka's member ids have it.
fn random_uuid() -> String {
    let hex = format!("{:032x}", fastrand::u128(..));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
