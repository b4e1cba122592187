//! A task before it is ready: its state is brought up to the end of its changelogs.

use super::{Graph, Task, TaskCounters, TaskParts, TaskStores, store_specs};
use crate::store::changelog::{ChangelogReader, ChangelogRecord, Row, commit_records, finish};
use crate::store::meta::{Progress, StoreMeta};
use crate::store::{StoreError, Write};
use crate::topology::{StoreSpec, TaskId};
use bytes::Bytes;
use protocol::{Str, Uuid};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A task whose state is being restored.
#[derive(Debug)]
pub(crate) struct Restoring {
    id: TaskId,
    graph: Graph,
    stores: TaskStores,
    topic_ids: Arc<BTreeMap<Str, Uuid>>,
    incarnation: u64,
    /// What the local state includes, if it is whole.
    local: Option<Progress>,
    /// Each store's changelog: id, and the next offset to read.
    changelogs: Vec<(Uuid, i64)>,
    readers: Vec<ChangelogReader>,
}

impl Restoring {
    /// Opens the local state. One that is not whole, or belongs to another changelog, is forgotten.
    pub(crate) fn open(parts: TaskParts<'_>) -> Result<Restoring, StoreError> {
        let TaskParts { id, topology, application_id, topic_ids, engine, incarnation } = parts;
        let specs = store_specs(topology, id.subtopology);
        let part = topology.subtopologies.get(id.subtopology).cloned().unwrap_or_default();
        let graph = Graph::new(topology, &part, application_id);
        let ids: Vec<Uuid> = specs
            .iter()
            .map(|spec| topic_ids.get(&spec.changelog(application_id)).copied())
            .map(|id| id.unwrap_or(Uuid::ZERO))
            .collect();
        let readers = specs.iter().map(|_| ChangelogReader::default()).collect();
        let mut stores = TaskStores::new(specs, engine);
        let metas = match read_metas(&mut stores, &ids)? {
            Ok(metas) => metas,
            Err(reason) => {
                tracing::warn!(task = %id, reason, "the local state is rebuilt from its changelog");
                stores.engine().clear()?;
                None
            }
        };
        let changelogs = match &metas {
            Some(metas) => metas.iter().map(|m| (m.changelog_id, m.changelog_next)).collect(),
            None => ids.into_iter().map(|id| (id, 0)).collect(),
        };
        let local = metas.and_then(|metas| metas.into_iter().next()).map(|meta| meta.progress);
        Ok(Restoring { id, graph, stores, topic_ids, incarnation, local, changelogs, readers })
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    pub(crate) fn specs(&self) -> &[StoreSpec] {
        self.stores.specs()
    }

    /// The next changelog offset of `store` to read.
    pub(crate) fn next_offset(&self, store: usize) -> i64 {
        self.changelogs.get(store).map_or(0, |(_, next)| *next)
    }

    /// The local state reaches beyond the end of a changelog (which lost its end): it is forgotten, and the
    /// changelogs are to be read from the beginning.
    pub(crate) fn start_over(&mut self) -> Result<(), StoreError> {
        tracing::warn!(task = %self.id, "the changelog ends before the local state, which is rebuilt");
        self.stores.engine().clear()?;
        self.local = None;
        for (changelog, reader) in self.changelogs.iter_mut().zip(&mut self.readers) {
            changelog.1 = 0;
            *reader = ChangelogReader::default();
        }
        Ok(())
    }

    /// Applies changelog records of one store: offset, row, commit header.
    pub(crate) fn apply(
        &mut self,
        store: usize,
        records: impl IntoIterator<Item = (i64, Row, Option<Bytes>)>,
    ) -> Result<(), StoreError> {
        let mut writes = Vec::new();
        for (offset, row, header) in records {
            let (Some(reader), Some(changelog)) =
                (self.readers.get_mut(store), self.changelogs.get_mut(store))
            else {
                return Ok(());
            };
            changelog.1 = offset + 1;
            let settled = reader.read(row, header);
            writes.extend(settled.into_iter().map(|row| write(store, row)));
        }
        self.stores.engine().commit(writes, None)
    }

    /// All changelogs were read to their ends: judges what was left unfinished, and gives the records that must be
    /// in the changelogs before the task runs.
    pub(crate) fn finish(mut self) -> Result<(Ready, Vec<ChangelogRecord>), StoreError> {
        let names = self.stores.names();
        let restored = finish(&names, std::mem::take(&mut self.readers));
        let writes: Vec<Write> =
            restored.rows.into_iter().map(|(store, row)| write(store, row)).collect();
        self.stores.engine().commit(writes, None)?;
        // What was read from the changelogs was applied on top of the local state, and is later than it.
        let local_commit = self.local.as_ref().map_or(0, |local| local.commit);
        let mut progress = restored.progress.or(self.local.take()).unwrap_or_default();
        progress.commit = progress.commit.max(local_commit).max(restored.highest);
        progress.incarnation = self.incarnation;
        let compensation = match restored.unfinished {
            Some((id, keys)) => {
                tracing::info!(task = %self.id, keys = keys.len(), "undoing an unfinished commit");
                let changes = self.stores.present(keys)?;
                commit_records(&names, changes, &progress, Some(id))
            }
            None => Vec::new(),
        };
        let task = Task {
            id: self.id,
            graph: self.graph,
            stores: self.stores,
            topic_ids: self.topic_ids,
            progress,
            changelogs: self.changelogs,
            moved: false,
            counters: TaskCounters::default(),
        };
        Ok((Ready { task }, compensation))
    }
}

/// A restored task; its compensation must be acknowledged before it runs.
#[derive(Debug)]
pub(crate) struct Ready {
    task: Task,
}

impl Ready {
    /// Marks the state as whole. `ends` are the offsets behind the compensation in each changelog.
    pub(crate) fn into_task(mut self, ends: &[Option<i64>]) -> Result<Task, StoreError> {
        let commit = super::Commit { changelog: Vec::new(), progress: self.task.progress.clone() };
        self.task.finish_commit(commit, ends)?;
        self.task.counters = TaskCounters::default();
        Ok(self.task)
    }
}

fn write(store: usize, (key, value, timestamp_ms): Row) -> Write {
    (store, key, value.map(|value| super::stores::stored(&value, timestamp_ms)))
}

/// The stores' metadata if every store has one and they agree; `Ok(Ok(None))` for new stores.
fn read_metas(
    stores: &mut TaskStores,
    changelog_ids: &[Uuid],
) -> Result<Result<Option<Vec<StoreMeta>>, String>, StoreError> {
    let mut metas = Vec::new();
    let mut missing = 0;
    for (store, id) in changelog_ids.iter().enumerate() {
        let Some(bytes) = stores.engine().meta(store)? else {
            missing += 1;
            continue;
        };
        match StoreMeta::decode(bytes) {
            Ok(meta) if meta.changelog_id != *id => {
                return Ok(Err("its changelog topic was made anew".to_owned()));
            }
            Ok(meta) => metas.push(meta),
            Err(error) => return Ok(Err(format!("its metadata cannot be read: {error}"))),
        }
    }
    if metas.is_empty() {
        if missing > 0 {
            // New, or a restoration that was cut short.
            stores.engine().clear()?;
        }
        return Ok(Ok(None));
    }
    let agree = metas.windows(2).all(|pair| pair[0].progress == pair[1].progress);
    if missing > 0 || !agree {
        return Ok(Err("its stores are at different commits".to_owned()));
    }
    Ok(Ok(Some(metas)))
}
