//! What every handler may use.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;
use protocol::Str;
use quorum::MetadataImage;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::api::fetch::Sessions;
use crate::broker_config::BrokerConfig;
use crate::cluster::{Lifecycle, QuorumHandle, Roles};
use crate::config::Configs;
use crate::controller::ControllerHandle;
use crate::group::GroupCoordinator;
use crate::metrics::Metrics;
use crate::partition::Partitions;
use crate::peers::Peers;
use crate::producer_ids::ProducerIds;

/// A broker's parts. Handlers share it; each part locks for itself, and none is held while another is taken.
#[derive(Debug)]
pub struct Broker {
    pub(crate) config: BrokerConfig,
    /// Kafka's configs as they hold for this broker and its topics.
    pub(crate) configs: Arc<Configs>,
    pub(crate) cluster_id: Str,
    /// What this node is to the cluster.
    pub(crate) roles: Roles,
    pub(crate) image: Arc<ImageCell>,
    pub(crate) partitions: Arc<Partitions>,
    pub(crate) quorum: QuorumHandle,
    pub(crate) controller: ControllerHandle,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) peers: Arc<Peers>,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) groups: GroupCoordinator,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    /// The epoch of this process's registration.
    pub(crate) broker_epoch: Arc<BrokerEpoch>,
    /// What followers fetch from here.
    pub(crate) sessions: Sessions,
    /// Consumers are sent to replicas in their rack (KIP-392).
    pub(crate) reads_near: bool,
}

impl Broker {
    /// The metadata as of now. A handler takes it once, so that it sees one state throughout.
    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        self.image.load()
    }
}

impl Broker {
    /// The broker that clients send to what the controller decides; -1 while there is no controller. Where that is none of the
    /// brokers, any of them passes it on.
    pub(crate) fn controller_for_clients(&self) -> i32 {
        match self.quorum.leader().node_id {
            None => -1,
            Some(id) if self.image().broker(id).is_some() => id,
            Some(_) => self.config.node_id,
        }
    }
}

/// The epoch under which this process is registered: -1 until it is.
#[derive(Debug)]
pub(crate) struct BrokerEpoch(AtomicI64);

impl BrokerEpoch {
    pub(crate) fn unregistered() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(-1)))
    }

    pub(crate) fn load(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }

    /// Registered, or registered anew.
    pub(crate) fn set(&self, epoch: i64) {
        self.0.store(epoch, Ordering::Release);
    }
}

/// The newest published image.
#[derive(Debug, Default)]
pub(crate) struct ImageCell {
    image: RwLock<Arc<MetadataImage>>,
    /// Whether this broker's partitions are as the image says.
    opened: AtomicBool,
    published: Notify,
}

impl ImageCell {
    pub(crate) fn load(&self) -> Arc<MetadataImage> {
        Arc::clone(&self.image.read())
    }

    /// Shows an image. `opened`: this broker's partitions are as it says.
    pub(crate) fn publish(&self, image: Arc<MetadataImage>, opened: bool) {
        *self.image.write() = image;
        self.opened.store(opened, Ordering::Release);
        self.published.notify_waiters();
    }

    /// Over when an image is published after this call.
    pub(crate) fn published(&self) -> Notified<'_> {
        self.published.notified()
    }

    /// Waits for an image.
    pub(crate) async fn wait_for(&self, fits: impl Fn(&MetadataImage) -> bool) {
        loop {
            let published = self.published();
            if fits(&self.image.read()) {
                return;
            }
            published.await;
        }
    }

    /// Waits for an image, and for this broker's partitions to be as it says.
    pub(crate) async fn wait_for_opened(&self, fits: impl Fn(&MetadataImage) -> bool) {
        let opened = |image: &MetadataImage| self.opened.load(Ordering::Acquire) && fits(image);
        self.wait_for(opened).await;
    }
}

/// One request, apart from its message.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    pub(crate) peer: SocketAddr,
    pub(crate) client_id: Option<Str>,
    pub(crate) correlation_id: i32,
    pub(crate) api_version: i16,
}

/// Time comes in here, so that the simulation can bring its own.
pub(crate) trait Clock: Send + Sync + std::fmt::Debug {
    /// Milliseconds since 1970; may jump.
    fn now_ms(&self) -> i64;
    /// Milliseconds since some fixed moment; never goes back. For timeouts.
    fn monotonic_ms(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug)]
pub(crate) struct SystemClock(Instant);

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        // A clock before 1970 is a clock that was never set.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.elapsed().as_millis() as u64
    }
}
