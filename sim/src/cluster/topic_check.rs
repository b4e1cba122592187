//! [`TopicChecker`]: a topic that is made anew has nothing of the one before, and what was before is not taken for it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::Uuid;
use protocol::records::Batch;
use quorum::MetadataImage;
use storage::{Disk, Folder};

use super::hosted::Hosted;
use super::message::Key;
use super::world::World;
use super::{CHURN_TOPIC, Mistake};
use crate::disk::data_dir;

/// What the run has shown so far of the topic that comes and goes.
#[derive(Debug, Default)]
pub(super) struct TopicChecker {
    /// All that have had its name, with the partitions that each has had.
    ids: BTreeMap<Uuid, usize>,
    /// The offset of the newest image that was looked at.
    seen: u64,
    /// Partitions that topics were given after they were made.
    pub(super) added: u32,
    /// CRCs of the batches that leaders have ever taken for each partition.
    written: BTreeMap<Key, BTreeSet<u32>>,
    violation: Option<String>,
}

impl TopicChecker {
    /// Metadata is committed.
    pub(super) fn published(&mut self, image: &MetadataImage) -> Result<(), String> {
        if image.offset() <= self.seen {
            return Ok(());
        }
        self.seen = image.offset();
        let Some(topic) = image.topic(CHURN_TOPIC) else { return Ok(()) };
        let has = topic.partitions.len();
        let had = self.ids.insert(topic.id, has).unwrap_or(has);
        if has < had {
            return Err(format!("{} has had {had} partitions, and has {has}", topic.name));
        }
        self.added += (has - had) as u32;
        Ok(())
    }

    /// How many were deleted at least.
    pub(super) fn deleted(&self) -> u32 {
        (self.ids.len() as u32).saturating_sub(1)
    }

    pub(super) fn is_of_churn(&self, key: &Key) -> bool {
        self.ids.contains_key(&key.0)
    }

    /// A leader takes a batch; whether it knows the topic as one that is there.
    pub(super) fn written(&mut self, machine: usize, key: Key, batch: &Bytes, known: bool) {
        if !known {
            let what = format!("{machine} takes records for {key:?}, which it knows to be deleted");
            self.violation.get_or_insert(what);
        }
        if let Ok(batch) = Batch::parse(batch) {
            self.written.entry(key).or_default().insert(batch.header().crc);
        }
    }

    /// A replica holds nothing that was not written to this very topic.
    pub(super) fn holds_its_own(
        &self,
        machine: usize,
        key: Key,
        hosted: &Hosted,
    ) -> Result<(), String> {
        if let Some(what) = &self.violation {
            return Err(what.clone());
        }
        if !self.is_of_churn(&key) {
            return Ok(());
        }
        let log = hosted.replica.log();
        let of = self.written.get(&key);
        for batch in hosted.batches(log.start_offset(), log.end_offset())? {
            let header = batch.header();
            if of.is_none_or(|written| !written.contains(&header.crc)) {
                let base = header.base_offset;
                return Err(format!(
                    "{machine} holds at {base} of {key:?} what was never written to that topic"
                ));
            }
        }
        Ok(())
    }
}

impl World {
    /// Every replica that is open has its folder, and the folder says so.
    pub(super) fn folders_are_their_own(&mut self, machine: usize) {
        let of = &self.machines[machine];
        let Some(process) = of.process.as_ref().filter(|_| self.plan.churns) else { return };
        let Ok(folders) = of.disk.look(|| process.log_dir.folders()) else { return };
        let by_name = self.has(Mistake::FoldersByName);
        let is_open = |key: &Key, hosted: &Hosted| {
            let id = key.0.to_string();
            folders.iter().any(|folder| {
                (&*folder.topic, folder.partition) == (&*hosted.topic, key.1)
                    && (by_name || folder.topic_id.as_ref() == Some(&id))
            })
        };
        let lost = process.partitions.iter().find(|(key, hosted)| !is_open(key, hosted));
        if let Some((key, hosted)) = lost {
            let what = format!("{machine}'s folder of {}, {key:?}, is gone", hosted.topic);
            self.checker.note(Err(what));
        }
    }

    /// At the end only what is there has a folder of its own; of what was deleted while a broker was up nothing is left, and what was
    /// deleted while it was down is out of the way.
    pub(super) fn folders_lack(&self) -> Option<String> {
        let image = self.checker.metadata.newest()?;
        let by_name = self.has(Mistake::FoldersByName);
        self.machines.iter().filter(|_| self.plan.churns).find_map(|machine| {
            let process = machine.process.as_ref()?;
            let (folders, names) = machine.disk.look(|| {
                Some((process.log_dir.folders().ok()?, machine.disk.list(&data_dir()).ok()?))
            })?;
            let id = machine.id as i32;
            let stray = folders.iter().find(|Folder { topic, partition, topic_id }| {
                !image.claims(id, topic, *partition, topic_id.as_deref().filter(|_| !by_name))
            });
            if let Some(stray) = stray {
                return Some(format!("{id} has a folder that nobody claims: {stray:?}"));
            }
            let left = |name: &&String| {
                // One that does not say whose it is was never flushed, and is out of the way as well.
                let stray = name.ends_with("-stray")
                    && !name.ends_with(".unclaimed-stray")
                    && !process.strays.contains(name);
                name.ends_with("-delete") || stray
            };
            names.iter().find(left).map(|name| format!("{id} was there, and keeps {name}"))
        })
    }
}
