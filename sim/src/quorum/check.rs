//! [`Checker`]: what must never happen.

use std::collections::{BTreeMap, BTreeSet};

use quorum::node::QuorumNode;

use super::client::has_note;
use crate::metadata_check::MetadataChecker;

/// What the run has shown so far.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    /// One history for all.
    pub(crate) metadata: MetadataChecker,
    /// Numbers that clients know to be written, with the epoch in which they were told.
    pub(crate) acknowledged: BTreeMap<u64, i32>,
    /// Epochs whose leader has begun to answer.
    active: BTreeSet<i32>,
}

impl Checker {
    /// A node may answer: when it is the first time in its epoch, it has everything that was answered in epochs before. (It
    /// may have been replaced already without knowing it: then the newer leader's answers are not its concern.)
    pub(crate) fn answers(&mut self, node: &QuorumNode) -> Result<(), String> {
        if self.active.insert(node.epoch()) { self.has_all(node, node.epoch()) } else { Ok(()) }
    }

    /// A node has everything that was answered before an epoch.
    pub(crate) fn has_all(&self, node: &QuorumNode, epoch: i32) -> Result<(), String> {
        let mut before = self.acknowledged.iter().filter(|(_, of)| **of < epoch);
        match before.find(|(number, _)| !has_note(node.image(), **number)) {
            None => Ok(()),
            Some((number, _)) => Err(format!("{number} was acknowledged and is not there")),
        }
    }

    /// A node has everything with a number below `bound` that was answered.
    pub(crate) fn has_all_before(&self, node: &QuorumNode, bound: u64) -> Result<(), String> {
        match self.acknowledged.range(..bound).find(|of| !has_note(node.image(), *of.0)) {
            None => Ok(()),
            Some((number, _)) => Err(format!("{number} was acknowledged and is not there")),
        }
    }

    /// What a leader has just answered is with every newer leader, too.
    pub(crate) fn is_with_all<'a>(
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
