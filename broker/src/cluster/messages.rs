//! The quorum's messages: out over [`Peers`], in by the API [`QuorumMessageRequest`].

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::QuorumMessageRequest;
use protocol::{ErrorCode, Str};
use quorum::raft::{Call, NoAnswer, Request, Response};

use crate::peers::{Channel, Peers};

/// The only version of the message.
const VERSION: i16 = 0;
/// How long a fetch may wait, its stay at the leader included.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long any other message may wait.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Sends messages to other nodes, each as a task.
pub(crate) struct Messenger {
    pub(crate) node_id: i32,
    pub(crate) cluster_id: Str,
    pub(crate) peers: Arc<Peers>,
    pub(crate) runtime: tokio::runtime::Handle,
}

impl Messenger {
    /// Sends a message; `then` gets the answer, or why there is none.
    pub(crate) fn send(
        &self,
        to: i32,
        request: Request,
        then: impl FnOnce(Result<Response, NoAnswer>) + Send + 'static,
    ) {
        // Votes must not wait behind a fetch that stays at the leader.
        let (channel, timeout) =
            if matches!(request.call, Call::Fetch { .. } | Call::FetchSnapshot { .. }) {
                (Channel::Quorum, FETCH_TIMEOUT)
            } else {
                (Channel::Control, TIMEOUT)
            };
        let message = QuorumMessageRequest {
            cluster_id: self.cluster_id.clone(),
            node_id: self.node_id,
            message: request.to_bytes(),
        };
        let peers = Arc::clone(&self.peers);
        self.runtime.spawn(async move {
            then(exchange(&peers, to, channel, &message, timeout).await);
        });
    }
}

async fn exchange(
    peers: &Peers,
    to: i32,
    channel: Channel,
    message: &QuorumMessageRequest,
    timeout: Duration,
) -> Result<Response, NoAnswer> {
    match peers.call(to, channel, VERSION, message, timeout).await {
        Ok(answer) if answer.error_code == ErrorCode::NONE.0 => {
            if answer.leader_id >= 0 && !answer.leader_host.is_empty() {
                peers.suggest(answer.leader_id, &answer.leader_host, answer.leader_port);
            }
            match Response::from_bytes(&answer.message) {
                Ok(response) => Ok(response),
                Err(error) => {
                    tracing::warn!(node = to, %error, "a quorum message cannot be read");
                    Err(NoAnswer::Silence)
                }
            }
        }
        Ok(answer) => {
            let code = ErrorCode(answer.error_code);
            tracing::warn!(node = to, error = code.message(), "a quorum message was refused");
            Err(NoAnswer::Silence)
        }
        Err(error) => {
            tracing::debug!(node = to, %error, "a quorum message was not answered");
            Err(if error.is_refused() { NoAnswer::Refused } else { NoAnswer::Silence })
        }
    }
}
