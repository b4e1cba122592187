//! All groups of one partition of `__consumer_offsets`.

use std::collections::{BTreeSet, HashMap};

use protocol::messages::GroupMetadataValue;
use protocol::{EncodeError, Str};
use tokio::sync::oneshot;

use super::machine::{Group, JoinAnswer, Now, RequestId, State, SyncAnswer};
use super::offsets::{Expiry, Offsets, Subscribed};
use super::record::{self, Entry, KeyValue};
use super::subscription::subscribed_topics;

/// Groups that one partition may hold: bounds what an endless stream of invented group ids costs.
const MAX_GROUPS: usize = 200_000;

/// Groups, and the requests that wait in them.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) cells: HashMap<Str, Cell>,
    pub(super) waiting: HashMap<RequestId, Waiter>,
}

/// A group with its offsets.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) group: Group,
    pub(super) offsets: Offsets,
    /// Commits that are being written: the group must not be forgotten meanwhile.
    pub(super) commits_in_flight: usize,
    /// The deadline that the timer knows of.
    pub(super) wake_at: Option<u64>,
}

/// Who waits for an answer.
#[derive(Debug)]
pub(super) enum Waiter {
    Join(oneshot::Sender<JoinAnswer>),
    Sync(oneshot::Sender<SyncAnswer>),
}

impl Cell {
    fn new(group: Group) -> Self {
        Self { group, offsets: Offsets::default(), commits_in_flight: 0, wake_at: None }
    }

    /// A group that nothing would be lost of.
    fn is_idle(&self) -> bool {
        self.group.state() == State::Empty
            && self.group.next_deadline().is_none()
            && self.commits_in_flight == 0
    }

    fn expired(&self, now: Now, retention_ms: i64) -> Vec<(Str, i32)> {
        let topics: Option<BTreeSet<Str>>;
        let (subscribed, empty_since_ms) = match self.group.state() {
            State::Empty if self.group.protocol_type().is_some() => {
                (Subscribed::None, Some(self.group.state_since_ms()))
            }
            State::Empty => (Subscribed::None, None),
            State::Stable => {
                topics = subscribed_topics(&self.group);
                (topics.as_ref().map_or(Subscribed::All, Subscribed::Topics), None)
            }
            _ => return Vec::new(),
        };
        let now_ms = now.wall_ms;
        self.offsets.expired(Expiry { now_ms, retention_ms, empty_since_ms, subscribed })
    }
}

impl Shard {
    /// A group, made when it is new; `None` when there are too many.
    pub(super) fn get_or_create(&mut self, id: &Str, now: Now) -> Option<&mut Cell> {
        if !self.cells.contains_key(id) {
            if self.cells.len() >= MAX_GROUPS {
                return None;
            }
            let id = Str::copy(id);
            self.cells.insert(id.clone(), Cell::new(Group::new(id, now)));
        }
        self.cells.get_mut(id)
    }

    /// Forgets offsets that have expired and groups of which nothing is left; gives the tombstones to write.
    pub(super) fn sweep(
        &mut self,
        now: Now,
        retention_ms: i64,
    ) -> Result<Vec<KeyValue>, EncodeError> {
        let mut tombstones = Vec::new();
        for (id, cell) in &mut self.cells {
            for (topic, partition) in cell.expired(now, retention_ms) {
                cell.offsets.remove(&topic, partition);
                tombstones.push(record::offset_record(id, &topic, partition, None)?);
            }
        }
        let dead: Vec<Str> = self
            .cells
            .iter()
            .filter(|(_, cell)| cell.is_idle() && cell.offsets.is_empty())
            .map(|(id, _)| id.clone())
            .collect();
        for id in dead {
            tombstones.push(record::group_tombstone(&id)?);
            self.remove(&id, now);
        }
        Ok(tombstones)
    }

    /// Forgets the offsets of topics that were deleted; gives the tombstones to write.
    pub(super) fn forget_topics(&mut self, topics: &[Str]) -> Result<Vec<KeyValue>, EncodeError> {
        let mut tombstones = Vec::new();
        for (id, cell) in &mut self.cells {
            for (topic, partition) in cell.offsets.partitions() {
                if topics.contains(&topic) {
                    cell.offsets.remove(&topic, partition);
                    tombstones.push(record::offset_record(id, &topic, partition, None)?);
                }
            }
        }
        Ok(tombstones)
    }

    /// What must be written before a group with its offsets may be forgotten.
    pub(super) fn tombstones(&self, id: &str) -> Result<Vec<KeyValue>, EncodeError> {
        let Some(cell) = self.cells.get(id) else { return Ok(Vec::new()) };
        let mut tombstones = Vec::new();
        for (topic, partition) in cell.offsets.partitions() {
            tombstones.push(record::offset_record(cell.group.id(), &topic, partition, None)?);
        }
        tombstones.push(record::group_tombstone(cell.group.id())?);
        Ok(tombstones)
    }

    /// Forgets a group.
    pub(super) fn remove(&mut self, id: &str, now: Now) {
        if let Some(mut cell) = self.cells.remove(id) {
            cell.group.kill(now);
        }
    }
}

/// A shard while its partition is read.
#[derive(Debug, Default)]
pub(super) struct Replay {
    offsets: HashMap<Str, Offsets>,
    groups: HashMap<Str, GroupMetadataValue>,
}

impl Replay {
    /// Takes the next record.
    pub(super) fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Offset { group, topic, partition, committed: Some(committed) } => {
                self.offsets.entry(group).or_default().put(&topic, partition, committed);
            }
            Entry::Offset { group, topic, partition, committed: None } => {
                if let Some(offsets) = self.offsets.get_mut(&group) {
                    offsets.remove(&topic, partition);
                }
            }
            Entry::Group { group, value: Some(value) } => {
                self.groups.insert(group, value);
            }
            Entry::Group { group, value: None } => {
                self.groups.remove(&group);
            }
            Entry::Other(_) => {}
        }
    }

    /// All records have been taken.
    pub(super) fn finish(self, now: Now) -> Shard {
        let mut shard = Shard::default();
        for (id, value) in self.groups {
            let group = restore(id.clone(), &value, now);
            shard.cells.insert(id, Cell::new(group));
        }
        for (id, offsets) in self.offsets.into_iter().filter(|(_, offsets)| !offsets.is_empty()) {
            let cell =
                shard.cells.entry(id.clone()).or_insert_with(|| Cell::new(Group::new(id, now)));
            cell.offsets = offsets;
        }
        shard
    }
}

fn restore(id: Str, value: &GroupMetadataValue, now: Now) -> Group {
    let protocol = value.protocol.as_deref().map(Str::copy);
    let members =
        value.members.iter().map(|m| record::restore_member(m, protocol.as_ref())).collect();
    let protocol_type = Some(Str::copy(&value.protocol_type)).filter(|t| !t.is_empty());
    let since = match value.current_state_timestamp {
        -1 => now.wall_ms,
        since => since,
    };
    let leader = value.leader.as_deref().map(Str::copy);
    Group::restore(id, value.generation, (protocol_type, protocol), leader, members, since, now)
}
