//! A listener that speaks TLS with whatever certificate there is now.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Material;

/// Longest time for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections whose handshake is done and that nobody has taken up yet.
const MAX_WAITING: usize = 16;
/// Pause after a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A certificate cannot be served with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServingError {
    /// The PEM does not read.
    #[error("failed to read the certificate or its key")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// They do not fit together.
    #[error("failed to serve with the certificate")]
    Tls(#[from] rustls::Error),
}

/// What is served with, shared by the listener and whoever renews it.
#[derive(Clone, Default)]
pub(crate) struct Serving(Arc<Mutex<Option<(Material, TlsAcceptor)>>>);

impl Serving {
    /// Serves with this from the next connection on; the same again changes nothing.
    pub(crate) fn set(&self, material: Material) -> Result<(), ServingError> {
        if self.lock().as_ref().is_some_and(|(now, _)| *now == material) {
            return Ok(());
        }
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(material.certificate.as_bytes()).collect();
        let key = PrivateKeyDer::from_pem_slice(material.key.as_bytes())?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates?, key)?;
        tracing::info!(not_after = %material.not_after, "serving the webhook with a certificate");
        *self.lock() = Some((material, TlsAcceptor::from(Arc::new(config))));
        Ok(())
    }

    /// Whether there is a certificate.
    pub(crate) fn is_set(&self) -> bool {
        self.lock().is_some()
    }

    fn acceptor(&self) -> Option<TlsAcceptor> {
        self.lock().as_ref().map(|(_, acceptor)| acceptor.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Material, TlsAcceptor)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections; a slow handshake holds nobody else up.
pub(crate) struct TlsListener {
    local: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    /// Opens the port. Connections are refused until there is a certificate.
    pub(crate) async fn bind(address: SocketAddr, serving: Serving) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(MAX_WAITING);
        tokio::spawn(accept(listener, serving, sender));
        Ok(Self { local, ready })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.local
    }
}

async fn accept(
    listener: TcpListener,
    serving: Serving,
    ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    loop {
        let accepted = tokio::select! {
            () = ready.closed() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(acceptor) = serving.acceptor() else { continue };
        let ready = ready.clone();
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    // Nobody listens any more: the operator stops.
                    let _ = ready.send((stream, peer)).await;
                }
                Ok(Err(error)) => tracing::debug!(%peer, %error, "a handshake failed"),
                Err(_) => tracing::debug!(%peer, "a handshake took too long"),
            }
        });
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The other end is dropped only with this one.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.local)
    }
}
