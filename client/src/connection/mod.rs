//! One connection to one broker: pipelined requests, answers matched by correlation id.
//!
//! A connection has one task, which writes what is queued and reads what comes. When anything goes wrong (a frame
//! too long, an answer that nobody waits for, an answer that does not come in time) the connection is closed and
//! every waiting caller gets the reason; whoever uses connections makes a new one.

mod call;
mod io;
mod versions;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use protocol::{ApiKey, Segment};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use call::CallError;
pub(crate) use versions::Versions;

/// Requests that may wait for the socket of one connection; callers beyond wait before they queue.
const WRITE_QUEUE_REQUESTS: usize = 64;

/// What a connection needs to know.
#[derive(Debug, Clone)]
pub struct ConnectionConfig {
    /// The client's name for itself.
    pub client_id: String,
    /// Longest wait for the TCP connection and for its first answer.
    pub connect_timeout: Duration,
    /// Longest wait for an answer.
    pub request_timeout: Duration,
    /// Longest answer, in bytes.
    pub max_response_bytes: usize,
}

/// A connection to a broker. Clones share it; it closes when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Connection {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Vec<Segment>>,
    versions: Arc<Versions>,
    _open: Arc<DropGuard>,
}

#[derive(Debug)]
struct Shared {
    address: String,
    config: ConnectionConfig,
    correlation: AtomicI32,
    waiting: Mutex<Waiting>,
    closed: CancellationToken,
}

/// Callers that wait for answers; `Err` once the connection is closed.
#[derive(Debug)]
struct Waiting {
    answers: HashMap<i32, oneshot::Sender<Bytes>>,
    closed_because: Option<String>,
}

impl Shared {
    /// Ends the connection; the first reason stays.
    fn close(&self, reason: &str) {
        let mut waiting = self.waiting.lock();
        if waiting.closed_because.is_none() {
            waiting.closed_because = Some(reason.to_owned());
        }
        waiting.answers.clear();
        self.closed.cancel();
    }

    fn disconnected(&self) -> CallError {
        let reason = self.waiting.lock().closed_because.clone();
        CallError::Disconnected {
            address: self.address.clone(),
            reason: reason.unwrap_or_else(|| "closed".to_owned()),
        }
    }
}

impl Connection {
    /// Connects to `host:port` and agrees on versions.
    pub async fn open(address: &str, config: ConnectionConfig) -> Result<Self, CallError> {
        let limit = config.connect_timeout;
        match tokio::time::timeout(limit, Self::open_now(address, config)).await {
            Ok(result) => result,
            Err(_) => Err(CallError::Connect {
                address: address.to_owned(),
                reason: format!("no answer within {} ms", limit.as_millis()),
            }),
        }
    }

    async fn open_now(address: &str, config: ConnectionConfig) -> Result<Self, CallError> {
        let failed = |e: std::io::Error| CallError::Connect {
            address: address.to_owned(),
            reason: e.to_string(),
        };
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let closed = CancellationToken::new();
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            config,
            correlation: AtomicI32::new(0),
            waiting: Mutex::new(Waiting { answers: HashMap::new(), closed_because: None }),
            closed: closed.clone(),
        });
        let (queue, requests) = mpsc::channel(WRITE_QUEUE_REQUESTS);
        tokio::spawn(io::run(stream, Arc::clone(&shared), requests));
        let mut connection = Self {
            shared,
            queue,
            versions: Arc::new(Versions::first_contact()),
            _open: Arc::new(closed.drop_guard()),
        };
        connection.versions = Arc::new(versions::agree(&connection).await?);
        Ok(connection)
    }

    /// Whether it can take no more requests.
    pub fn is_closed(&self) -> bool {
        self.shared.closed.is_cancelled()
    }

    /// `host:port` it was opened with.
    pub fn address(&self) -> &str {
        &self.shared.address
    }

    /// The highest version of an API that both sides speak, if there is one.
    pub fn version(&self, key: ApiKey) -> Option<i16> {
        self.versions.highest(key, i16::MAX)
    }

    fn next_correlation(&self) -> i32 {
        self.shared.correlation.fetch_add(1, Ordering::Relaxed) & i32::MAX
    }
}
