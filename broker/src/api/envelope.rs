//! Envelope (KIP-590): a client's request that another broker passes on to the active controller.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::{EnvelopeRequest, EnvelopeResponse};

use crate::context::{Broker, RequestContext};
use crate::dispatch;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    ctx: &RequestContext,
    request: EnvelopeRequest,
    _version: i16,
) -> EnvelopeResponse {
    let failed = |code: ErrorCode| EnvelopeResponse { error_code: code.0, response_data: None };
    if !broker.quorum.leads() {
        return failed(ErrorCode::NOT_CONTROLLER);
    }
    match dispatch::answer_forwarded(broker, ctx.peer, request.request_data).await {
        Ok(response_data) => EnvelopeResponse { response_data: Some(response_data), error_code: 0 },
        Err(reason) => {
            tracing::warn!(peer = %ctx.peer, "a forwarded request is refused: {reason}");
            failed(ErrorCode::INVALID_REQUEST)
        }
    }
}
