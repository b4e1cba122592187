//! [`Images`]: the committed image, and the frames that are not committed yet.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::image::{ApplyError, MetadataImage};
use crate::log::Frame;

/// The committed image and what may come to be in it.
#[derive(Debug)]
pub(super) struct Images {
    committed: Arc<MetadataImage>,
    tail: VecDeque<Frame>,
}

impl Images {
    pub(super) fn new(committed: MetadataImage, tail: Vec<Frame>) -> Self {
        Self { committed: Arc::new(committed), tail: tail.into() }
    }

    pub(super) fn committed(&self) -> &Arc<MetadataImage> {
        &self.committed
    }

    pub(super) fn push(&mut self, frame: Frame) {
        self.tail.push_back(frame);
    }

    pub(super) fn truncate(&mut self, offset: u64) {
        while self.tail.pop_back_if(|frame| frame.end_offset() > offset).is_some() {}
    }

    pub(super) fn reset(&mut self, committed: MetadataImage) {
        *self = Self::new(committed, Vec::new());
    }

    /// Everything before `offset` is committed. `newest`, when it is the image at just that offset, saves applying the
    /// frames again. Whether the committed image has changed.
    ///
    /// # Errors
    /// Records contradict the image; with the offset of their frame.
    pub(super) fn commit(
        &mut self,
        offset: u64,
        newest: Option<&Arc<MetadataImage>>,
    ) -> Result<bool, (u64, ApplyError)> {
        if offset <= self.committed.offset() {
            return Ok(false);
        }
        let ready = newest.filter(|image| image.offset() == offset).cloned();
        let mut image = (*self.committed).clone();
        while let Some(frame) = self.tail.pop_front_if(|frame| frame.end_offset() <= offset) {
            if ready.is_none() {
                for record in frame.records() {
                    image.apply(record).map_err(|e| (frame.first_offset(), e))?;
                }
            }
        }
        self.committed = ready.unwrap_or_else(|| Arc::new(image));
        Ok(true)
    }
}
