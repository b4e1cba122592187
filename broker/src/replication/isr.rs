use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use protocol::Uuid;
use quorum::MetadataImage;
use replica::{IsrOutcome, IsrProposal};
use tokio_util::sync::CancellationToken;

use super::ReplicationSettings;
use crate::context::{Clock, ImageCell};
use crate::partition::{Partition, Partitions};

/// Pause after proposals without effect: the controller, or the metadata, is on its way.
const BACKOFF: Duration = Duration::from_millis(50);
/// Longest and shortest time between looks at who lags.
const MAX_PERIOD: Duration = Duration::from_secs(5);
const MIN_PERIOD: Duration = Duration::from_millis(50);

/// One partition's proposal.
#[derive(Debug, Clone)]
pub(crate) struct PartitionProposal {
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
    pub(crate) proposal: IsrProposal,
}

/// Who decides about in-sync replicas: the controller, by AlterPartition (KIP-497).
pub(crate) trait IsrChanges: Send + Sync + Debug {
    /// Asks for changes and waits for the outcomes, one for each proposal in order; what has no outcome (no answer, no
    /// controller) is [`IsrOutcome::Unknown`]. -1 as a broker epoch in a proposal stands for "not known"; this broker's own is
    /// for the implementation to fill in.
    fn alter_partitions(&self, proposals: Vec<PartitionProposal>)
    -> BoxFuture<'_, Vec<IsrOutcome>>;
}

/// Looks who lags, and who has caught up, by the clock and when a follower's fetch says so.
#[derive(Debug)]
pub(super) struct IsrManager {
    pub(super) partitions: Arc<Partitions>,
    pub(super) image: Arc<ImageCell>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) changes: Arc<dyn IsrChanges>,
    pub(super) settings: ReplicationSettings,
}

impl IsrManager {
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let period = (self.settings.max_lag / 2).clamp(MIN_PERIOD, MAX_PERIOD);
        let mut all = true;
        loop {
            let (undecided, sent) = self.propose(all).await;
            if all || sent {
                self.partitions.count_under_replicated();
            }
            let pause = async {
                if undecided {
                    tokio::time::sleep(BACKOFF).await;
                }
            };
            tokio::select! {
                () = pause, if undecided => all = true,
                () = self.partitions.isr_wanted().notified(), if !undecided => all = false,
                // What came up while the last batch was under way.
                () = tokio::task::yield_now(), if sent && !undecided => all = false,
                () = tokio::time::sleep(period) => all = true,
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// One batch of proposals: of all partitions, or of those whose followers have caught up. Returns whether one of them was
    /// not decided, and whether there was any.
    async fn propose(&self, all: bool) -> (bool, bool) {
        let image = self.image.load();
        let now_ms = self.clock.monotonic_ms() as i64;
        let mut proposed: Vec<(Arc<Partition>, PartitionProposal)> = Vec::new();
        for partition in self.partitions.view().online() {
            if !(all || partition.wants_isr_change()) {
                continue;
            }
            let eligible = |id: i32, epoch: i64| is_eligible(&image, id, epoch);
            if let Some(proposal) = partition.propose(now_ms, eligible) {
                let (topic_id, index) = (partition.topic_id, partition.index);
                let proposal = PartitionProposal { topic_id, partition: index, proposal };
                proposed.push((Arc::clone(partition), proposal));
            }
        }
        if proposed.is_empty() {
            return (false, false);
        }
        let proposals = proposed.iter().map(|(_, proposal)| proposal.clone()).collect();
        let outcomes = self.changes.alter_partitions(proposals).await;
        let now_ms = self.clock.monotonic_ms() as i64;
        let missing = std::iter::repeat(IsrOutcome::Unknown);
        let mut undecided = false;
        for ((partition, of), outcome) in proposed.iter().zip(outcomes.into_iter().chain(missing)) {
            undecided |= !matches!(outcome, IsrOutcome::Decided { .. });
            let wanted: BTreeMap<_, _> = of.proposal.isr.iter().copied().collect();
            tracing::info!(%partition, ?wanted, ?outcome, "proposed other in-sync replicas");
            partition.isr_answered(&of.proposal, outcome, now_ms);
        }
        (undecided, true)
    }
}

/// Whether the metadata lets a node join the in-sync replicas under the broker epoch that it fetches under (KIP-903).
fn is_eligible(image: &MetadataImage, id: i32, epoch: i64) -> bool {
    image.broker(id).is_some_and(|b| b.is_active() && (epoch < 0 || epoch == b.epoch))
}
