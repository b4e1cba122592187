//! ListGroups, filtered by state (v4) and type (v5).

use std::sync::Arc;

use protocol::Str;
use protocol::messages::list_groups_response::ListedGroup;
use protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use crate::context::{Broker, RequestContext};

/// The type of all groups that are served.
const CLASSIC: &str = "classic";

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: ListGroupsRequest,
    _version: i16,
) -> ListGroupsResponse {
    let (error, groups) = broker.groups.list();
    let passes = |filter: &[Str], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let groups = groups
        .into_iter()
        .filter(|group| passes(&request.states_filter, group.state))
        .filter(|_| passes(&request.types_filter, CLASSIC))
        .map(|group| ListedGroup {
            group_id: group.group_id,
            protocol_type: group.protocol_type,
            group_state: group.state.into(),
            group_type: CLASSIC.into(),
        })
        .collect();
    ListGroupsResponse { error_code: error.into(), groups, ..Default::default() }
}
