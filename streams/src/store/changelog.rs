//! Changelogs: a commit as records, and records as state again.
//!
//! A task writes, at each commit, the latest value of every key that changed, to the changelog of its store. All
//! records of one commit carry its number and the task's incarnation in the header [`COMMIT_HEADER`]; the last one in
//! each changelog also carries the stores that the commit touches and the input positions that it includes. So a
//! rebuilt store is always at a commit's end, knows the input it includes, and no input is counted twice.
//!
//! A crash can leave a commit unfinished at the end of a changelog. Whoever restores does not apply it, and before
//! anything else writes a *compensation*: the values from before for the keys it touched, since compaction may
//! later remove the older records of these keys. So all that is followed by something else may be applied in order,
//! and only the end of a changelog needs judging.
//!
//! Keys and values are those of Kafka Streams (plain key, plain value, the timestamp in the record).

use super::meta::{MetaError, Progress, get_text, put_text};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol::Str;
use std::collections::BTreeSet;

/// Name of the header that says which commit a changelog record belongs to.
pub const COMMIT_HEADER: &str = "vltava.commit";

const FLAG_LAST: u8 = 1;
const FLAG_COMPENSATION: u8 = 2;

/// A commit's number, and the incarnation of the task that attempted it.
pub(crate) type CommitId = (u64, u64);

/// A record for a changelog topic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChangelogRecord {
    /// Index of the store within the task.
    pub store: usize,
    pub key: Bytes,
    pub value: Option<Bytes>,
    pub timestamp_ms: i64,
    pub header: Bytes,
}

/// The stores a commit touches and what it includes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ending {
    pub stores: BTreeSet<Str>,
    pub progress: Progress,
}

#[derive(Clone, Debug, PartialEq)]
struct Header {
    commit: u64,
    incarnation: u64,
    compensates: Option<u64>,
    ending: Option<Ending>,
}

impl Header {
    fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        let last = if self.ending.is_some() { FLAG_LAST } else { 0 };
        let compensation = if self.compensates.is_some() { FLAG_COMPENSATION } else { 0 };
        out.put_u8(last | compensation);
        out.put_u64(self.commit);
        out.put_u64(self.incarnation);
        if let Some(incarnation) = self.compensates {
            out.put_u64(incarnation);
        }
        if let Some(ending) = &self.ending {
            out.put_u16(u16::try_from(ending.stores.len()).unwrap_or(u16::MAX));
            for store in &ending.stores {
                put_text(&mut out, store);
            }
            ending.progress.encode(&mut out);
        }
        out.freeze()
    }

    fn decode(mut input: Bytes) -> Result<Header, MetaError> {
        let short = |_| MetaError::NotEnough;
        let flags = input.try_get_u8().map_err(short)?;
        let commit = input.try_get_u64().map_err(short)?;
        let incarnation = input.try_get_u64().map_err(short)?;
        let compensates = match flags & FLAG_COMPENSATION {
            0 => None,
            _ => Some(input.try_get_u64().map_err(short)?),
        };
        let ending = match flags & FLAG_LAST {
            0 => None,
            _ => {
                let mut stores = BTreeSet::new();
                for _ in 0..input.try_get_u16().map_err(short)? {
                    stores.insert(get_text(&mut input)?);
                }
                Some(Ending { stores, progress: Progress::decode(&mut input)? })
            }
        };
        Ok(Header { commit, incarnation, compensates, ending })
    }
}

/// One changed key of a commit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub store: usize,
    pub key: Bytes,
    pub value: Option<Bytes>,
    pub timestamp_ms: i64,
}

/// The records of one commit (or, with `compensates`, of a compensation), in the order in which they must be written.
pub(crate) fn commit_records(
    names: &[Str],
    mut changes: Vec<Change>,
    progress: &Progress,
    compensates: Option<CommitId>,
) -> Vec<ChangelogRecord> {
    changes.sort_by(|a, b| (a.store, &a.key).cmp(&(b.store, &b.key)));
    let stores: BTreeSet<Str> =
        changes.iter().filter_map(|change| names.get(change.store).cloned()).collect();
    // A compensation has the number of what it compensates, so that a later number always means a later commit.
    let commit = compensates.map_or(progress.commit, |id| id.0);
    let incarnation = progress.incarnation;
    let compensates = compensates.map(|id| id.1);
    let plain = Header { commit, incarnation, compensates, ending: None }.encode();
    let ending = Some(Ending { stores, progress: progress.clone() });
    let last = Header { commit, incarnation, compensates, ending }.encode();
    let mut records: Vec<ChangelogRecord> = Vec::with_capacity(changes.len());
    for change in changes {
        if let Some(previous) = records.last_mut()
            && previous.store != change.store
        {
            previous.header = last.clone();
        }
        let Change { store, key, value, timestamp_ms } = change;
        records.push(ChangelogRecord { store, key, value, timestamp_ms, header: plain.clone() });
    }
    if let Some(record) = records.last_mut() {
        record.header = last;
    }
    records
}

/// A row as a changelog has it: key, value or removal, timestamp (ms).
pub(crate) type Row = (Bytes, Option<Bytes>, i64);

/// A commit, or a compensation, whose records are held back until it is known whether it was finished.
#[derive(Debug, Clone, Default)]
struct Group {
    commit: u64,
    incarnation: u64,
    rows: Vec<Row>,
    ending: Option<Ending>,
}

/// Reads one store's changelog from the beginning, or from where the local state ends.
#[derive(Debug, Default)]
pub(crate) struct ChangelogReader {
    tail: Option<Group>,
    /// A compensation of the tail.
    compensation: Option<Group>,
    /// What the settled rows include.
    settled: Option<Progress>,
    /// The highest commit number seen.
    highest: u64,
}

impl ChangelogReader {
    /// Takes the next record; gives back rows that are settled now, in order.
    pub(crate) fn read(&mut self, row: Row, header: Option<Bytes>) -> Vec<Row> {
        let Some(Ok(header)) = header.map(Header::decode) else {
            // Written by something else (Kafka Streams itself, a tool): a commit of its own.
            let mut rows = self.settle();
            rows.push(row);
            return rows;
        };
        self.highest = self.highest.max(header.commit);
        let mut settled = Vec::new();
        let belongs = |group: &Group| {
            group.commit == header.commit && group.incarnation == header.incarnation
        };
        let group = match (header.compensates, &mut self.tail) {
            (Some(incarnation), Some(tail))
                if (tail.commit, tail.incarnation) == (header.commit, incarnation) =>
            {
                if self.compensation.as_ref().is_some_and(|c| !belongs(c)) {
                    // An earlier attempt at compensation was cut short: this one covers its keys as well.
                    let earlier = self.compensation.take().unwrap_or_default();
                    tail.rows.extend(earlier.rows);
                }
                self.compensation.get_or_insert_default()
            }
            (Some(_), _) => {
                // Compaction has removed what it takes back; the values from before are right in any case.
                settled = self.settle();
                settled.push(row);
                if let Some(ending) = header.ending {
                    self.settled = Some(ending.progress);
                }
                return settled;
            }
            (None, Some(tail)) if belongs(tail) && self.compensation.is_none() => tail,
            _ => {
                settled = self.settle();
                self.tail.get_or_insert_default()
            }
        };
        group.commit = header.commit;
        group.incarnation = header.incarnation;
        group.rows.push(row);
        if header.ending.is_some() {
            group.ending = header.ending;
        }
        settled
    }

    /// Everything that was held back, in order.
    fn settle(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        for group in [self.tail.take(), self.compensation.take()].into_iter().flatten() {
            rows.extend(group.rows);
            if let Some(ending) = group.ending {
                self.settled = Some(ending.progress);
            }
        }
        rows
    }

    /// The unfinished business at the end: the commit whose records are held back, unless it was compensated.
    fn open_commit(&self) -> Option<CommitId> {
        if self.compensation.as_ref().is_some_and(|c| c.ending.is_some()) {
            return None;
        }
        self.tail.as_ref().map(|tail| (tail.commit, tail.incarnation))
    }

    fn ending(&self, id: CommitId) -> Option<&Ending> {
        if self.open_commit() != Some(id) || self.compensation.is_some() {
            return None;
        }
        self.tail.as_ref().and_then(|tail| tail.ending.as_ref())
    }

    /// Whether all records of the commit are here, if it has any: a later one begins only after that.
    fn has_all_of(&self, id: CommitId) -> bool {
        self.ending(id).is_some() || self.highest > id.0
    }
}

/// What the end of a task's changelogs comes to.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// Rows to apply: store, row.
    pub rows: Vec<(usize, Row)>,
    /// What the stores include after that; `None` when the changelogs say nothing.
    pub progress: Option<Progress>,
    /// Keys whose present values must be written as a compensation, and the commit that it compensates.
    pub unfinished: Option<(CommitId, Vec<(usize, Bytes)>)>,
    /// The highest commit number that was seen.
    pub highest: u64,
}

/// Judges the ends of all changelogs of a task; `names` are its stores, one a reader.
pub(crate) fn finish(names: &[Str], mut readers: Vec<ChangelogReader>) -> Restored {
    let mut restored = Restored::default();
    // A commit begins only after the one before is in all changelogs: only the latest can be unfinished.
    let latest = readers.iter().filter_map(ChangelogReader::open_commit).max();
    let complete = latest.is_some_and(|id| {
        let ending = readers.iter().find_map(|reader| reader.ending(id));
        ending.is_some_and(|ending| {
            names
                .iter()
                .zip(&readers)
                .all(|(name, reader)| !ending.stores.contains(name) || reader.has_all_of(id))
        })
    });
    let mut keys = Vec::new();
    for (store, reader) in readers.iter_mut().enumerate() {
        restored.highest = restored.highest.max(reader.highest);
        if !complete && latest.is_some() && reader.open_commit() == latest {
            let groups = [reader.tail.take(), reader.compensation.take()];
            let rows = groups.into_iter().flatten().flat_map(|group| group.rows);
            keys.extend(rows.map(|(key, _, _)| (store, key)));
            continue;
        }
        let compensated = reader.open_commit().is_none();
        if compensated && reader.compensation.is_some() {
            reader.tail = None;
        }
        restored.rows.extend(reader.settle().into_iter().map(|row| (store, row)));
    }
    restored.progress =
        readers.into_iter().filter_map(|r| r.settled).max_by_key(|progress| progress.commit);
    if let (false, Some(id)) = (complete, latest) {
        keys.sort();
        keys.dedup();
        restored.unfinished = Some((id, keys));
    }
    restored
}

#[cfg(test)]
#[path = "changelog_tests.rs"]
mod tests;
