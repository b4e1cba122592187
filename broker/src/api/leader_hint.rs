//! Where a client that asked the wrong broker should have asked (KIP-951): it need not ask for metadata first.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::ErrorCode;
use quorum::MetadataImage;
use quorum::image::{BrokerImage, PartitionImage};

/// First versions that carry addresses.
pub(super) const PRODUCE_VERSION: i16 = 10;
pub(super) const FETCH_VERSION: i16 = 16;

/// Whether `code` says that the client knows the wrong leader.
pub(super) fn helps(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH)
}

/// The leaders that a response names, with their addresses, each once.
#[derive(Debug, Default)]
pub(super) struct Hints {
    nodes: BTreeMap<i32, Arc<BrokerImage>>,
}

impl Hints {
    /// Leader and epoch of a partition; `None` when it has no leader that could be asked.
    pub(super) fn leader(
        &mut self,
        image: &MetadataImage,
        partition: Option<&PartitionImage>,
    ) -> Option<(i32, i32)> {
        let partition = partition?;
        let broker = image.broker(partition.leader)?;
        self.nodes.entry(broker.id).or_insert_with(|| Arc::clone(broker));
        Some((partition.leader, partition.leader_epoch))
    }

    /// Brokers named so far.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &BrokerImage> {
        self.nodes.values().map(|broker| &**broker)
    }
}
