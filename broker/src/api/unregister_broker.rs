//! UnregisterBroker: a broker is gone for good.

use std::sync::Arc;

use protocol::Str;
use protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use quorum::controller::UnregisterBroker;

use super::refusal;
use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: UnregisterBrokerRequest,
    _version: i16,
) -> UnregisterBrokerResponse {
    let (error_code, error_message) =
        match broker.controller.submit(UnregisterBroker { broker_id: request.broker_id }).await {
            Ok(Ok(())) => (0, None),
            Ok(Err(error)) => (error.code().0, Some(Str::from(error.to_string()))),
            Err(error) => refusal(&error),
        };
    UnregisterBrokerResponse { error_code, error_message, ..Default::default() }
}
