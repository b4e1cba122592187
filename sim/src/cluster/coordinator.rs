//! [`Coordinator`]: the groups' offsets, as the leader of their partition keeps them.

use std::collections::{BTreeMap, BTreeSet};

use protocol::records::Batch;

/// What a coordinator knows under one leadership. Offsets are written as records, applied when they are committed, and only
/// then answered; a new coordinator loads what its predecessors wrote before it serves.
#[derive(Debug, Default)]
pub(super) struct Coordinator {
    pub(super) epoch: i32,
    pub(super) loaded: bool,
    offsets: BTreeMap<usize, i64>,
    /// Everything that was loaded, for the checks.
    seen: BTreeSet<(usize, i64)>,
}

impl Coordinator {
    pub(super) fn new(epoch: i32) -> Self {
        Self { epoch, ..Self::default() }
    }

    /// Takes what is in the log. What comes later is newer.
    pub(super) fn load(&mut self, batches: &[Batch]) {
        for batch in batches {
            for record in batch.records().into_iter().flatten().flatten() {
                let text = |bytes: Option<bytes::Bytes>| {
                    String::from_utf8_lossy(&bytes.unwrap_or_default()).parse::<i64>().ok()
                };
                if let (Some(group), Some(offset)) = (text(record.key), text(record.value)) {
                    self.offsets.insert(group as usize, offset);
                    self.seen.insert((group as usize, offset));
                }
            }
        }
        self.loaded = true;
    }

    pub(super) fn committed(&mut self, group: usize, offset: i64) {
        self.offsets.insert(group, offset);
    }

    /// Whether an offset was among what was loaded.
    pub(super) fn has_seen(&self, group: usize, offset: i64) -> bool {
        self.seen.contains(&(group, offset))
    }

    /// -1: none.
    pub(super) fn offset(&self, group: usize) -> i64 {
        self.offsets.get(&group).copied().unwrap_or(-1)
    }
}
