//! [`Images`]: the committed image, and the frames that are not committed yet.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::image::{ApplyError, MetadataImage};
use crate::log::Frame;
use crate::record::MetadataRecord;

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

    /// Where brokers are, as far as is written here, committed or not.
    pub(super) fn addresses(&self) -> BTreeMap<i32, (String, u16)> {
        let known = self.committed.brokers();
        let mut addresses: BTreeMap<i32, (String, u16)> =
            known.map(|broker| (broker.id, (broker.host.to_string(), broker.port))).collect();
        for record in self.tail.iter().flat_map(Frame::records) {
            if let MetadataRecord::RegisterBroker(broker) = record {
                addresses.insert(broker.broker_id, (broker.host.clone(), broker.port));
            }
        }
        addresses
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
