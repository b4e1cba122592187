//! All groups of one partition of `__consumer_offsets`.

use std::collections::{BTreeSet, HashMap};

use protocol::messages::GroupMetadataValue;
use protocol::records::{Batch, RecordsError};
use protocol::{DecodeError, EncodeError, Str, Uuid};
use thiserror::Error;

use crate::machine::{Group, Now, RequestId, State};
use crate::offsets::{Expiry, Offsets, Subscribed};
use crate::record::{self, Entry, KeyValue};
use crate::subscription::subscribed_topics;

/// Groups that one partition may hold: bounds what an endless stream of invented group ids costs.
const MAX_GROUPS: usize = 200_000;

/// Groups, and the requests that wait in them: `W` is how the owner answers one.
#[derive(Debug)]
pub struct Shard<W> {
    /// By id.
    pub cells: HashMap<Str, Cell>,
    /// Requests that no [`crate::Effect`] has answered yet.
    pub waiting: HashMap<RequestId, W>,
}

/// A group with its offsets.
#[derive(Debug)]
pub struct Cell {
    /// Its members and generation.
    pub group: Group,
    /// What it has committed.
    pub offsets: Offsets,
    /// Commits that are being written: the group must not be forgotten meanwhile.
    pub commits_in_flight: usize,
    /// The deadline that the timer knows of.
    pub wake_at: Option<u64>,
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

impl<W> Default for Shard<W> {
    fn default() -> Self {
        Self { cells: HashMap::new(), waiting: HashMap::new() }
    }
}

impl<W> Shard<W> {
    /// A group, made when it is new; `None` when there are too many.
    pub fn get_or_create(&mut self, id: &Str, now: Now) -> Option<&mut Cell> {
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
    ///
    /// # Errors
    /// When a tombstone cannot be written in Kafka's format.
    pub fn sweep(&mut self, now: Now, retention_ms: i64) -> Result<Vec<KeyValue>, EncodeError> {
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

    /// Forgets the offsets of topics that were deleted, given by name and id; gives the tombstones to write. What was committed
    /// for another topic of the same name stays.
    ///
    /// # Errors
    /// As [`Shard::sweep`].
    pub fn forget_topics(&mut self, topics: &[(Str, Uuid)]) -> Result<Vec<KeyValue>, EncodeError> {
        let mut tombstones = Vec::new();
        for (id, cell) in &mut self.cells {
            for (topic, partition) in cell.offsets.partitions() {
                let known = cell.offsets.get(&topic, partition);
                let mut deleted = topics.iter().filter(|(name, _)| *name == topic);
                if deleted.any(|(_, id)| known.is_some_and(|known| known.is_of(Some(id)))) {
                    cell.offsets.remove(&topic, partition);
                    tombstones.push(record::offset_record(id, &topic, partition, None)?);
                }
            }
        }
        Ok(tombstones)
    }

    /// What must be written before a group with its offsets may be forgotten.
    ///
    /// # Errors
    /// As [`Shard::sweep`].
    pub fn tombstones(&self, id: &str) -> Result<Vec<KeyValue>, EncodeError> {
        let Some(cell) = self.cells.get(id) else { return Ok(Vec::new()) };
        let mut tombstones = Vec::new();
        for (topic, partition) in cell.offsets.partitions() {
            tombstones.push(record::offset_record(cell.group.id(), &topic, partition, None)?);
        }
        tombstones.push(record::group_tombstone(cell.group.id())?);
        Ok(tombstones)
    }

    /// Forgets a group.
    pub fn remove(&mut self, id: &str, now: Now) {
        if let Some(mut cell) = self.cells.remove(id) {
            cell.group.kill(now);
        }
    }
}

/// A shard while its partition is read.
#[derive(Debug, Default)]
pub struct Replay {
    offsets: HashMap<Str, Offsets>,
    groups: HashMap<Str, GroupMetadataValue>,
}

/// Why a partition's records cannot be read back.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// A batch is damaged.
    #[error("{0}")]
    Batch(#[from] RecordsError),
    /// A record is not what Kafka writes there.
    #[error("record at offset {offset}: {source}")]
    Record {
        /// Where.
        offset: i64,
        /// Why.
        source: DecodeError,
    },
}

impl Replay {
    /// Takes the next batch.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn batch(&mut self, batch: &Batch) -> Result<(), ReplayError> {
        if batch.header().is_control() {
            return Ok(());
        }
        for record in batch.records()? {
            let record = record?;
            let Some(key) = &record.key else { continue };
            let entry = record::decode(key, record.value.as_ref(), record.offset)
                .map_err(|source| ReplayError::Record { offset: record.offset, source })?;
            self.apply(entry);
        }
        Ok(())
    }

    /// Takes the next record.
    pub fn apply(&mut self, entry: Entry) {
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
    pub fn finish<W>(self, now: Now) -> Shard<W> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offsets::CommittedOffset;

    const RETENTION_MS: i64 = 1000;

    fn at(wall_ms: i64) -> Now {
        Now { monotonic_ms: 0, wall_ms }
    }

    fn committed(offset: i64) -> CommittedOffset {
        CommittedOffset {
            offset,
            leader_epoch: -1,
            metadata: Str::EMPTY,
            commit_ms: 0,
            expire_ms: None,
            log_offset: offset,
            topic_id: Uuid::ZERO,
        }
    }

    fn offset(group: &str, topic: &str, offset: Option<i64>) -> Entry {
        let (group, topic) = (Str::copy(group), Str::copy(topic));
        Entry::Offset { group, topic, partition: 0, committed: offset.map(committed) }
    }

    fn group(id: &str, members: &[&str], since_ms: i64) -> Entry {
        use protocol::messages::group_metadata_value::MemberMetadata;
        let member = |id: &&str| MemberMetadata { member_id: Str::copy(id), ..Default::default() };
        let value = GroupMetadataValue {
            protocol_type: "consumer".into(),
            protocol: Some("range".into()),
            generation: 3,
            current_state_timestamp: since_ms,
            members: members.iter().map(member).collect(),
            ..Default::default()
        };
        Entry::Group { group: Str::copy(id), value: Some(value) }
    }

    fn replay(entries: Vec<Entry>) -> Shard<()> {
        let mut replay = Replay::default();
        entries.into_iter().for_each(|entry| replay.apply(entry));
        replay.finish(at(0))
    }

    /// Keys of tombstones, as (group, topic); no topic: the group itself.
    fn tombstones(records: Vec<KeyValue>) -> Vec<(String, Option<String>)> {
        let read = |(key, value): KeyValue| {
            assert_eq!(value, None);
            match record::decode(&key, None, 0).unwrap() {
                Entry::Offset { group, topic, .. } => (group.to_string(), Some(topic.to_string())),
                Entry::Group { group, .. } => (group.to_string(), None),
                Entry::Other(kind) => panic!("record of kind {kind}"),
            }
        };
        let mut keys: Vec<_> = records.into_iter().map(read).collect();
        keys.sort();
        keys
    }

    #[test]
    fn the_last_record_of_a_key_counts() {
        let gone = Entry::Group { group: "gone".into(), value: None };
        let shard = replay(vec![
            offset("g", "t", Some(1)),
            offset("g", "t", Some(2)),
            offset("g", "u", Some(3)),
            offset("g", "u", None),
            group("g", &["m"], 5),
            group("gone", &[], 5),
            offset("gone", "t", Some(1)),
            offset("gone", "t", None),
            gone,
        ]);
        assert_eq!(shard.cells.len(), 1);
        let cell = &shard.cells["g"];
        assert_eq!(cell.offsets.get("t", 0).unwrap().offset, 2);
        assert_eq!(cell.offsets.get("u", 0), None);
        assert_eq!((cell.group.state(), cell.group.generation()), (State::Stable, 3));
    }

    #[test]
    fn sweeping_forgets_what_nobody_needs() {
        let mut shard = replay(vec![
            offset("simple", "t", Some(1)),
            group("left-long-ago", &[], 0),
            offset("left-long-ago", "t", Some(1)),
            group("left-just-now", &[], 900),
            offset("left-just-now", "t", Some(1)),
            group("in-use", &["m"], 0),
            offset("in-use", "t", Some(1)),
            group("nothing-left", &[], 0),
        ]);
        shard.cells.get_mut("nothing-left").unwrap().commits_in_flight = 1;
        assert!(shard.sweep(at(RETENTION_MS - 1), RETENTION_MS).unwrap().is_empty());
        let got = tombstones(shard.sweep(at(RETENTION_MS), RETENTION_MS).unwrap());
        let t = || Some("t".to_owned());
        let mut want = Vec::new();
        for group in ["left-long-ago", "simple"] {
            want.extend([(group.to_owned(), None), (group.to_owned(), t())]);
        }
        assert_eq!(got, want);
        let mut left: Vec<_> = shard.cells.keys().map(|id| id.to_string()).collect();
        left.sort();
        assert_eq!(left, ["in-use", "left-just-now", "nothing-left"]);
        shard.cells.get_mut("nothing-left").unwrap().commits_in_flight = 0;
        let got = tombstones(shard.sweep(at(RETENTION_MS), RETENTION_MS).unwrap());
        assert_eq!(got, [("nothing-left".to_owned(), None)]);
    }

    #[test]
    fn offsets_of_deleted_topics_go_and_other_offsets_stay() {
        let mut shard = replay(vec![offset("g", "t", Some(1)), offset("g", "u", Some(1))]);
        let (old, new) = (Uuid([1; 16]), Uuid([2; 16]));
        let deleted = [("t".into(), old), ("other".into(), old), ("made-anew".into(), old)];
        for (topic, topic_id) in [("t", old), ("made-anew", new)] {
            let committed = CommittedOffset { topic_id, ..committed(2) };
            shard.cells.get_mut("g").unwrap().offsets.put(&topic.into(), 0, committed);
        }
        let got = tombstones(shard.forget_topics(&deleted).unwrap());
        assert_eq!(got, [("g".to_owned(), Some("t".to_owned()))]);
        assert!(shard.cells["g"].offsets.get("u", 0).is_some());
        let kept = shard.cells["g"].offsets.get("made-anew", 0).unwrap();
        assert!(kept.is_of(Some(&new)) && !kept.is_of(Some(&old)) && kept.is_of(None));
        assert_eq!(tombstones(shard.tombstones("g").unwrap()).len(), 3);
    }
}
