//! Accepts connections and gives each a task.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{self, CloseReason, Limits, Service};
use crate::metrics::Metrics;

/// Connections that are served at once; a further one waits in the kernel's queue.
const MAX_CONNECTIONS: usize = 100_000;

/// Pause after an accept that failed for want of descriptors or memory: trying at once again would only burn CPU.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Why the listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process has the port.
    #[error("port {} on {} is in use: stop the process that has it, or choose another port", addr.port(), addr.ip())]
    InUse {
        /// Where we wanted to listen.
        addr: SocketAddr,
    },
    /// Ports below 1024 need a privilege; or the address is not one of this machine's.
    #[error("failed to listen on {addr}")]
    Other {
        /// Where we wanted to listen.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Opens a listening socket.
pub(crate) async fn bind(addr: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(addr).await.map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => ListenError::InUse { addr },
        _ => ListenError::Other { addr, source },
    })
}

/// Accepts until `shutdown`; connections run in `tasks`.
pub(crate) async fn accept<S: Service>(
    listener: TcpListener,
    service: Arc<S>,
    limits: Limits,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            }
        };
        let (service, metrics, shutdown) =
            (Arc::clone(&service), Arc::clone(&metrics), shutdown.clone());
        tasks.spawn(async move {
            metrics.connections.inc();
            let reason = run(stream, peer, &service, limits, &shutdown).await;
            metrics.connections.dec();
            log_end(peer, &reason);
            drop(slot);
        });
    }
}

async fn run<S: Service>(
    stream: TcpStream,
    peer: SocketAddr,
    service: &Arc<S>,
    limits: Limits,
    shutdown: &CancellationToken,
) -> CloseReason {
    // Responses are whole when they are written: waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        return CloseReason::Io(error);
    }
    connection::serve(stream, peer, service, limits, shutdown).await
}

/// Clients come and go; only what a person may want to look into is above debug level.
fn log_end(peer: SocketAddr, reason: &CloseReason) {
    match reason {
        CloseReason::FrameLength { .. }
        | CloseReason::Malformed(_)
        | CloseReason::NotServed { .. } => tracing::info!(%peer, "closed a connection: {reason}"),
        CloseReason::Response(_) => tracing::error!(%peer, "closed a connection: {reason}"),
        _ => tracing::debug!(%peer, "connection ended: {reason}"),
    }
}
