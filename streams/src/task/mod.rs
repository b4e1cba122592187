//! Tasks: one subtopology for one partition number, without any I/O but its state store's.
//!
//! A [`Task`] is given input records and gives records to send. Whoever drives it (a stream thread, the test driver)
//! sends them, and commits in this order: all output is acknowledged → [`Task::begin_commit`]'s changelog records are
//! acknowledged → [`Task::finish_commit`] writes state, changelog offset and input positions in one batch → the input
//! offsets are committed to the group. After a crash the task resumes from the positions that its *state* includes,
//! whatever the group says, so that no input is counted twice.

mod change;
mod graph;
mod origin;
mod restore;
mod stores;

pub use origin::ORIGIN_HEADER;
pub(crate) use restore::Restoring;
pub(crate) use stores::TaskStores;

use crate::record::{Headers, Origin, Record};
use crate::store::changelog::{COMMIT_HEADER, ChangelogRecord, commit_records};
use crate::store::meta::{OriginOffset, OriginPartition, Position, Progress, StoreMeta};
use crate::store::{StateStore, StoreError};
use crate::topology::{StoreSpec, TaskId, Topic, Topology};
use bytes::Bytes;
use graph::{Effects, Emitted, Graph};
use protocol::{Str, Uuid};
use std::collections::BTreeMap;
use std::sync::Arc;

/// State that may wait for a commit; above it the task asks for one.
const MAX_DIRTY_BYTES: usize = 16 * 1024 * 1024;

/// A record of an input partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Input {
    pub topic: Str,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970, -1 for none.
    pub timestamp_ms: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(Str, Option<Bytes>)>,
}

/// A record to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub topic: Str,
    /// Only changelogs have one given.
    pub partition: Option<i32>,
    pub timestamp_ms: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(Str, Option<Bytes>)>,
}

/// A record that could not be processed, for the error handler.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The step that could not.
    pub step: Str,
    pub message: String,
    pub input: Input,
}

/// Counts since the task began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCounters {
    /// Input records taken.
    pub processed: u64,
    /// Records sent on, changelogs not counted.
    pub emitted: u64,
    /// Records that could not be processed.
    pub failed: u64,
    /// Records left out for want of a key or value.
    pub dropped: u64,
    /// Records that had been taken before (sent twice after a crash).
    pub duplicates: u64,
    pub commits: u64,
}

/// A commit under way.
#[derive(Debug)]
pub(crate) struct Commit {
    /// To be acknowledged before the commit is finished.
    pub changelog: Vec<ChangelogRecord>,
    progress: Progress,
}

/// A task that is ready to process.
#[derive(Debug)]
pub struct Task {
    id: TaskId,
    graph: Graph,
    stores: TaskStores,
    topic_ids: Arc<BTreeMap<Str, Uuid>>,
    progress: Progress,
    changelogs: Vec<(Uuid, i64)>,
    moved: bool,
    counters: TaskCounters,
}

/// What a task is made of.
#[derive(Debug)]
pub(crate) struct TaskParts<'a> {
    pub id: TaskId,
    pub topology: &'a Topology,
    pub application_id: &'a str,
    /// Ids of all input and changelog topics.
    pub topic_ids: Arc<BTreeMap<Str, Uuid>>,
    pub engine: Box<dyn StateStore>,
    /// Random.
    pub incarnation: u64,
}

/// Specifications of the stores of a subtopology.
pub(crate) fn store_specs(topology: &Topology, subtopology: usize) -> Vec<StoreSpec> {
    topology
        .subtopologies
        .get(subtopology)
        .into_iter()
        .flat_map(|part| part.stores.iter().filter_map(|s| topology.stores.get(*s)).cloned())
        .collect()
}

impl Task {
    pub fn id(&self) -> TaskId {
        self.id
    }

    pub fn counters(&self) -> TaskCounters {
        self.counters
    }

    /// Where to read `partition` of `topic` from: `None` when the state says nothing, and the group's offset counts.
    pub fn position(&self, topic: &Str, partition: i32) -> Option<i64> {
        let position = self.progress.positions.get(&(topic.clone(), partition))?;
        (self.topic_ids.get(topic) == Some(&position.topic_id)).then_some(position.next)
    }

    /// The next input offsets, of every partition that a record was read of.
    pub fn positions(&self) -> impl Iterator<Item = (&Str, i32, i64)> {
        self.progress.positions.iter().map(|((topic, partition), p)| (topic, *partition, p.next))
    }

    pub fn has_state(&self) -> bool {
        !self.changelogs.is_empty()
    }

    /// Whether a commit should not wait for its time.
    pub fn wants_commit(&self) -> bool {
        self.stores.dirty_bytes() > MAX_DIRTY_BYTES
    }

    /// Whether there is anything to commit.
    pub fn is_dirty(&self) -> bool {
        self.moved
    }

    /// The rows of the store called `name`, at most `limit`.
    pub(crate) fn rows(
        &self,
        name: &str,
        limit: usize,
    ) -> Option<Result<Vec<(crate::Value, crate::Value)>, crate::processor::ProcessError>> {
        let store = self.stores.specs().iter().position(|spec| spec.name == *name)?;
        Some(self.stores.rows(store, limit))
    }

    /// Processes one record. Records to send are appended to `out`, failures to `failures`; a record that the state
    /// includes already is left out.
    pub fn process(
        &mut self,
        input: &Input,
        out: &mut Vec<Output>,
        failures: &mut Vec<Failure>,
    ) -> Result<(), StoreError> {
        let topic_id = self.topic_ids.get(&input.topic).copied().unwrap_or(Uuid::ZERO);
        if !self.advance(input, topic_id) {
            self.counters.duplicates += 1;
            return Ok(());
        }
        let Some((unit, source)) = self.graph.source(&input.topic) else { return Ok(()) };
        let descended = matches!(source.topic, Topic::Repartition(_));
        let format = (source.key, source.value, source.changes);
        if descended && !self.is_new_descendant(input) {
            self.counters.duplicates += 1;
            return Ok(());
        }
        self.counters.processed += 1;
        let record = match read_record(input, format, descended) {
            Ok(record) => record,
            Err(message) => {
                self.counters.failed += 1;
                let step = self.graph.name(unit);
                failures.push(Failure { step, message, input: input.clone() });
                return Ok(());
            }
        };
        self.run(unit, record, input, topic_id, out, failures)
    }

    fn run(
        &mut self,
        unit: usize,
        record: Record,
        input: &Input,
        topic_id: Uuid,
        out: &mut Vec<Output>,
        failures: &mut Vec<Failure>,
    ) -> Result<(), StoreError> {
        let origin =
            Origin { topic: input.topic.clone(), partition: input.partition, offset: input.offset };
        let from =
            OriginPartition { topic: origin::topic_hash(topic_id), partition: input.partition };
        let (mut index, emitted_before) = (0, out.len());
        let mut failed = Vec::new();
        let mut effects = Effects {
            origin: &origin,
            stores: &mut self.stores,
            out: &mut |emitted| {
                let at = OriginOffset { offset: input.offset, index };
                index += u32::from(emitted.internal);
                out.push(output(emitted, from, at));
            },
            failures: &mut failed,
            dropped: &mut self.counters.dropped,
        };
        self.graph.run(unit, record, &mut effects)?;
        self.counters.emitted += (out.len() - emitted_before) as u64;
        self.counters.failed += failed.len() as u64;
        for (step, message) in failed {
            failures.push(Failure { step, message, input: input.clone() });
        }
        Ok(())
    }

    /// Takes note of the input position; false when the record was taken before.
    fn advance(&mut self, input: &Input, topic_id: Uuid) -> bool {
        let next = input.offset + 1;
        let position = Position { topic_id, next };
        match self.progress.positions.get_mut(&(input.topic.clone(), input.partition)) {
            Some(known) if known.topic_id == topic_id && known.next > input.offset => return false,
            Some(known) => *known = position,
            None => {
                self.progress.positions.insert((input.topic.clone(), input.partition), position);
            }
        }
        self.moved = true;
        true
    }

    /// Whether a record of a repartition topic is the first with its origin.
    fn is_new_descendant(&mut self, input: &Input) -> bool {
        let header = input.headers.iter().find(|(name, _)| *name == ORIGIN_HEADER);
        let Some((from, at)) = header.and_then(|(_, value)| value.clone()).and_then(origin::decode)
        else {
            return true;
        };
        let seen = self.progress.origins.get(&from);
        if seen.is_some_and(|seen| *seen >= at) {
            return false;
        }
        self.progress.origins.insert(from, at);
        true
    }

    /// Begins a commit of all that was processed. Nothing may be processed until it is finished.
    pub(crate) fn begin_commit(&mut self) -> Commit {
        self.progress.commit += 1;
        let progress = self.progress.clone();
        let changes = self.stores.changes();
        let changelog = commit_records(&self.stores.names(), changes, &progress, None);
        Commit { changelog, progress }
    }

    /// Finishes a commit whose changelog records, if there were any, are acknowledged: `ends` are the offsets behind
    /// the last one of each store's changelog, `None` for a store without changes.
    pub(crate) fn finish_commit(
        &mut self,
        commit: Commit,
        ends: &[Option<i64>],
    ) -> Result<(), StoreError> {
        for (changelog, end) in self.changelogs.iter_mut().zip(ends) {
            changelog.1 = end.unwrap_or(changelog.1);
        }
        self.counters.commits += 1;
        self.moved = false;
        if self.changelogs.is_empty() {
            return Ok(());
        }
        let meta = self
            .changelogs
            .iter()
            .map(|(id, next)| StoreMeta {
                changelog_id: *id,
                changelog_next: *next,
                progress: commit.progress.clone(),
            })
            .map(|meta| meta.encode())
            .collect();
        self.stores.commit(meta)
    }

    /// Gives up what was processed since the last commit, when the task is lost or its output failed.
    pub(crate) fn abandon(mut self) {
        self.stores.roll_back();
    }
}

/// A changelog record as a record to send.
pub(crate) fn changelog_output(
    record: ChangelogRecord,
    specs: &[StoreSpec],
    application_id: &str,
    partition: i32,
) -> Option<Output> {
    let topic = specs.get(record.store)?.changelog(application_id);
    Some(Output {
        topic,
        partition: Some(partition),
        timestamp_ms: record.timestamp_ms,
        key: Some(record.key),
        value: record.value,
        headers: vec![(Str::from_static(COMMIT_HEADER), Some(record.header))],
    })
}

fn output(emitted: Emitted, from: OriginPartition, at: OriginOffset) -> Output {
    let Emitted { topic, internal, key, value, record } = emitted;
    let mut headers: Vec<(Str, Option<Bytes>)> = record.headers.to_vec();
    if internal {
        headers.push((Str::from_static(ORIGIN_HEADER), Some(origin::encode(from, at))));
    }
    Output { topic, partition: None, timestamp_ms: record.timestamp_ms, key, value, headers }
}

fn read_record(
    input: &Input,
    (key, value, changes): (crate::Serde, crate::Serde, bool),
    descended: bool,
) -> Result<Record, String> {
    let key = key.read(input.key.as_ref()).map_err(|e| format!("its key: {e}"))?;
    let (old, value) = match &input.value {
        Some(bytes) if changes => {
            change::read(value, bytes).map_err(|e| format!("its value: {e}"))?
        }
        bytes => {
            let value = value.read(bytes.as_ref()).map_err(|e| format!("its value: {e}"))?;
            (crate::Value::Null, value)
        }
    };
    let headers: Headers = if descended {
        input.headers.iter().filter(|(name, _)| *name != ORIGIN_HEADER).cloned().collect()
    } else if input.headers.is_empty() {
        Headers::default()
    } else {
        input.headers.clone().into()
    };
    Ok(Record { key, value, old, timestamp_ms: input.timestamp_ms, headers })
}

#[cfg(test)]
mod crash_tests;
