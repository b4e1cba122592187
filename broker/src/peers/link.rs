//! One connection to a peer: made on demand, served by a task of its own, made anew after it has ended.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use protocol::{Request, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{MAX_BACKOFF, PeerError, PeerSettings};
use crate::connection::Frames;

/// First pause after a failed attempt to connect; it doubles with each.
const MIN_BACKOFF: Duration = Duration::from_millis(20);
/// Requests that wait to be written; whoever comes then waits.
const QUEUE: usize = 64;

/// A peer's address and the connection to it.
#[derive(Debug)]
pub(super) struct Link {
    host: String,
    port: u16,
    /// Held while a connection is being made, so that one is made for all who ask.
    state: Mutex<State>,
    /// The peer has moved or left: whatever is in flight ends.
    gone: CancellationToken,
    /// There was a connection once.
    has_connected: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<Connection>,
    next_correlation_id: i32,
    failures: u32,
    retry_at: Option<Instant>,
}

/// Where a connection's task takes requests, and what ends it.
#[derive(Debug, Clone)]
struct Connection {
    requests: mpsc::Sender<Outgoing>,
    end: CancellationToken,
}

/// A request on its way to the connection's task.
#[derive(Debug)]
struct Outgoing {
    correlation_id: i32,
    frame: Bytes,
    answer: oneshot::Sender<Bytes>,
}

impl Link {
    pub(super) fn new(host: String, port: u16) -> Self {
        Self {
            host,
            port,
            state: Mutex::default(),
            gone: CancellationToken::new(),
            has_connected: AtomicBool::new(false),
        }
    }

    /// Ends the connection and all calls on it.
    pub(super) fn close(&self) {
        self.gone.cancel();
    }

    pub(super) fn has_connected(&self) -> bool {
        self.has_connected.load(Ordering::Relaxed)
    }

    pub(super) async fn call<R: Request>(
        &self,
        settings: &PeerSettings,
        version: i16,
        request: &R,
        deadline: Instant,
    ) -> Result<R::Response, PeerError> {
        let (answer, answered) = oneshot::channel();
        let connected = timeout_at(deadline, self.connected(settings));
        let (connection, correlation_id) = connected.await.map_err(|_| PeerError::TimedOut)??;
        let client_id = Some(&*settings.client_id);
        let frame = frame::encode_request(correlation_id, client_id, version, request)?;
        let outgoing = Outgoing { correlation_id, frame, answer };
        let sent = timeout_at(deadline, connection.requests.send(outgoing));
        let sent = sent.await.map_err(|_| PeerError::TimedOut)?;
        sent.map_err(|_| PeerError::Closed)?;
        match timeout_at(deadline, answered).await {
            Ok(Ok(frame)) => Ok(frame::decode_response::<R>(frame, version)?.1),
            Ok(Err(_)) => Err(PeerError::Closed),
            Err(_) => {
                connection.end.cancel();
                Err(PeerError::TimedOut)
            }
        }
    }

    /// The connection, made if there is none, and the correlation id for the next request on it.
    async fn connected(&self, settings: &PeerSettings) -> Result<(Connection, i32), PeerError> {
        let state = &mut *self.state.lock().await;
        state.next_correlation_id = state.next_correlation_id.wrapping_add(1);
        let correlation_id = state.next_correlation_id;
        let usable = |c: &&Connection| !c.requests.is_closed() && !c.end.is_cancelled();
        if let Some(connection) = state.connection.as_ref().filter(usable) {
            return Ok((connection.clone(), correlation_id));
        }
        if let Some(at) = state.retry_at {
            tokio::time::sleep_until(at).await;
        }
        // Whatever becomes of this attempt (its caller may give up in the middle), the next one comes later.
        let backoff = MIN_BACKOFF.saturating_mul(1 << state.failures.min(10)).min(MAX_BACKOFF);
        state.retry_at = Some(Instant::now() + backoff);
        state.failures = state.failures.saturating_add(1);
        let stream = self.connect(settings).await.map_err(|source| PeerError::Connect {
            address: format!("{}:{}", self.host, self.port),
            source,
        })?;
        state.failures = 0;
        self.has_connected.store(true, Ordering::Relaxed);
        let (sender, requests) = mpsc::channel(QUEUE);
        let end = self.gone.child_token();
        let connection = Connection { requests: sender, end: end.clone() };
        let max_frame_bytes = settings.max_frame_bytes;
        tokio::spawn(async move {
            let serving = serve(stream, requests, max_frame_bytes);
            end.run_until_cancelled(serving).await;
        });
        state.connection = Some(connection.clone());
        Ok((connection, correlation_id))
    }

    async fn connect(&self, settings: &PeerSettings) -> io::Result<TcpStream> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = tokio::time::timeout(settings.connect_timeout, connecting)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Writes requests and hands answers out until the connection ends or nobody can use it any more.
async fn serve(
    mut stream: TcpStream,
    mut requests: mpsc::Receiver<Outgoing>,
    max_frame_bytes: usize,
) {
    let mut frames = Frames::new(max_frame_bytes);
    let mut output = BytesMut::new();
    let mut pending: HashMap<i32, oneshot::Sender<Bytes>> = HashMap::new();
    loop {
        while let Ok(Some(frame)) = frames.next() {
            let Ok(correlation_id) = frame::response_correlation_id(&frame) else { return };
            // An answer that nobody asked for: the two sides no longer agree on where frames begin.
            let Some(answer) = pending.remove(&correlation_id) else { return };
            // Whoever asked may have given up.
            answer.send(frame).ok();
        }
        if frames.next().is_err() {
            return;
        }
        let (mut reader, mut writer) = stream.split();
        tokio::select! {
            request = requests.recv(), if output.len() < max_frame_bytes => {
                // `None`: the link has dropped this connection; what is pending on it ends with it.
                let Some(request) = request else { return };
                output.extend_from_slice(&request.frame);
                pending.insert(request.correlation_id, request.answer);
            }
            written = writer.write_buf(&mut output), if !output.is_empty() => {
                if written.is_err() {
                    return;
                }
            }
            read = reader.read_buf(frames.space()) => {
                if !matches!(read, Ok(count) if count > 0) {
                    return;
                }
            }
        }
    }
}
