//! [`Checker`]: what must never happen.

use std::collections::{BTreeMap, BTreeSet};

use protocol::records::{Batch, BatchHeader};

use super::coordinator::{Coordinator, Offset};
use super::group_check::GroupChecker;
use super::hosted::Hosted;
use super::message::Key;
use super::topic_check::TopicChecker;
use crate::metadata_check::MetadataChecker;
use crate::quorum::check::Checker as Notes;

/// A batch that some leader has called committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Committed {
    next: i64,
    crc: u32,
    /// The epoch of the first leader that did.
    epoch: i32,
}

/// A partition, as the run has shown it so far.
#[derive(Debug, Default)]
struct Partition {
    /// By first offset.
    committed: BTreeMap<i64, Committed>,
    end: i64,
    /// High watermark of each leadership: machine and epoch.
    marks: BTreeMap<(usize, i32), i64>,
    /// The next sequence of each producer, and where its last batch is.
    sequences: BTreeMap<i64, (i32, i64)>,
    /// What members were told is committed, and the epoch that this was in or after.
    offsets: BTreeSet<(Offset, i32)>,
    epochs: BTreeMap<i32, usize>,
}

/// What the run has shown so far.
#[derive(Debug, Default)]
pub(super) struct Checker {
    /// Metadata is one history.
    pub(super) metadata: MetadataChecker,
    /// Numbers in the metadata are there for ever once they are acknowledged.
    pub(super) notes: Notes,
    pub(super) groups: GroupChecker,
    pub(super) topics: TopicChecker,
    partitions: BTreeMap<Key, Partition>,
    producer_ids: BTreeSet<i64>,
    acknowledged: u32,
    /// The first broken promise, where no answer could carry it.
    pub(super) violation: Option<String>,
}

impl Checker {
    /// Something has happened to a replica.
    pub(super) fn looked_at(&mut self, machine: usize, key: Key, hosted: &Hosted) {
        let checked = self.look(machine, key, hosted);
        self.note(checked);
    }

    pub(super) fn note(&mut self, checked: Result<(), String>) {
        if let Err(what) = checked {
            self.violation.get_or_insert(what);
        }
    }

    fn look(&mut self, machine: usize, key: Key, hosted: &Hosted) -> Result<(), String> {
        let replica = &hosted.replica;
        let mark = replica.high_watermark().offset;
        let (index, topic) = (key.1, &hosted.topic);
        let of = self.partitions.entry(key).or_default();
        if mark > replica.log().end_offset() {
            let end = replica.log().end_offset();
            return Err(format!(
                "{machine}: {mark} of {topic}-{index} is past the log's end {end}"
            ));
        }
        if !replica.is_leader() {
            if mark > of.end {
                return Err(format!(
                    "{machine} believes in {mark} of {topic}-{index}, which nobody has committed"
                ));
            }
            return Ok(());
        }
        let epoch = replica.assignment().leader_epoch;
        let start = replica.log().start_offset();
        if start > of.end.max(mark) {
            return Err(format!(
                "{machine}, epoch {epoch}: {topic}-{index} starts at {start}, and {mark} is committed"
            ));
        }
        let known = of.marks.entry((machine, epoch)).or_insert(0);
        if mark < *known {
            return Err(format!(
                "{machine}, epoch {epoch}: {known} of {topic}-{index} was committed, now {mark}"
            ));
        }
        let from = std::mem::replace(known, mark).max(start);
        for batch in hosted.batches(from, mark)? {
            of.commit(&batch, epoch, start)
                .map_err(|e| format!("{machine}, {topic}-{index}: {e}"))?;
        }
        Ok(())
    }

    /// A machine begins to lead: it has all that was committed under leaders before it.
    pub(super) fn leads(&mut self, machine: usize, key: Key, hosted: &Hosted) {
        let epoch = hosted.replica.assignment().leader_epoch;
        let of = self.partitions.entry(key).or_default();
        let other = *of.epochs.entry(epoch).or_insert(machine);
        let mut checked = of.is_in(hosted, epoch);
        if other != machine {
            checked = Err(format!("epoch {epoch} has two leaders, {other} and {machine}"));
        }
        let name = (&hosted.topic, key.1);
        self.note(checked.map_err(|e| format!("new leader {machine} of {name:?}: {e}")));
        self.looked_at(machine, key, hosted);
    }

    /// A replica has all that was ever committed.
    pub(super) fn has_all(&self, key: Key, hosted: &Hosted) -> Result<(), String> {
        self.partitions.get(&key).map_or(Ok(()), |of| of.is_in(hosted, i32::MAX))
    }

    /// How far a partition is committed.
    pub(super) fn end_of(&self, key: Key) -> i64 {
        self.partitions.get(&key).map_or(0, |of| of.end)
    }

    /// A producer is told that its batch is committed.
    pub(super) fn acknowledge(
        &mut self,
        key: Key,
        base: i64,
        next: i64,
        crc: u32,
    ) -> Result<(), String> {
        self.acknowledged += 1;
        let of = self.partitions.entry(key).or_default();
        match of.committed.get(&base) {
            Some(known) if known.next == next && known.crc == crc => Ok(()),
            Some(_) => Err(format!("{base} of {} is acknowledged, and another's", key.1)),
            None => Err(format!("{base} of {} is acknowledged, and not committed", key.1)),
        }
    }

    /// A consumer is given a batch.
    pub(super) fn read(&self, key: Key, header: &BatchHeader) -> Result<(), String> {
        let base = header.base_offset;
        let known = self.partitions.get(&key).and_then(|of| of.committed.get(&base));
        match known {
            Some(known) if known.crc == header.crc => Ok(()),
            Some(_) => Err(format!("two values at {base} of {}", key.1)),
            None => Err(format!("{base} of {} is read before it is committed", key.1)),
        }
    }

    /// A leader tells how far records are committed: not less than its predecessors did.
    pub(super) fn told_end(&self, key: Key, epoch: i32, end: i64) -> Result<(), String> {
        let Some(of) = self.partitions.get(&key) else { return Ok(()) };
        let before = of.committed.values().rev().find(|batch| batch.epoch < epoch);
        match before {
            Some(batch) if batch.next > end => Err(format!(
                "{} was committed in {}, and the leader of epoch {epoch} tells {end}",
                batch.next, key.1
            )),
            _ => Ok(()),
        }
    }

    /// A member is told that an offset is committed.
    pub(super) fn offset_told(&mut self, key: Key, offset: Offset) {
        let of = self.partitions.entry(key).or_default();
        let epoch = of.epochs.last_key_value().map_or(0, |(epoch, _)| *epoch);
        of.offsets.insert((offset, epoch));
    }

    /// An offset is committed that a coordinator took at a time, from a member of a generation.
    pub(super) fn offset_taken(&mut self, group: usize, generation: i32, taken_at: u64) {
        let checked = self.groups.commits(group, generation, taken_at);
        self.note(checked);
    }

    pub(super) fn count_acknowledged(&mut self) {
        self.acknowledged += 1;
    }

    /// A coordinator begins to serve: it knows what was told under coordinators before it.
    pub(super) fn coordinator_loaded(
        &self,
        key: Key,
        epoch: i32,
        coordinator: &Coordinator,
    ) -> Result<(), String> {
        let Some(of) = self.partitions.get(&key) else { return Ok(()) };
        let lost = |told: &&(Offset, i32)| told.1 < epoch && !coordinator.has_seen(&told.0);
        match of.offsets.iter().find(lost) {
            None => Ok(()),
            Some(((group, (topic_id, partition), offset), told)) => Err(format!(
                "group {group} was told in epoch {told} that {offset} of {partition} of {topic_id} is committed, and the coordinator of epoch {epoch} does not know it"
            )),
        }
    }

    /// A producer is given an id.
    pub(super) fn producer_id_given(&mut self, id: i64) -> Result<(), String> {
        if self.producer_ids.insert(id) {
            return Ok(());
        }
        Err(format!("producer id {id} is given to two producers"))
    }

    /// Leaders that there were, of all partitions.
    pub(super) fn elections(&self) -> u32 {
        self.partitions.values().map(|of| of.epochs.len() as u32).sum()
    }

    pub(super) fn acknowledged(&self) -> u32 {
        self.acknowledged
    }
}

impl Partition {
    /// A leader, whose log starts at `start`, takes a batch for committed.
    fn commit(&mut self, batch: &Batch, epoch: i32, start: i64) -> Result<(), String> {
        let header = batch.header();
        let base = header.base_offset;
        let found = Committed { next: header.next_offset(), crc: header.crc, epoch };
        if let Some(known) = self.committed.get(&base) {
            if (known.next, known.crc) == (found.next, found.crc) {
                return Ok(());
            }
            return Err(format!("two batches are committed at {base}"));
        }
        if base != self.end {
            return Err(format!("{base} is committed where {} comes next", self.end));
        }
        self.end = found.next;
        self.committed.insert(base, found);
        if header.has_producer() {
            let (next, last) = self.sequences.entry(header.producer_id).or_default();
            // A replica that has never had a producer's records, because they were deleted, takes any sequence (KIP-360).
            let unknown = *last < start;
            if header.base_sequence != *next && !unknown {
                let (of, got) = (header.producer_id, header.base_sequence);
                let kind = if got < *next { "twice" } else { "out of order" };
                return Err(format!("{got} of producer {of} is there {kind} (next is {next})"));
            }
            (*next, *last) = (header.last_sequence() + 1, base);
        }
        Ok(())
    }

    /// All that was committed before an epoch is in a log.
    fn is_in(&self, hosted: &Hosted, epoch: i32) -> Result<(), String> {
        let before = self.committed.values().rev().find(|batch| batch.epoch < epoch);
        let needed = before.map_or(0, |batch| batch.next);
        let end = hosted.replica.log().end_offset();
        if end < needed {
            return Err(format!("its log ends at {end}, and {needed} was committed"));
        }
        let start = hosted.replica.log().start_offset();
        // The log may start within a batch.
        let first = self.committed.range(..=start).next_back().map_or(start, |(base, _)| *base);
        let mut expected = self.committed.range(first..needed.max(first));
        if self.committed.get(&first).is_some_and(|batch| batch.next <= start) {
            expected.next();
        }
        for batch in hosted.batches(start, needed)? {
            let header = batch.header();
            match expected.next() {
                Some((base, known)) if *base == header.base_offset && known.crc == header.crc => {}
                Some((base, known)) => {
                    let (found, crc, epoch) =
                        (header.base_offset, header.crc, header.partition_leader_epoch);
                    return Err(format!(
                        "what was committed at {base} is not what is there: {known:?}, but {found} of epoch {epoch} with CRC {crc}"
                    ));
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }
}
