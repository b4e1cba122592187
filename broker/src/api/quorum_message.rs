//! QuorumMessage: one of our own, by which nodes' quorums speak (see `protocol/schemas/own`).

use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::{QuorumMessageRequest, QuorumMessageResponse};
use quorum::raft::Request;

use crate::context::{Broker, RequestContext};

/// Nobody waits longer for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    ctx: &RequestContext,
    request: QuorumMessageRequest,
    _version: i16,
) -> QuorumMessageResponse {
    let failed =
        |code: ErrorCode| QuorumMessageResponse { error_code: code.0, ..Default::default() };
    if request.cluster_id != broker.cluster_id {
        tracing::warn!(
            peer = %ctx.peer, node = request.node_id, cluster = %request.cluster_id,
            "refused a quorum message of another cluster"
        );
        return failed(ErrorCode::INCONSISTENT_CLUSTER_ID);
    }
    let message = match Request::from_bytes(&request.message) {
        Ok(message) => message,
        Err(error) => {
            tracing::warn!(peer = %ctx.peer, %error, "a quorum message cannot be read");
            return failed(ErrorCode::INVALID_REQUEST);
        }
    };
    let answered = broker.quorum.message(request.node_id, message);
    match tokio::time::timeout(TIMEOUT, answered).await {
        Ok(Some(response)) => {
            QuorumMessageResponse { message: response.to_bytes(), ..Default::default() }
        }
        Ok(None) => failed(ErrorCode::BROKER_NOT_AVAILABLE),
        Err(_) => failed(ErrorCode::REQUEST_TIMED_OUT),
    }
}
