//! Leader epochs of a log: which leader epoch began at which offset (`leader-epoch-checkpoint`, KIP-101).

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::{Disk, DiskError};

const FILE: &str = "leader-epoch-checkpoint";
const VERSION: &str = "0";

/// Where one leader epoch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochStart {
    /// Leader epoch, from 0.
    pub epoch: i32,
    /// First offset appended under it.
    pub start_offset: i64,
}

/// Epochs and offsets, both ascending. In memory; written with the next flush, and what a crash loses of it is
/// read back from the batches.
#[derive(Debug, Default)]
pub struct LeaderEpochs {
    entries: Vec<EpochStart>,
    dirty: bool,
    /// The last entry has no record yet and is not written: see [`LeaderEpochs::begin`].
    begun: bool,
}

impl LeaderEpochs {
    /// Reads the checkpoint; `None` when it is missing or broken and has to be rebuilt.
    pub(crate) fn load(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>, DiskError> {
        let content = disk.read_file(&dir.join(FILE))?;
        Ok(content.and_then(|c| parse(std::str::from_utf8(&c).ok()?)))
    }

    /// Epochs, oldest first.
    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    /// The newest epoch that has records.
    pub fn latest(&self) -> Option<i32> {
        self.entries.last().map(|e| e.epoch)
    }

    /// Notes that a batch of `epoch` begins at `offset`. Epochs that contradict it (not older, or not before it)
    /// are dropped, as in Kafka.
    pub(crate) fn assign(&mut self, epoch: i32, offset: i64) {
        if epoch < 0 || self.latest() == Some(epoch) {
            return;
        }
        self.entries.retain(|e| e.epoch < epoch && e.start_offset < offset);
        self.entries.push(EpochStart { epoch, start_offset: offset });
        self.dirty = true;
    }

    /// Notes that this node leads from `offset`, the log's end, on under `epoch`. It is written with the first record
    /// under it: after a crash or stop before that, nobody can have seen the epoch's end, and a start drops it anyway.
    pub(crate) fn begin(&mut self, epoch: i32, offset: i64) {
        if epoch < 0 || self.latest().is_some_and(|latest| latest >= epoch) {
            return;
        }
        self.settle(offset);
        let was_dirty = self.dirty;
        let before = self.entries.len();
        self.assign(epoch, offset);
        let only_added = self.entries.len() == before + 1;
        self.dirty = was_dirty || !only_added;
        self.begun = true;
    }

    /// The epoch that `offset` was written under.
    pub fn epoch_of(&self, offset: i64) -> Option<i32> {
        let count = self.entries.partition_point(|e| e.start_offset <= offset);
        count.checked_sub(1).map(|i| self.entries[i].epoch)
    }

    /// Answers OffsetForLeaderEpoch: the largest known epoch not above `epoch` and the offset where it ends.
    /// Kafka's rules (KIP-279): the current epoch ends at the log's end; an older one where the next begins; for
    /// one below all known the start of the first is its end; `None` when nothing can be said.
    pub fn end_offset_for(&self, epoch: i32, log_end_offset: i64) -> Option<(i32, i64)> {
        let latest = self.latest()?;
        if epoch < 0 || epoch > latest {
            return None;
        }
        if epoch == latest {
            return Some((epoch, log_end_offset));
        }
        let higher = self.entries.partition_point(|e| e.epoch <= epoch);
        let end = self.entries.get(higher)?.start_offset;
        let floor = higher.checked_sub(1).map_or(epoch, |i| self.entries[i].epoch);
        Some((floor, end))
    }

    /// Forgets what begins at or after `offset`.
    pub(crate) fn truncate_from_end(&mut self, offset: i64) {
        let before = self.entries.len();
        self.entries.retain(|e| e.start_offset < offset);
        self.dirty |= self.entries.len() != before;
        self.settle(offset);
        self.begun = false;
    }

    /// An epoch that began without a record, and has one now, has to be written, whatever comes next.
    fn settle(&mut self, end_offset: i64) {
        if self.begun && self.entries.last().is_some_and(|last| last.start_offset < end_offset) {
            self.begun = false;
            self.dirty = true;
        }
    }

    /// Forgets everything: the log begins anew.
    pub(crate) fn clear(&mut self) {
        *self = Self { entries: Vec::new(), dirty: true, begun: false };
    }

    /// Forgets epochs that end at `offset` or before. The one that holds it keeps its true beginning, unlike Kafka's: a
    /// follower that wrote up to `offset` under an older epoch has parted from this log, and must hear of it, for what it
    /// remembers of producers is wrong.
    pub(crate) fn truncate_from_start(&mut self, offset: i64) {
        let floor = self.entries.partition_point(|e| e.start_offset <= offset);
        if floor > 1 {
            self.entries.drain(..floor - 1);
            self.dirty = true;
        }
    }

    /// The content last taken was not written.
    pub(crate) fn mark_dirty(&mut self) {
        self.dirty = true;
    }

    /// The file's new content, if it is not what was last taken. `end_offset` is the log's.
    pub(crate) fn take_dirty(&mut self, dir: &Path, end_offset: i64) -> Option<(PathBuf, String)> {
        self.settle(end_offset);
        std::mem::take(&mut self.dirty).then(|| (dir.join(FILE), self.format()))
    }

    fn format(&self) -> String {
        let mut out = format!("{VERSION}\n{}\n", self.entries.len());
        for e in &self.entries {
            let _ = writeln!(out, "{} {}", e.epoch, e.start_offset);
        }
        out
    }
}

fn parse(content: &str) -> Option<LeaderEpochs> {
    let mut lines = content.lines();
    if lines.next()? != VERSION {
        return None;
    }
    let count: usize = lines.next()?.parse().ok()?;
    let mut entries = Vec::new();
    for line in lines.by_ref().take(count) {
        let (epoch, start_offset) = line.split_once(' ')?;
        let entry =
            EpochStart { epoch: epoch.parse().ok()?, start_offset: start_offset.parse().ok()? };
        if entries.last().is_some_and(|last: &EpochStart| last.epoch >= entry.epoch) {
            return None;
        }
        entries.push(entry);
    }
    (entries.len() == count).then_some(LeaderEpochs { entries, dirty: false, begun: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs() -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for (epoch, offset) in [(1, 0), (3, 10), (4, 25)] {
            epochs.assign(epoch, offset);
        }
        epochs
    }

    #[test]
    fn end_offsets_follow_kip_279() {
        let epochs = epochs();
        assert_eq!(epochs.end_offset_for(4, 30), Some((4, 30)));
        assert_eq!(epochs.end_offset_for(3, 30), Some((3, 25)));
        assert_eq!(epochs.end_offset_for(2, 30), Some((1, 10)));
        assert_eq!(epochs.end_offset_for(0, 30), Some((0, 0)));
        assert_eq!(epochs.end_offset_for(5, 30), None);
        assert_eq!(LeaderEpochs::default().end_offset_for(0, 30), None);
    }

    #[test]
    fn the_file_is_kafkas_and_comes_back() {
        let mut epochs = epochs();
        let (_, content) = epochs.take_dirty(Path::new(""), 30).unwrap();
        assert_eq!(content, "0\n3\n1 0\n3 10\n4 25\n");
        assert_eq!(parse(&content).unwrap().entries(), epochs.entries());
        assert!(epochs.take_dirty(Path::new(""), 30).is_none());
        for broken in ["", "1\n0\n", "0\n2\n1 0\n", "0\n2\n3 0\n1 5\n", "0\nx\n"] {
            assert!(parse(broken).is_none(), "{broken:?}");
        }
    }

    /// What has records must be in the file before the recovery point passes them, even when the leadership ended before
    /// anything was flushed: after a crash nobody reads the epoch back from there.
    #[test]
    fn a_leadership_that_ends_before_a_flush_is_written_all_the_same() {
        let written = |end: fn(&mut LeaderEpochs)| {
            let mut epochs = epochs();
            epochs.take_dirty(Path::new(""), 30);
            epochs.begin(6, 30);
            // Records up to 33 are written under it.
            end(&mut epochs);
            epochs.take_dirty(Path::new(""), 33).map(|(_, content)| content)
        };
        let expected = Some("0\n4\n1 0\n3 10\n4 25\n6 30\n".to_owned());
        assert_eq!(written(|epochs| epochs.truncate_from_end(33)), expected);
        let next = written(|epochs| epochs.begin(7, 33)).unwrap();
        assert!(next.contains("6 30\n"), "{next}");
    }

    #[test]
    fn a_leadership_is_written_with_its_first_record() {
        let mut epochs = epochs();
        epochs.take_dirty(Path::new(""), 30);
        epochs.begin(6, 30);
        assert_eq!(epochs.end_offset_for(5, 30), Some((4, 30)));
        assert_eq!(epochs.end_offset_for(6, 30), Some((6, 30)));
        assert!(epochs.take_dirty(Path::new(""), 30).is_none());
        let (_, content) = epochs.take_dirty(Path::new(""), 31).unwrap();
        assert!(content.ends_with("6 30\n"));
        assert!(epochs.take_dirty(Path::new(""), 31).is_none());
        epochs.begin(7, 31);
        epochs.begin(8, 31);
        assert_eq!(
            epochs.end_offset_for(7, 31),
            Some((6, 31)),
            "an epoch without records leaves no trace"
        );
    }

    #[test]
    fn truncation_from_both_ends() {
        let mut epochs = epochs();
        epochs.truncate_from_end(25);
        assert_eq!(epochs.latest(), Some(3));
        epochs.truncate_from_start(12);
        assert_eq!(epochs.entries(), [EpochStart { epoch: 3, start_offset: 10 }]);
        assert_eq!(epochs.epoch_of(12), Some(3));
        assert_eq!(
            epochs.end_offset_for(1, 30),
            Some((1, 10)),
            "who wrote more under 1 has parted"
        );
    }
}
