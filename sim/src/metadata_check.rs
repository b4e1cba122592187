//! [`MetadataChecker`]: metadata is one history, whoever tells it.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorum::MetadataImage;
use quorum::node::QuorumNode;

/// What the nodes of a quorum have shown so far.
#[derive(Debug, Default)]
pub(crate) struct MetadataChecker {
    /// The leader of every epoch.
    pub(crate) leaders: BTreeMap<i32, i32>,
    /// The image at every offset that anybody took for committed.
    images: BTreeMap<u64, Arc<MetadataImage>>,
    /// End, epoch and bytes of every frame that anybody took for committed, by its first offset.
    frames: BTreeMap<u64, (u64, i32, bytes::Bytes)>,
}

impl MetadataChecker {
    /// The newest image that anybody took for committed.
    pub(crate) fn newest(&self) -> Option<&Arc<MetadataImage>> {
        self.images.last_key_value().map(|(_, image)| image)
    }

    /// Somebody says who leads.
    pub(crate) fn leads(&mut self, leader: i32, epoch: i32) -> Result<(), String> {
        match *self.leaders.entry(epoch).or_insert(leader) {
            known if known == leader => Ok(()),
            known => Err(format!("epoch {epoch} has two leaders, {known} and {leader}")),
        }
    }

    /// A node publishes an image; `before` is the offset of the one before it.
    pub(crate) fn published(
        &mut self,
        node: &QuorumNode,
        image: &Arc<MetadataImage>,
        before: u64,
    ) -> Result<(), String> {
        let offset = image.offset();
        if offset <= before {
            return Err(format!("committed offset went from {before} to {offset}"));
        }
        match self.images.get(&offset) {
            None => {
                self.images.insert(offset, Arc::clone(image));
            }
            Some(known) if known == image => {}
            Some(_) => return Err(format!("two committed images at offset {offset}")),
        }
        self.frames_agree(node, before.max(node.log().start_offset()), offset)
    }

    /// The frames that a node took for committed are those that others did.
    fn frames_agree(&mut self, node: &QuorumNode, from: u64, to: u64) -> Result<(), String> {
        let mut at = from;
        while at < to {
            let frames = node.log().frames(at, 4096).map_err(|e| e.to_string())?;
            if frames.is_empty() {
                return Ok(()); // a snapshot has them
            }
            for frame in frames.into_iter().filter(|frame| frame.end_offset() <= to) {
                at = frame.end_offset();
                let found = (frame.end_offset(), frame.epoch(), frame.payload().clone());
                let known = self.frames.entry(frame.first_offset()).or_insert(found.clone());
                if *known != found {
                    let first = frame.first_offset();
                    return Err(format!("two committed frames at {first}: {known:?}, {found:?}"));
                }
            }
        }
        Ok(())
    }
}
