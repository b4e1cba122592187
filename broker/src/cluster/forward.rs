//! Clients' administrative requests reach the active controller through whichever broker they were sent to (KIP-590):
//! the frame travels in an Envelope as it came, and the answer back as it was made.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use protocol::messages::{EnvelopeRequest, EnvelopeResponse};
use protocol::{ErrorCode, Segment, frame};
use tokio::time::Instant;

use crate::connection::CloseReason;
use crate::context::{Broker, RequestContext};
use crate::dispatch;
use crate::peers::Channel;

const VERSION: i16 = 0;
/// How long a request waits for an active controller; then it is answered here, which says that there is none.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Pause before another attempt.
const BACKOFF: Duration = Duration::from_millis(50);

/// Has the active controller answer a frame (without its length).
pub(crate) async fn forward(
    broker: &Arc<Broker>,
    ctx: &RequestContext,
    frame: Bytes,
) -> Result<Vec<Segment>, CloseReason> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let leader = broker.quorum.leader().node_id;
        let late = Instant::now() >= deadline;
        if late || leader == Some(broker.config.node_id) {
            return dispatch::answer_frame_here(broker, ctx.peer, frame).await;
        }
        if let Some(node) = leader {
            match ask(broker, ctx, node, frame.clone(), deadline).await {
                Asked::Answered(segments) => return Ok(segments),
                // It would be refused again and again. Here it is refused for its own reason.
                Asked::Refused => {
                    return dispatch::answer_frame_here(broker, ctx.peer, frame).await;
                }
                Asked::Elsewhere => {}
            }
        }
        tokio::time::sleep(BACKOFF).await;
    }
}

/// What became of one attempt.
enum Asked {
    Answered(Vec<Segment>),
    /// The controller cannot read it, or cannot say what it has to say.
    Refused,
    /// Another node may be the active controller by now.
    Elsewhere,
}

async fn ask(
    broker: &Broker,
    ctx: &RequestContext,
    node: i32,
    request_data: Bytes,
    deadline: Instant,
) -> Asked {
    let address = match ctx.peer.ip() {
        std::net::IpAddr::V4(ip) => Bytes::copy_from_slice(&ip.octets()),
        std::net::IpAddr::V6(ip) => Bytes::copy_from_slice(&ip.octets()),
    };
    let envelope =
        EnvelopeRequest { request_data, request_principal: None, client_host_address: address };
    let left = deadline.saturating_duration_since(Instant::now());
    let answer = broker.peers.call(node, Channel::Forwarded, VERSION, &envelope, left).await;
    match answer {
        Ok(EnvelopeResponse { error_code: 0, response_data: Some(data) }) => match framed(data) {
            Some(segment) => Asked::Answered(vec![segment]),
            None => Asked::Refused,
        },
        Ok(refused) if refused.error_code == ErrorCode::INVALID_REQUEST.0 => Asked::Refused,
        Ok(_) => Asked::Elsewhere,
        Err(error) => {
            tracing::debug!(node, %error, "a forwarded request was not answered");
            Asked::Elsewhere
        }
    }
}

/// A response with its length in front.
fn framed(data: Bytes) -> Option<Segment> {
    let mut framed = BytesMut::with_capacity(frame::LENGTH_BYTES + data.len());
    framed.put_i32(i32::try_from(data.len()).ok()?);
    framed.put(data);
    Some(Segment::Bytes(framed.freeze()))
}
