//! Which connection to use: brokers, leaders and coordinators as the cluster's metadata names them, and trying
//! again when they move.

mod coordinator;
mod metadata;
mod offsets;
mod pool;
mod retry;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use protocol::Request;

use crate::{Admin, ClientConfig, ClientError, Connection};
pub(crate) use metadata::Snapshot;
pub use metadata::{Node, PartitionMetadata, TopicMetadata};
pub(crate) use pool::Lane;
use pool::Pool;
pub(crate) use retry::Retry;

/// A client of one cluster. Clones share connections and metadata.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: ClientConfig,
    pool: Pool,
    snapshot: RwLock<Arc<Snapshot>>,
    /// One refresh at a time: those who wait for it need none of their own.
    refreshing: tokio::sync::Mutex<()>,
    /// Somebody is looking up an old topic.
    background_refresh: AtomicBool,
    lanes: AtomicU64,
}

impl Client {
    /// A client that has not yet tried to connect.
    pub fn new(config: ClientConfig) -> Self {
        let pool = Pool::new(&config);
        Self {
            shared: Arc::new(Shared {
                config,
                pool,
                snapshot: RwLock::default(),
                refreshing: tokio::sync::Mutex::new(()),
                background_refresh: AtomicBool::new(false),
                lanes: AtomicU64::new(1),
            }),
        }
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &ClientConfig {
        &self.shared.config
    }

    /// Topics, configs, offsets, groups.
    pub fn admin(&self) -> Admin {
        Admin::new(self.clone())
    }

    /// A set of connections of its own, for requests that may wait long at the broker (an answer that waits
    /// blocks the answers behind it).
    pub(crate) fn new_lane(&self) -> Lane {
        Lane(self.shared.lanes.fetch_add(1, Ordering::Relaxed))
    }

    /// Closes the connections of a lane that is not used any more.
    pub(crate) fn close_lane(&self, lane: Lane) {
        self.shared.pool.close_lane(lane);
    }

    /// A connection to a broker of the cluster.
    pub(crate) async fn connection(
        &self,
        node: i32,
        lane: Lane,
    ) -> Result<Connection, ClientError> {
        let address = self.snapshot().node_address(node);
        let address = address.ok_or(ClientError::UnknownBroker(node))?;
        Ok(self.shared.pool.get(&address, lane).await?)
    }

    /// A connection to whichever broker answers: known ones first, then the bootstrap addresses.
    pub(crate) async fn any_connection(&self) -> Result<Connection, ClientError> {
        self.shared.config.validate()?;
        let mut addresses = self.snapshot().node_addresses();
        fastrand::shuffle(&mut addresses);
        for address in &self.shared.config.bootstrap {
            if !addresses.contains(address) {
                addresses.push(address.clone());
            }
        }
        let mut last = None;
        // An open connection is better than a new one.
        addresses.sort_by_key(|a| !self.shared.pool.is_open(a, Lane::SHARED));
        for address in &addresses {
            match self.shared.pool.get(address, Lane::SHARED).await {
                Ok(connection) => return Ok(connection),
                Err(e) => last = Some(e),
            }
        }
        match last {
            Some(last) => {
                Err(ClientError::NoBroker { tried: addresses.join(", "), last: Box::new(last) })
            }
            None => Err(ClientError::Incomplete("any address")),
        }
    }

    /// One try of a request at any broker.
    pub(crate) async fn call_any<R: Request>(
        &self,
        request: &R,
    ) -> Result<R::Response, ClientError> {
        Ok(self.any_connection().await?.call(request).await?)
    }

    /// One try of a request at one broker.
    pub(crate) async fn call_node<R: Request>(
        &self,
        node: i32,
        lane: Lane,
        request: &R,
        max_version: i16,
    ) -> Result<R::Response, ClientError> {
        let timeout = self.shared.config.request_timeout();
        self.call_node_within(node, lane, request, max_version, timeout).await
    }

    /// One try with a time limit of the caller's, for requests that wait at the broker.
    pub(crate) async fn call_node_within<R: Request>(
        &self,
        node: i32,
        lane: Lane,
        request: &R,
        max_version: i16,
        timeout: Duration,
    ) -> Result<R::Response, ClientError> {
        let connection = self.connection(node, lane).await?;
        Ok(connection.call_up_to(request, max_version, timeout).await?)
    }
}
