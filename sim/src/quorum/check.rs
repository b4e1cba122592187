//! [`Checker`]: what must never happen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorum::MetadataImage;
use quorum::node::QuorumNode;

use super::client::has_note;

/// What the run has shown so far.
#[derive(Debug, Default)]
pub(super) struct Checker {
    /// Numbers that clients know to be written, with the epoch in which they were told.
    pub(super) acknowledged: BTreeMap<u64, i32>,
    /// The leader of every epoch.
    pub(super) leaders: BTreeMap<i32, i32>,
    /// Epochs whose leader has begun to answer.
    active: BTreeSet<i32>,
    /// The image at every offset that anybody took for committed.
    images: BTreeMap<u64, Arc<MetadataImage>>,
    /// End, epoch and bytes of every frame that anybody took for committed, by its first offset.
    frames: BTreeMap<u64, (u64, i32, bytes::Bytes)>,
}

impl Checker {
    /// Somebody says who leads.
    pub(super) fn leads(&mut self, leader: i32, epoch: i32) -> Result<(), String> {
        match *self.leaders.entry(epoch).or_insert(leader) {
            known if known == leader => Ok(()),
            known => Err(format!("epoch {epoch} has two leaders, {known} and {leader}")),
        }
    }

    /// A node publishes an image; `before` is the offset of the one before it.
    pub(super) fn published(
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

    /// A node may answer: when it is the first time in its epoch, it has everything that was answered in epochs before. (It
    /// may have been replaced already without knowing it: then the newer leader's answers are not its concern.)
    pub(super) fn answers(&mut self, node: &QuorumNode) -> Result<(), String> {
        if self.active.insert(node.epoch()) { self.has_all(node, node.epoch()) } else { Ok(()) }
    }

    /// A node has everything that was answered before an epoch.
    pub(super) fn has_all(&self, node: &QuorumNode, epoch: i32) -> Result<(), String> {
        let mut before = self.acknowledged.iter().filter(|(_, of)| **of < epoch);
        match before.find(|(number, _)| !has_note(node.image(), **number)) {
            None => Ok(()),
            Some((number, _)) => Err(format!("{number} was acknowledged and is not there")),
        }
    }

    /// What a leader has just answered is with every newer leader, too.
    pub(super) fn is_with_all<'a>(
        &self,
        mut newer: impl Iterator<Item = &'a QuorumNode>,
        number: u64,
    ) -> Result<(), String> {
        match newer.find(|node| !has_note(node.image(), number)) {
            None => Ok(()),
            Some(node) => {
                Err(format!("{number} is acknowledged, but not by the leader of {}", node.epoch()))
            }
        }
    }
}
