//! The tasks of a worker: opened and restored when partitions are assigned, committed together.

use super::plan::Plan;
use super::sender::Sender;
use super::status::StatusBoard;
use super::thread::SessionError;
use crate::store::changelog::COMMIT_HEADER;
use crate::task::{Restoring, Task, TaskParts, changelog_output, store_specs};
use crate::topology::{StoreSpec, TaskId, Topology};
use crate::{FjallStores, StateEngine};
use client::{
    Admin, AutoOffsetReset, Client, Consumer, ConsumerConfig, OffsetSpec, TopicPartition,
};
use protocol::Str;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Records of one poll of the changelogs.
const RESTORE_POLL_RECORDS: usize = 5_000;
const RESTORE_POLL: Duration = Duration::from_millis(200);
/// What a wait for the cluster may still take once the worker is to stop. Giving up is safe: it is what a crash does.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// What tasks are made with.
#[derive(Debug)]
pub(super) struct Workshop {
    pub runtime: Handle,
    pub client: Client,
    pub admin: Admin,
    pub engine: FjallStores,
    pub topology: Arc<Topology>,
    pub application_id: Str,
    pub board: StatusBoard,
    pub stop: CancellationToken,
}

/// The tasks that a worker has now.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    pub tasks: BTreeMap<TaskId, Task>,
    /// Which task reads a partition.
    by_input: BTreeMap<(Str, i32), TaskId>,
}

impl Workshop {
    /// Waits for something of the cluster; not much longer than the worker is wanted.
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, SessionError> {
        self.runtime.block_on(async {
            tokio::select! {
                done = work => Ok(done),
                () = async {
                    self.stop.cancelled().await;
                    tokio::time::sleep(STOP_GRACE).await;
                } => Err(SessionError::Stopped),
            }
        })
    }

    /// The tasks for the assigned partitions.
    fn wanted(&self, plan: &Plan, assigned: &[TopicPartition]) -> Tasks {
        let mut wanted = Tasks::default();
        for (subtopology, part) in self.topology.subtopologies().iter().enumerate() {
            for topic in &part.sources {
                let topic = topic.full_name(&self.application_id);
                if !plan.inputs.contains_key(&topic) {
                    continue;
                }
                for input in assigned.iter().filter(|input| input.topic == topic) {
                    let id = TaskId { subtopology, partition: input.partition };
                    wanted.by_input.insert((topic.clone(), input.partition), id);
                }
            }
        }
        wanted
    }

    /// Opens, restores and completes the tasks for `assigned`.
    pub(super) fn open(
        &self,
        plan: &Plan,
        assigned: &[TopicPartition],
        sender: &mut Sender,
    ) -> Result<Tasks, SessionError> {
        let mut tasks = self.wanted(plan, assigned);
        let mut restoring = Vec::new();
        let ids: std::collections::BTreeSet<TaskId> = tasks.by_input.values().copied().collect();
        for id in ids {
            let inputs = tasks
                .by_input
                .iter()
                .filter(|(_, task)| **task == id)
                .map(|((topic, partition), _)| (topic.to_string(), *partition))
                .collect();
            self.board.task_restoring(id, inputs);
            let specs = store_specs(&self.topology, id.subtopology);
            let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
            restoring.push(Restoring::open(TaskParts {
                id,
                topology: &self.topology,
                application_id: &self.application_id,
                topic_ids: plan.topic_ids.clone(),
                engine: self.engine.open(&names, id.partition)?,
                incarnation: fastrand::u64(..),
            })?);
        }
        self.restore(&mut restoring)?;
        for task in restoring {
            let (id, specs) = (task.id(), task.specs().to_vec());
            let (ready, compensation) = task.finish()?;
            let ends = self.write_changelog(sender, compensation, &specs, id.partition)?;
            let task = ready.into_task(&ends)?;
            self.show(&task);
            tasks.tasks.insert(id, task);
        }
        Ok(tasks)
    }

    /// Reads the changelogs from where the local state ends to their ends.
    fn restore(&self, restoring: &mut [Restoring]) -> Result<(), SessionError> {
        let mut changelogs: BTreeMap<(Str, i32), Changelog> = BTreeMap::new();
        for (i, task) in restoring.iter().enumerate() {
            for (store, spec) in task.specs().iter().enumerate() {
                let id = (spec.changelog(&self.application_id), task.id().partition);
                changelogs.insert(id, Changelog { task: i, store, end: 0 });
            }
        }
        if changelogs.is_empty() {
            return Ok(());
        }
        let asked: Vec<(TopicPartition, OffsetSpec)> = changelogs
            .keys()
            .map(|(topic, p)| (TopicPartition::new(topic.clone(), *p), OffsetSpec::Latest))
            .collect();
        for (id, listed) in self.wait(self.admin.list_offsets(&asked))? {
            if let Some(changelog) = changelogs.get_mut(&(id.topic, id.partition)) {
                changelog.end = listed?.offset;
            }
        }
        for changelog in changelogs.values() {
            let task = &mut restoring[changelog.task];
            if task.next_offset(changelog.store) > changelog.end {
                task.start_over()?;
            }
        }
        changelogs.retain(|_, c| restoring[c.task].next_offset(c.store) < c.end);
        if changelogs.is_empty() {
            return Ok(());
        }
        self.read_changelogs(changelogs, restoring)
    }

    fn read_changelogs(
        &self,
        mut changelogs: BTreeMap<(Str, i32), Changelog>,
        restoring: &mut [Restoring],
    ) -> Result<(), SessionError> {
        let config = ConsumerConfig {
            auto_offset_reset: AutoOffsetReset::Earliest,
            max_poll_records: RESTORE_POLL_RECORDS,
            ..ConsumerConfig::default()
        };
        let consumer = Consumer::new(&self.client, config);
        consumer
            .assign(changelogs.keys().map(|(t, p)| TopicPartition::new(t.clone(), *p)).collect());
        for ((topic, partition), c) in &changelogs {
            let id = TopicPartition::new(topic.clone(), *partition);
            consumer.seek(&id, restoring[c.task].next_offset(c.store))?;
        }
        while !changelogs.is_empty() {
            if self.stop.is_cancelled() {
                return Err(SessionError::Stopped);
            }
            let records = self.wait(consumer.poll(RESTORE_POLL))??;
            let mut by_store: BTreeMap<(usize, usize), Vec<_>> = BTreeMap::new();
            let count = records.len() as u64;
            for record in records {
                let id = (record.topic, record.partition);
                let (Some(c), Some(key)) = (changelogs.get(&id), record.key) else { continue };
                let header = record.headers.into_iter().find(|(name, _)| *name == COMMIT_HEADER);
                let row = (key, record.value, record.timestamp_ms);
                let header = header.and_then(|(_, value)| value);
                by_store.entry((c.task, c.store)).or_default().push((record.offset, row, header));
            }
            for ((task, store), rows) in by_store {
                restoring[task].apply(store, rows)?;
            }
            self.board.add_restored(count);
            changelogs.retain(|(topic, partition), c| {
                let id = TopicPartition::new(topic.clone(), *partition);
                let applied = restoring[c.task].next_offset(c.store);
                applied.max(consumer.position(&id).unwrap_or(0)) < c.end
            });
        }
        Ok(())
    }

    /// Writes changelog records; gives the offsets behind the last one of each store.
    fn write_changelog(
        &self,
        sender: &mut Sender,
        records: Vec<crate::store::changelog::ChangelogRecord>,
        specs: &[StoreSpec],
        partition: i32,
    ) -> Result<Vec<Option<i64>>, SessionError> {
        let mut ends = vec![None; specs.len()];
        if records.is_empty() {
            return Ok(ends);
        }
        let stores: Vec<usize> = records.iter().map(|record| record.store).collect();
        let outputs = records
            .into_iter()
            .filter_map(|record| changelog_output(record, specs, &self.application_id, partition))
            .collect();
        let written = self.wait(sender.send_and_wait(outputs))??;
        for (store, metadata) in stores.into_iter().zip(written) {
            ends[store] = Some(metadata.offset + 1);
        }
        for (end, spec) in ends.iter_mut().zip(specs) {
            // The broker knew the batch already (the answer to a first attempt was lost), and does not say where it
            // is. Nobody else writes here: it is at the end.
            if *end == Some(0) {
                let id = TopicPartition::new(spec.changelog(&self.application_id), partition);
                *end = Some(self.end_of(id)?);
            }
        }
        Ok(ends)
    }

    fn end_of(&self, id: TopicPartition) -> Result<i64, SessionError> {
        let listed = self.wait(self.admin.list_offsets(&[(id, OffsetSpec::Latest)]))?;
        match listed.into_iter().next() {
            Some((_, listed)) => Ok(listed?.offset),
            None => Ok(0),
        }
    }

    /// Commits every task that has processed something. Output → changelogs → state, in this order; the offsets for
    /// the group come back.
    pub(super) fn commit(
        &self,
        tasks: &mut Tasks,
        sender: &mut Sender,
    ) -> Result<Vec<(TopicPartition, i64)>, SessionError> {
        let mut offsets = Vec::new();
        if !tasks.tasks.values().any(Task::is_dirty) {
            return Ok(offsets);
        }
        self.wait(sender.flush())??;
        for task in tasks.tasks.values_mut().filter(|task| task.is_dirty()) {
            let id = task.id();
            let specs = store_specs(&self.topology, id.subtopology);
            let mut commit = task.begin_commit();
            let changelog = std::mem::take(&mut commit.changelog);
            let ends = self.write_changelog(sender, changelog, &specs, id.partition)?;
            task.finish_commit(commit, &ends)?;
            for (topic, partition, next) in task.positions() {
                offsets.push((TopicPartition::new(topic.clone(), partition), next));
            }
            self.show(task);
        }
        self.board.committed();
        Ok(offsets)
    }

    /// Brings the task's line of the status up to date.
    pub(super) fn show(&self, task: &Task) {
        let positions = task
            .positions()
            .map(|(topic, partition, next)| ((topic.to_string(), partition), next))
            .collect();
        self.board.task_running(task.id(), task.counters(), positions);
    }
}

#[derive(Debug)]
struct Changelog {
    task: usize,
    store: usize,
    end: i64,
}

impl Tasks {
    pub(super) fn for_input(&mut self, topic: &Str, partition: i32) -> Option<&mut Task> {
        let id = self.by_input.get(&(topic.clone(), partition))?;
        self.tasks.get_mut(id)
    }

    /// Where the states say that each input goes on.
    pub(super) fn position(&self, id: &TopicPartition) -> Option<i64> {
        let task = self.by_input.get(&(id.topic.clone(), id.partition))?;
        self.tasks.get(task)?.position(&id.topic, id.partition)
    }

    pub(super) fn want_commit(&self) -> bool {
        self.tasks.values().any(Task::wants_commit)
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.tasks.values().any(Task::is_dirty)
    }

    /// Gives the tasks up as they were at their last commit.
    pub(super) fn abandon(&mut self) {
        self.by_input.clear();
        for (_, task) in std::mem::take(&mut self.tasks) {
            task.abandon();
        }
    }
}
