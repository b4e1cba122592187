//! What a service says to a frame.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use protocol::{DecodeError, EncodeError, Segment};

/// The encoded response, or why the connection must end instead.
pub(crate) type ReplyFuture =
    Pin<Box<dyn Future<Output = Result<Vec<Segment>, CloseReason>> + Send>>;

/// What handles the frames of connections.
pub(crate) trait Service: Send + Sync + 'static {
    /// Handles one request frame (without its length). Must not block.
    fn call(self: &Arc<Self>, peer: SocketAddr, frame: Bytes) -> Reply;
}

/// The answer to one frame.
pub(crate) enum Reply {
    /// Answered.
    Now(Vec<Segment>),
    /// No answer is due (produce with acks=0).
    Nothing,
    /// Answered later; the frames behind it may be handled meanwhile.
    Later(ReplyFuture),
    /// Answered later; the frames behind it wait until then.
    Exclusive(ReplyFuture),
    /// The connection must end.
    Close(CloseReason),
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Nothing => "Nothing",
            Self::Later(_) => "Later",
            Self::Exclusive(_) => "Exclusive",
            Self::Close(_) => "Close",
        })
    }
}

/// A reply that has not left yet.
pub(super) enum Pending {
    Ready(Vec<Segment>),
    Waiting(ReplyFuture),
    Exclusive(ReplyFuture),
}

impl Pending {
    /// True for a produce that waits for its commit.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting(_))
    }

    pub(super) fn is_exclusive(&self) -> bool {
        matches!(self, Self::Exclusive(_))
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CloseReason {
    /// The client closed it.
    #[error("closed by the client")]
    ByClient,
    /// Nothing was sent for `connections.max.idle.ms`.
    #[error("idle for too long")]
    Idle,
    /// The broker is stopping.
    #[error("the broker is stopping")]
    Shutdown,
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Io(#[from] std::io::Error),
    /// The length in front of a frame is negative or above `socket.request.max.bytes`.
    #[error("a frame of {len} bytes is refused, the limit is {max} (socket.request.max.bytes)")]
    FrameLength {
        /// As sent.
        len: i32,
        /// The limit.
        max: usize,
    },
    /// The frame is not a request that we can read.
    #[error("a request that cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    /// No such API here, or not in this version.
    #[error("API {api_key} version {api_version} is not served")]
    NotServed {
        /// As sent.
        api_key: i16,
        /// As sent.
        api_version: i16,
    },
    /// The response could not be encoded, which is a bug of ours.
    #[error("a response that cannot be encoded: {0}")]
    Response(#[from] EncodeError),
    /// A produce with acks=0 failed: closing is the only way to tell.
    #[error("a produce request with acks=0 failed with {0}")]
    UnacknowledgedProduce(&'static str),
}
