//! BrokerRegistration (KIP-631, KIP-858, KIP-966): a broker has started.

use std::sync::Arc;

use protocol::messages::{BrokerRegistrationRequest, BrokerRegistrationResponse};
use protocol::{ErrorCode, Uuid};
use quorum::controller::RegisterBroker;

use super::refusal;
use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: BrokerRegistrationRequest,
    _version: i16,
) -> BrokerRegistrationResponse {
    let failed = |error_code: i16| BrokerRegistrationResponse {
        error_code,
        broker_epoch: -1,
        ..Default::default()
    };
    if request.cluster_id != broker.cluster_id {
        tracing::warn!(
            node = request.broker_id, cluster = %request.cluster_id,
            "refused a broker of another cluster"
        );
        return failed(ErrorCode::INCONSISTENT_CLUSTER_ID.0);
    }
    let Some(listener) = request.listeners.first() else {
        return failed(ErrorCode::INVALID_REQUEST.0);
    };
    let features = request.features.iter().map(|f| (f.name.to_string(), f.max_supported_version));
    let command = RegisterBroker {
        broker_id: request.broker_id,
        incarnation_id: request.incarnation_id,
        directory_id: request.log_dirs.first().copied().unwrap_or(Uuid::ZERO),
        previous_broker_epoch: request.previous_broker_epoch,
        host: listener.host.to_string(),
        port: listener.port,
        rack: request.rack.as_deref().map(str::to_owned),
        features: features.collect(),
        now_ms: broker.clock.monotonic_ms(),
    };
    match broker.controller.submit_for_others(command).await {
        Ok(Ok(broker_epoch)) => BrokerRegistrationResponse { broker_epoch, ..Default::default() },
        Ok(Err(error)) => {
            tracing::warn!(node = request.broker_id, "refused a registration: {error}");
            failed(error.code().0)
        }
        Err(error) => failed(refusal(&error).0),
    }
}
