//! InitProducerId, versions 0 to 6: an id for an idempotent producer. Transactions are not served.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: InitProducerIdRequest,
    _version: i16,
) -> InitProducerIdResponse {
    if request.transactional_id.is_some() {
        return failed(ErrorCode::INVALID_REQUEST);
    }
    match broker.producer_ids.next(broker).await {
        // A producer that asks again with its old id and epoch (KIP-360) gets a new id as well: its
        // sequences start anew in either case.
        Ok(producer_id) => {
            InitProducerIdResponse { producer_id, producer_epoch: 0, ..Default::default() }
        }
        Err(error) => {
            tracing::error!("cannot allocate producer ids: {error}");
            failed(ErrorCode::COORDINATOR_NOT_AVAILABLE)
        }
    }
}

fn failed(code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: code.0,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    }
}
