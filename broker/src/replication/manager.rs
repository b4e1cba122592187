use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ReplicationSettings;
use super::fetcher::Fetcher;
use super::isr::{IsrChanges, IsrManager};
use crate::config::Configs;
use crate::context::{BrokerEpoch, Clock, ImageCell};
use crate::partition::{Partition, Partitions};
use crate::peers::Peers;

/// What replication works with.
#[derive(Debug, Clone)]
pub(crate) struct Replication {
    pub(crate) node_id: i32,
    pub(crate) partitions: Arc<Partitions>,
    pub(crate) image: Arc<ImageCell>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) epoch: Arc<BrokerEpoch>,
    pub(crate) configs: Arc<Configs>,
    pub(crate) settings: ReplicationSettings,
    pub(crate) changes: Arc<dyn IsrChanges>,
}

/// Fetchers from one leader that are made at most, whatever is configured.
const MAX_FETCHERS: u64 = 1_000;

/// The partitions that one fetcher is to fetch, as of now.
pub(super) type Feed = watch::Sender<Arc<[Arc<Partition>]>>;

/// A leader broker, and which of the fetchers from it.
type Source = (i32, u16);

impl Replication {
    /// Starts the manager of fetchers and that of in-sync replicas; both end with `shutdown`.
    pub(crate) fn start(self, tasks: &TaskTracker, shutdown: &CancellationToken) {
        let isr = IsrManager {
            partitions: Arc::clone(&self.partitions),
            image: Arc::clone(&self.image),
            clock: Arc::clone(&self.clock),
            changes: Arc::clone(&self.changes),
            settings: self.settings,
        };
        tasks.spawn(isr.run(shutdown.clone()));
        tasks.spawn(self.run(tasks.clone(), shutdown.clone()));
    }

    async fn run(self, tasks: TaskTracker, shutdown: CancellationToken) {
        let mut fetchers: HashMap<Source, Feed> = HashMap::new();
        let mut changes = self.partitions.changes();
        loop {
            changes.mark_unchanged();
            // Registered before the image is looked at: one that comes in between is not missed.
            let mut published = std::pin::pin!(self.image.published());
            published.as_mut().enable();
            let mut wanted = self.wanted();
            // A fetcher whose feed is dropped ends.
            fetchers.retain(|source, _| wanted.contains_key(source));
            for (source, partitions) in wanted.drain() {
                let partitions: Arc<[_]> = partitions.into();
                if let Some(feed) = fetchers.get(&source) {
                    feed.send_if_modified(|fed| {
                        let same = fed.len() == partitions.len()
                            && fed.iter().zip(&*partitions).all(|(a, b)| Arc::ptr_eq(a, b));
                        *fed = partitions;
                        !same
                    });
                } else {
                    let (feed, fed) = watch::channel(partitions);
                    let fetcher = Fetcher::new(self.clone(), source, fed);
                    let shutdown = shutdown.clone();
                    tasks.spawn(async move {
                        shutdown.run_until_cancelled(fetcher.run()).await;
                    });
                    fetchers.insert(source, feed);
                }
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = published => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// `num.replica.fetchers`, which may change while the broker runs.
    fn fetchers(&self) -> u64 {
        let configured = self.configs.broker(&self.image.load(), "num.replica.fetchers");
        configured.and_then(|text| text.parse().ok()).unwrap_or(1).clamp(1, MAX_FETCHERS)
    }

    fn wanted(&self) -> HashMap<Source, Vec<Arc<Partition>>> {
        let mut wanted: HashMap<Source, Vec<_>> = HashMap::new();
        let fetchers = self.fetchers();
        for partition in self.partitions.view().online() {
            if let Some(leader) = partition.follows() {
                let mut hasher = DefaultHasher::new();
                (&*partition.topic, partition.index).hash(&mut hasher);
                let number = hasher.finish() % fetchers;
                wanted.entry((leader, number as u16)).or_default().push(Arc::clone(partition));
            }
        }
        for partitions in wanted.values_mut() {
            // The view's own order is not the same from image to image.
            partitions.sort_unstable_by_key(|p| (p.topic_id, p.index));
        }
        wanted
    }
}
