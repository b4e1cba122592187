//! The quorum's messages: out over [`Peers`], in by the API [`QuorumMessageRequest`].

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::QuorumMessageRequest;
use protocol::{ErrorCode, Str};
use quorum::raft::{Call, Request, Response};

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
    /// Sends a message; `then` gets the answer, or `None` when there is none.
    pub(crate) fn send(
        &self,
        to: i32,
        request: Request,
        then: impl FnOnce(Option<Response>) + Send + 'static,
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
) -> Option<Response> {
    match peers.call(to, channel, VERSION, message, timeout).await {
        Ok(answer) if answer.error_code == ErrorCode::NONE.0 => {
            if answer.leader_id >= 0 && !answer.leader_host.is_empty() {
                peers.suggest(answer.leader_id, &answer.leader_host, answer.leader_port);
            }
            match Response::from_bytes(&answer.message) {
                Ok(response) => Some(response),
                Err(error) => {
                    tracing::warn!(node = to, %error, "a quorum message cannot be read");
                    None
                }
            }
        }
        Ok(answer) => {
            let code = ErrorCode(answer.error_code);
            tracing::warn!(node = to, error = code.message(), "a quorum message was refused");
            None
        }
        Err(error) => {
            tracing::debug!(node = to, %error, "a quorum message was not answered");
            None
        }
    }
}
