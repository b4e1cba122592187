//! Which frames a log has, and those that it keeps in memory.

use std::collections::VecDeque;

use super::Frame;

/// Bytes of the newest frames that are kept in memory for followers: they are a few frames behind as a rule.
const RECENT_BYTES: usize = 2 * 1024 * 1024;

/// Where a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Offset of its first record.
    pub first_offset: u64,
    /// Its epoch.
    pub epoch: i32,
    /// Its first byte in the file.
    pub(super) at: u64,
}

/// The newest frames.
#[derive(Debug, Default)]
pub(super) struct Recent {
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Recent {
    /// Adds a frame; what is not on disk yet (from `durable_offset` on) is never dropped.
    pub(super) fn push(&mut self, frame: Frame, durable_offset: u64) {
        self.bytes += frame.payload().len();
        self.frames.push_back(frame);
        while self.bytes > RECENT_BYTES {
            match self.frames.front() {
                Some(oldest) if oldest.end_offset() <= durable_offset => {
                    self.bytes -= oldest.payload().len();
                    self.frames.pop_front();
                }
                _ => break,
            }
        }
    }

    /// Forgets the frames from an offset on.
    pub(super) fn truncate(&mut self, offset: u64) {
        while let Some(frame) = self.frames.pop_back_if(|frame| frame.end_offset() > offset) {
            self.bytes -= frame.payload().len();
        }
    }

    /// The frames from the one that begins at `offset`; `None` when it is not here.
    pub(super) fn from(&self, offset: u64) -> Option<impl Iterator<Item = &Frame>> {
        let index = self.frames.binary_search_by_key(&offset, Frame::first_offset).ok()?;
        Some(self.frames.range(index..))
    }
}
