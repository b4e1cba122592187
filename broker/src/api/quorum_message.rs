//! QuorumMessage: one of our own, by which nodes' quorums speak (see `protocol/schemas/own`).

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::{QuorumMessageRequest, QuorumMessageResponse};
use protocol::{ErrorCode, Str};
use quorum::raft::{Request, Response};

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
        Ok(Some(response)) => answer(broker, &response),
        Ok(None) => failed(ErrorCode::BROKER_NOT_AVAILABLE),
        Err(_) => failed(ErrorCode::REQUEST_TIMED_OUT),
    }
}

/// The sender may have been told of no voter but those that the cluster began with, so it is told where the leader is.
fn answer(broker: &Broker, response: &Response) -> QuorumMessageResponse {
    let (host, port) = response.leader.and_then(|id| broker.peers.address(id)).unwrap_or_default();
    QuorumMessageResponse {
        message: response.to_bytes(),
        leader_id: response.leader.unwrap_or(-1),
        leader_host: Str::from(host),
        leader_port: port,
        ..Default::default()
    }
}
