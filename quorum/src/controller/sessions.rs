//! When each broker was last heard of. Kept in memory by the active controller only: a new one gives everybody a whole
//! session.

use std::collections::BTreeMap;

use crate::image::MetadataImage;

/// Last contact of each broker.
#[derive(Debug, Clone)]
pub(super) struct Sessions {
    timeout_ms: u64,
    last_contact_ms: BTreeMap<i32, u64>,
}

impl Sessions {
    /// `broker.session.timeout.ms`.
    pub(super) fn new(timeout_ms: u64) -> Self {
        Self { timeout_ms, last_contact_ms: BTreeMap::new() }
    }

    /// Forgets everybody: another controller has been active meanwhile.
    pub(super) fn clear(&mut self) {
        self.last_contact_ms.clear();
    }

    pub(super) fn touch(&mut self, broker: i32, now_ms: u64) {
        let last = self.last_contact_ms.entry(broker).or_default();
        *last = now_ms.max(*last);
    }

    pub(super) fn forget(&mut self, broker: i32) {
        self.last_contact_ms.remove(&broker);
    }

    /// Whether its session goes on; a broker that was not heard of yet has had no chance to be.
    pub(super) fn is_alive(&self, broker: i32, now_ms: u64) -> bool {
        let last = self.last_contact_ms.get(&broker);
        last.is_none_or(|last| now_ms.saturating_sub(*last) < self.timeout_ms)
    }

    /// Unfenced brokers whose session is over. Those that were not heard of yet get a session from now on.
    pub(super) fn expired(&mut self, image: &MetadataImage, now_ms: u64) -> Vec<i32> {
        let mut expired = Vec::new();
        for broker in image.brokers().filter(|broker| !broker.fenced) {
            self.last_contact_ms.entry(broker.id).or_insert(now_ms);
            if !self.is_alive(broker.id, now_ms) {
                expired.push(broker.id);
            }
        }
        expired
    }
}
