//! What this broker itself asks of the active controller.

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, AlterPartitionRequest,
    AlterPartitionResponse, BrokerHeartbeatRequest, BrokerHeartbeatResponse,
    BrokerRegistrationRequest, BrokerRegistrationResponse, CreateTopicsRequest,
    CreateTopicsResponse,
};
use protocol::{ErrorCode, Request};
use thiserror::Error;
use tokio::time::Instant;

use crate::context::Broker;
use crate::dispatch;
use crate::peers::Channel;
use crate::replication::alter_partition;

/// Pause before a controller that refused or could not be reached is asked again.
const BACKOFF: Duration = Duration::from_millis(50);
/// Longest wait for one answer; the controller may be one that hangs.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// No active controller answered in time.
#[derive(Debug, Error)]
#[error("no active controller has answered: {0}")]
pub(crate) struct NoController(String);

/// A request that the active controller answers.
pub(crate) trait ControllerRequest: Request {
    /// The version that our brokers speak among themselves.
    const VERSION: i16;

    /// The connection that it takes.
    const CHANNEL: Channel;

    /// The error that says whether the controller was active.
    fn error_code(response: &Self::Response) -> i16;
}

macro_rules! controller_request {
    ($request:ident -> $response:ident, version $version:expr, $channel:ident, $error:expr) => {
        impl ControllerRequest for $request {
            const VERSION: i16 = $version;
            const CHANNEL: Channel = Channel::$channel;

            fn error_code(response: &$response) -> i16 {
                let error: fn(&$response) -> i16 = $error;
                error(response)
            }
        }
    };
}

controller_request!(BrokerRegistrationRequest -> BrokerRegistrationResponse, version 4, Control, |r| r.error_code);
controller_request!(BrokerHeartbeatRequest -> BrokerHeartbeatResponse, version 1, Heartbeat, |r| r.error_code);
controller_request!(AlterPartitionRequest -> AlterPartitionResponse, version alter_partition::VERSION, Control, |r| r.error_code);
controller_request!(AllocateProducerIdsRequest -> AllocateProducerIdsResponse, version 0, Control, |r| r.error_code);
controller_request!(CreateTopicsRequest -> CreateTopicsResponse, version 7, Forwarded, |r| {
    r.topics.first().map_or(0, |topic| topic.error_code)
});

/// Asks the active controller, again until `timeout` when there is none, or it changes meanwhile. A request may be
/// executed twice.
///
/// # Errors
/// [`NoController`].
pub(crate) async fn call<R: ControllerRequest>(
    broker: &Arc<Broker>,
    request: &R,
    timeout: Duration,
) -> Result<R::Response, NoController> {
    let deadline = Instant::now() + timeout;
    loop {
        let why = match attempt(broker, request, deadline).await {
            Ok(response) if R::error_code(&response) == ErrorCode::NOT_CONTROLLER.0 => {
                ErrorCode::NOT_CONTROLLER.message().to_owned()
            }
            Ok(response) => return Ok(response),
            Err(why) => why,
        };
        if Instant::now() + BACKOFF >= deadline {
            return Err(NoController(why));
        }
        tokio::time::sleep(BACKOFF).await;
    }
}

async fn attempt<R: ControllerRequest>(
    broker: &Arc<Broker>,
    request: &R,
    deadline: Instant,
) -> Result<R::Response, String> {
    let left = deadline.saturating_duration_since(Instant::now()).min(ATTEMPT_TIMEOUT);
    match broker.quorum.leader().node_id {
        None => Err("the metadata quorum has no leader".to_owned()),
        Some(node) if node == broker.config.node_id => {
            let answer = dispatch::answer_here::<R>(broker, R::VERSION, request);
            let answer = tokio::time::timeout(left, answer).await;
            answer.map_err(|_| "no answer in time".to_owned())?.map_err(|e| e.to_string())
        }
        Some(node) => {
            let answer = broker.peers.call(node, R::CHANNEL, R::VERSION, request, left).await;
            answer.map_err(|e| e.to_string())
        }
    }
}
