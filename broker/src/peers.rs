//! Requests from this broker to others: fetching as a follower, asking the controller.
//!
//! A peer has one connection a [`Channel`], made when it is first used and kept. A broker answers one connection's
//! requests in order, so what may wait long (a fetch) has a channel of its own. Several requests may be in flight on each;
//! an answer is found by its correlation id.
//!
//! | what goes wrong | what happens |
//! |---|---|
//! | no connection can be made | the call fails; the next one waits a backoff that doubles up to [`MAX_BACKOFF`] |
//! | an answer does not come in time | the connection is closed: what is behind it would wait as well |
//! | a frame is malformed or too long | the connection is closed |
//! | the peer's address changes | its connections are dropped; the next call goes to the new one |

mod link;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use protocol::{DecodeError, EncodeError, Request, Str};
use thiserror::Error;
use tokio::time::Instant;

use link::Link;

/// Longest pause between attempts to connect.
pub(crate) const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Nodes whose addresses are taken from others: there are never so many voters.
const MAX_SUGGESTED: usize = 100;

/// What a connection is for. Channels do not wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Channel {
    /// Short requests: to the controller, between coordinators.
    Control,
    /// Heartbeats: nothing that takes long may make a broker seem dead.
    Heartbeat,
    /// What a node of an older version does not know: it ends the connection.
    Traffic,
    /// Clients' requests that the controller answers: making a thousand partitions takes a while.
    Forwarded,
    /// Metadata log fetches and votes of the quorum.
    Quorum,
    /// The fetches of one of this broker's fetchers, by its number.
    Replication(u16),
}

/// How peers are talked to.
#[derive(Debug, Clone)]
pub(crate) struct PeerSettings {
    /// What this broker calls itself, in requests' headers.
    pub(crate) client_id: Str,
    /// Longest frame that is taken from a peer, in bytes.
    pub(crate) max_frame_bytes: usize,
    /// Longest wait for a connection.
    pub(crate) connect_timeout: Duration,
}

/// Why a peer has not answered.
#[derive(Debug, Error)]
pub(crate) enum PeerError {
    /// The metadata has no address for this node.
    #[error("node {0} is not known")]
    Unknown(i32),
    /// No connection.
    #[error("failed to connect to {address}")]
    Connect {
        /// Host and port.
        address: String,
        #[source]
        source: io::Error,
    },
    /// The connection ended before the answer came: the request may have been executed.
    #[error("the connection to the peer has ended")]
    Closed,
    /// No answer in time: the request may have been executed.
    #[error("the peer has not answered in time")]
    TimedOut,
    /// The answer cannot be read.
    #[error("the peer's answer is malformed")]
    Decode(#[from] DecodeError),
    /// The request cannot be written in this version.
    #[error("the request cannot be written")]
    Encode(#[from] EncodeError),
}

impl PeerError {
    /// Whether nobody listens at the peer's address.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::Connect { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused)
    }
}

/// The other brokers, as far as requests to them go. Shared by all who have something to ask.
#[derive(Debug)]
pub(crate) struct Peers {
    settings: PeerSettings,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    addresses: HashMap<i32, (String, u16)>,
    /// Where others say that nodes are which `addresses` does not have.
    suggested: HashMap<i32, (String, u16)>,
    links: HashMap<(i32, Channel), Arc<Link>>,
}

impl Peers {
    /// Without any address: nobody can be called yet.
    pub(crate) fn new(settings: PeerSettings) -> Self {
        Self { settings, inner: Mutex::default() }
    }

    /// Replaces what is known of the nodes' addresses. Connections to nodes that moved or left are dropped; requests in
    /// flight on them end with [`PeerError::Closed`].
    pub(crate) fn set_addresses(&self, nodes: impl IntoIterator<Item = (i32, String, u16)>) {
        let inner = &mut *self.inner.lock();
        let next: HashMap<_, _> =
            nodes.into_iter().map(|(id, host, port)| (id, (host, port))).collect();
        let old = std::mem::replace(&mut inner.addresses, next);
        inner.suggested.retain(|id, _| !inner.addresses.contains_key(id));
        let (addresses, suggested) = (&inner.addresses, &inner.suggested);
        inner.links.retain(|(id, _), link| {
            let same = suggested.contains_key(id) || addresses.get(id) == old.get(id);
            if !same {
                link.close();
            }
            same
        });
    }

    /// Where a node is.
    pub(crate) fn address(&self, node: i32) -> Option<(String, u16)> {
        let inner = self.inner.lock();
        inner.addresses.get(&node).or_else(|| inner.suggested.get(&node)).cloned()
    }

    /// Another node says where this one is: better than nothing, until the metadata says it.
    pub(crate) fn suggest(&self, node: i32, host: &str, port: u16) {
        let inner = &mut *self.inner.lock();
        let known = inner.addresses.contains_key(&node);
        let room = inner.suggested.len() < MAX_SUGGESTED || inner.suggested.contains_key(&node);
        let address = (host.to_owned(), port);
        if known || !room || inner.suggested.get(&node) == Some(&address) {
            return;
        }
        inner.suggested.insert(node, address);
        inner.links.retain(|(id, _), link| {
            if *id == node {
                link.close();
            }
            *id != node
        });
    }

    /// Sends a request and waits for its answer, at most `timeout` in all. `version` is the request's.
    ///
    /// # Errors
    /// [`PeerError`]. After [`PeerError::Closed`] and [`PeerError::TimedOut`] the peer may have executed it.
    pub(crate) async fn call<R: Request>(
        &self,
        node: i32,
        channel: Channel,
        version: i16,
        request: &R,
        timeout: Duration,
    ) -> Result<R::Response, PeerError> {
        let link = self.link(node, channel)?;
        let deadline = Instant::now() + timeout;
        link.call(&self.settings, version, request, deadline).await
    }

    /// Whether there has been a connection to the node at the address that it has now.
    pub(crate) fn has_reached(&self, node: i32) -> bool {
        let inner = self.inner.lock();
        inner.links.iter().any(|((id, _), link)| *id == node && link.has_connected())
    }

    fn link(&self, node: i32, channel: Channel) -> Result<Arc<Link>, PeerError> {
        let inner = &mut *self.inner.lock();
        let known = inner.addresses.get(&node).or_else(|| inner.suggested.get(&node));
        let (host, port) = known.ok_or(PeerError::Unknown(node))?;
        let link = inner
            .links
            .entry((node, channel))
            .or_insert_with(|| Arc::new(Link::new(host.clone(), *port)));
        Ok(Arc::clone(link))
    }
}

#[cfg(test)]
mod tests;
