//! [`Coordinator`]: the groups of a partition of `__consumer_offsets`, as its leader keeps them.

use std::collections::BTreeSet;

use groups::record::{self, Entry};
use groups::{Cell, Now, Replay, Shard};
use protocol::records::Batch;
use protocol::{Str, Uuid};

use super::message::Key;

/// Group, topic and partition, offset.
pub(super) type Offset = (usize, Key, i64);

/// What a coordinator knows under one leadership. A new one loads what its predecessors wrote before it serves.
#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) epoch: i32,
    pub(super) loaded: bool,
    /// Who waits: address in the network, and request.
    pub(super) shard: Shard<(usize, u64)>,
    requests: u64,
    /// Every offset that was loaded, for the checks.
    seen: BTreeSet<Offset>,
}

/// A group's id.
pub(super) fn group_name(group: usize) -> Str {
    Str::from(format!("g{group}"))
}

impl Coordinator {
    pub(super) fn new(epoch: i32) -> Self {
        let (shard, seen) = (Shard::default(), BTreeSet::new());
        Self { epoch, loaded: false, shard, requests: 0, seen }
    }

    /// Takes what is in the log, as `broker::group::load` does. What comes later is newer.
    pub(super) fn load(&mut self, batches: &[Batch], now: Now) -> Result<(), String> {
        let mut replay = Replay::default();
        for batch in batches {
            for record in batch.records().into_iter().flatten().flatten() {
                let Some(key) = &record.key else { continue };
                let entry = record::decode(key, record.value.as_ref(), record.offset);
                let entry = entry.map_err(|e| format!("a record of a group: {e}"))?;
                if let Entry::Offset { group, partition, committed: Some(committed), .. } = &entry
                    && let Some(group) = group.strip_prefix('g').and_then(|n| n.parse().ok())
                {
                    let key = (committed.topic_id, *partition);
                    self.seen.insert((group, key, committed.offset));
                }
                replay.apply(entry);
            }
        }
        self.shard = replay.finish(now);
        self.loaded = true;
        Ok(())
    }

    /// The next request's id.
    pub(super) fn request(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    pub(super) fn cell(&mut self, group: usize) -> Option<&mut Cell> {
        self.shard.cells.get_mut(&group_name(group))
    }

    /// Whether an offset was among what was loaded.
    pub(super) fn has_seen(&self, offset: &Offset) -> bool {
        self.seen.contains(offset)
    }

    /// What is committed for a partition of the topic that has this name and id now; -1: nothing. Without an id (a mistake on
    /// purpose) it is for whatever has the name.
    pub(super) fn offset(&self, group: usize, topic: (&str, Option<&Uuid>), index: i32) -> i64 {
        let cell = self.shard.cells.get(&group_name(group));
        let committed = cell.and_then(|cell| cell.offsets.get(topic.0, index));
        committed.filter(|of| of.is_of(topic.1)).map_or(-1, |committed| committed.offset)
    }
}
