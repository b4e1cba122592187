//! What the engine knows of the log: where frames begin and of which epoch they are. [`LogView`], [`VoterHistory`].

use std::collections::VecDeque;

use super::voters::VoterSet;
use crate::log::{Frame, SnapshotId};
use crate::record::MetadataRecord;

/// The frames' places, without their content.
#[derive(Debug, Clone, Default)]
pub struct LogView {
    /// First offset that is in the log.
    start: u64,
    snapshot: SnapshotId,
    /// First offset and epoch of every frame.
    frames: VecDeque<(u64, i32)>,
    end: u64,
}

impl LogView {
    /// A log that begins at `start`, with the first offsets and epochs of its frames.
    pub fn new(
        start: u64,
        snapshot: SnapshotId,
        frames: impl IntoIterator<Item = (u64, i32)>,
        end: u64,
    ) -> Self {
        Self { start, snapshot, frames: frames.into_iter().collect(), end }
    }

    /// Offset of the next record.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The newest snapshot; offset 0 when there is none.
    pub fn snapshot(&self) -> SnapshotId {
        self.snapshot
    }

    /// Epoch of the last frame, or of the snapshot.
    pub fn last_epoch(&self) -> i32 {
        self.frames.back().map_or(self.snapshot.epoch, |(_, epoch)| *epoch)
    }

    /// Epoch of the frame before the first one; `None` when that is not known any more.
    fn start_epoch(&self) -> Option<i32> {
        match self.start {
            0 => Some(0),
            start if start == self.snapshot.offset => Some(self.snapshot.epoch),
            _ => None,
        }
    }

    /// Epoch of the frame that ends at `offset`; `None` when no frame does, or it is not known any more.
    pub(super) fn epoch_before(&self, offset: u64) -> Option<i32> {
        if offset == self.end && !self.frames.is_empty() {
            return Some(self.last_epoch());
        }
        if offset == self.start {
            return self.start_epoch();
        }
        let index = self.frames.binary_search_by_key(&offset, |(first, _)| *first).ok()?;
        self.frames.get(index.checked_sub(1)?).map(|(_, epoch)| *epoch)
    }

    /// Whether frames from `offset` on are all here, and what is before them is known.
    pub(super) fn reaches_back_to(&self, offset: u64) -> bool {
        offset > self.start || (offset == self.start && self.start_epoch().is_some())
    }

    /// The last epoch that is not above `epoch`, and the offset after its last frame; `None` when that is before the
    /// beginning of the log.
    pub(super) fn end_of(&self, epoch: i32) -> Option<(i32, u64)> {
        let after = self.frames.partition_point(|(_, of)| *of <= epoch);
        let end = self.frames.get(after).map_or(self.end, |(first, _)| *first);
        match after.checked_sub(1).and_then(|index| self.frames.get(index)) {
            Some((_, of)) => Some((*of, end)),
            None => self.start_epoch().filter(|of| *of <= epoch).map(|of| (of, self.start)),
        }
    }

    /// The last offset not above `offset` at which a frame ends.
    pub(super) fn boundary(&self, offset: u64) -> u64 {
        if offset >= self.end {
            return self.end;
        }
        let after = self.frames.partition_point(|(first, _)| *first <= offset);
        let frame = after.checked_sub(1).and_then(|index| self.frames.get(index));
        frame.map_or(self.start, |(first, _)| *first)
    }

    pub(super) fn push(&mut self, epoch: i32, end: u64) {
        self.frames.push_back((self.end, epoch));
        self.end = end;
    }

    pub(super) fn truncate(&mut self, offset: u64) {
        while self.frames.pop_back_if(|(first, _)| *first >= offset).is_some() {}
        self.end = self.end.min(offset);
    }

    pub(super) fn compacted(&mut self, start: u64, snapshot: SnapshotId) {
        while self.frames.pop_front_if(|(first, _)| *first < start).is_some() {}
        self.start = start;
        self.snapshot = snapshot;
    }

    pub(super) fn reset(&mut self, snapshot: SnapshotId) {
        *self = Self::new(snapshot.offset, snapshot, [], snapshot.offset);
    }
}

/// The voters at every offset: those of the newest record count, committed or not (KIP-853).
#[derive(Debug, Clone, Default)]
pub struct VoterHistory {
    base: VoterSet,
    /// Whether `base` comes from the log, and not from the configuration.
    base_in_log: bool,
    changes: Vec<(u64, VoterSet)>,
}

impl VoterHistory {
    /// The voters at the beginning of the log: of the snapshot, or else of the configuration.
    pub fn new(snapshot: Option<VoterSet>, configured: VoterSet) -> Self {
        let base_in_log = snapshot.is_some();
        Self { base: snapshot.unwrap_or(configured), base_in_log, changes: Vec::new() }
    }

    /// The voters now.
    pub fn current(&self) -> &VoterSet {
        self.changes.last().map_or(&self.base, |(_, set)| set)
    }

    /// Offset of the record that named them.
    pub(super) fn changed_at(&self) -> Option<u64> {
        self.changes.last().map(|(offset, _)| *offset)
    }

    /// What the records before `offset` name; `None` when they name none.
    pub(crate) fn before(&self, offset: u64) -> Option<&VoterSet> {
        let newest = self.changes.iter().rev().find(|(at, _)| *at < offset);
        newest.map(|(_, set)| set).or_else(|| self.base_in_log.then_some(&self.base))
    }

    /// Whether the log names the voters.
    pub(super) fn in_log(&self) -> bool {
        self.base_in_log || !self.changes.is_empty()
    }

    /// Takes note of the voters that a frame at the end of the log names.
    pub(crate) fn take(&mut self, frame: &Frame) {
        for (record, offset) in frame.records().iter().zip(frame.first_offset()..) {
            if let MetadataRecord::Voters { voters } = record {
                self.changes.push((offset, VoterSet::new(voters.iter().copied())));
            }
        }
    }

    pub(super) fn truncate(&mut self, offset: u64) {
        while self.changes.pop_if(|(at, _)| *at >= offset).is_some() {}
    }

    pub(super) fn compacted(&mut self, start: u64) {
        let older = self.changes.partition_point(|(at, _)| *at < start);
        if let Some((_, set)) = self.changes.drain(..older).next_back() {
            self.base = set;
            self.base_in_log = true;
        }
    }

    pub(super) fn reset(&mut self, snapshot: Option<VoterSet>) {
        self.changes.clear();
        if let Some(set) = snapshot {
            self.base = set;
            self.base_in_log = true;
        }
    }
}
