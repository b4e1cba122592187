//! DescribeGroups: classic groups with their members.

use std::sync::Arc;

use protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use protocol::{ErrorCode, Str};

use crate::context::{Broker, RequestContext};
use crate::group::{GroupDescription, MemberDescription};

/// First version that says that a group does not exist; before, such a group is Dead.
const GROUP_ID_NOT_FOUND_FROM: i16 = 6;
/// Authorized operations: everything that can be done with a group (READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS,
/// ALTER_CONFIGS), as long as there is no authorizer.
const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: DescribeGroupsRequest,
    version: i16,
) -> DescribeGroupsResponse {
    let with_operations = request.include_authorized_operations;
    let groups = request.groups.into_iter().map(|id| {
        let mut group = match broker.groups.describe(&id) {
            Err(error) => failed(id, error),
            Ok(None) => missing(id, version),
            Ok(Some(description)) => described(id, description),
        };
        if with_operations && group.error_code == ErrorCode::NONE.0 {
            group.authorized_operations = ALL_OPERATIONS;
        }
        group
    });
    DescribeGroupsResponse { groups: groups.collect(), ..Default::default() }
}

fn failed(group_id: Str, error: ErrorCode) -> DescribedGroup {
    DescribedGroup { group_id, error_code: error.into(), ..Default::default() }
}

fn missing(group_id: Str, version: i16) -> DescribedGroup {
    let (error, message) = if version >= GROUP_ID_NOT_FOUND_FROM {
        (ErrorCode::GROUP_ID_NOT_FOUND, Some(Str::from(format!("Group {group_id} not found."))))
    } else {
        (ErrorCode::NONE, None)
    };
    DescribedGroup { group_state: "Dead".into(), error_message: message, ..failed(group_id, error) }
}

fn described(group_id: Str, description: GroupDescription) -> DescribedGroup {
    let member = |m: MemberDescription| DescribedGroupMember {
        member_id: m.member_id,
        group_instance_id: m.instance_id,
        client_id: m.client_id,
        client_host: m.client_host,
        member_metadata: m.metadata,
        member_assignment: m.assignment,
    };
    DescribedGroup {
        group_id,
        group_state: description.state.into(),
        protocol_type: description.protocol_type,
        protocol_data: description.protocol,
        members: description.members.into_iter().map(member).collect(),
        ..Default::default()
    }
}
