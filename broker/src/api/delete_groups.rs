//! DeleteGroups: empty groups, with their offsets.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: DeleteGroupsRequest,
    _version: i16,
) -> DeleteGroupsResponse {
    let mut results = Vec::with_capacity(request.groups_names.len());
    for group_id in request.groups_names {
        let deleted = broker.groups.delete(&group_id).await;
        let error = deleted.err().unwrap_or(ErrorCode::NONE);
        results.push(DeletableGroupResult { group_id, error_code: error.into() });
    }
    DeleteGroupsResponse { results, ..Default::default() }
}
