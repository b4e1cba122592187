//! What a worker tells of itself.

use crate::task::TaskCounters;
use crate::topology::TaskId;
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kafka Streams' states (`KafkaStreams.State`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkerState {
    /// Started; topics are waited for or made.
    #[default]
    Created,
    /// The group shares out the partitions, or state is restored.
    Rebalancing,
    /// Every task of the worker processes (there may be none for it).
    Running,
    PendingShutdown,
    /// Stopped as asked.
    NotRunning,
    /// Something failed; it is tried anew after a pause.
    PendingError,
    /// Failed for good.
    Error,
}

impl WorkerState {
    pub fn name(self) -> &'static str {
        match self {
            WorkerState::Created => "CREATED",
            WorkerState::Rebalancing => "REBALANCING",
            WorkerState::Running => "RUNNING",
            WorkerState::PendingShutdown => "PENDING_SHUTDOWN",
            WorkerState::NotRunning => "NOT_RUNNING",
            WorkerState::PendingError => "PENDING_ERROR",
            WorkerState::Error => "ERROR",
        }
    }
}

/// A worker at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerStatus {
    pub state: WorkerState,
    /// What is waited for, or what failed last; a sentence.
    pub message: Option<String>,
    pub tasks: Vec<TaskStatus>,
    /// Records of this worker's partitions that are not processed yet.
    pub lag: u64,
    /// State records read from changelogs since the worker started.
    pub restored: u64,
    /// Input records processed since the worker started.
    pub processed: u64,
    /// Records written to topics, changelogs not counted.
    pub emitted: u64,
    /// Records that could not be processed; they went to the dead letter topic, if there is one.
    pub failed: u64,
    /// Records left out for want of a key or a value.
    pub dropped: u64,
    /// Records recognised as processed before.
    pub duplicates: u64,
    pub commits: u64,
    /// Times that something failed and was begun anew.
    pub restarts: u64,
}

/// A task at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    /// `<subtopology>_<partition>`.
    pub id: String,
    pub restoring: bool,
    pub processed: u64,
    pub inputs: Vec<InputStatus>,
}

/// An input partition of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InputStatus {
    pub topic: String,
    pub partition: i32,
    /// The next offset to be processed; -1 while it is not known.
    pub position: i64,
    /// The end of the partition when it was last asked for; -1 before.
    pub end: i64,
}

impl InputStatus {
    pub fn lag(&self) -> u64 {
        if self.end < 0 || self.position < 0 {
            return 0;
        }
        u64::try_from(self.end - self.position).unwrap_or(0)
    }
}

/// What the loop writes and others read.
#[derive(Debug, Default)]
pub(super) struct Board {
    state: WorkerState,
    message: Option<String>,
    tasks: BTreeMap<TaskId, TaskEntry>,
    ends: BTreeMap<(String, i32), i64>,
    restored: u64,
    restarts: u64,
    commits: u64,
    /// Counters of tasks that are gone.
    past: TaskCounters,
}

#[derive(Debug, Default, Clone)]
struct TaskEntry {
    restoring: bool,
    counters: TaskCounters,
    inputs: BTreeMap<(String, i32), i64>,
}

/// A handle on the board.
#[derive(Clone, Debug, Default)]
pub(super) struct StatusBoard(Arc<Mutex<Board>>);

impl StatusBoard {
    pub(super) fn set_state(&self, state: WorkerState, message: Option<String>) {
        let mut board = self.0.lock();
        if board.state != state {
            tracing::info!(from = board.state.name(), to = state.name(), message, "streams worker");
        }
        board.state = state;
        board.message = message;
    }

    pub(super) fn state(&self) -> WorkerState {
        self.0.lock().state
    }

    pub(super) fn restarted(&self) {
        self.0.lock().restarts += 1;
    }

    pub(super) fn committed(&self) {
        self.0.lock().commits += 1;
    }

    pub(super) fn task_restoring(&self, id: TaskId, inputs: Vec<(String, i32)>) {
        let inputs = inputs.into_iter().map(|input| (input, -1)).collect();
        let entry = TaskEntry { restoring: true, counters: TaskCounters::default(), inputs };
        self.0.lock().tasks.insert(id, entry);
    }

    pub(super) fn add_restored(&self, records: u64) {
        self.0.lock().restored += records;
    }

    pub(super) fn task_running(
        &self,
        id: TaskId,
        counters: TaskCounters,
        positions: Vec<((String, i32), i64)>,
    ) {
        let mut board = self.0.lock();
        let entry = board.tasks.entry(id).or_default();
        entry.restoring = false;
        entry.counters = counters;
        entry.inputs.extend(positions);
    }

    /// Where an input partition goes on.
    pub(super) fn set_position(&self, topic: &str, partition: i32, position: i64) {
        for entry in self.0.lock().tasks.values_mut() {
            if let Some(known) = entry.inputs.get_mut(&(topic.to_owned(), partition)) {
                *known = position;
            }
        }
    }

    pub(super) fn remove_tasks(&self) {
        let mut board = self.0.lock();
        for (_, entry) in std::mem::take(&mut board.tasks) {
            board.past = sum(board.past, entry.counters);
        }
    }

    /// Input partitions of this worker.
    pub(super) fn inputs(&self) -> Vec<(String, i32)> {
        self.0.lock().tasks.values().flat_map(|entry| entry.inputs.keys().cloned()).collect()
    }

    pub(super) fn set_ends(&self, ends: BTreeMap<(String, i32), i64>) {
        self.0.lock().ends = ends;
    }

    pub(super) fn snapshot(&self) -> WorkerStatus {
        let board = self.0.lock();
        let mut counters = board.past;
        let mut tasks = Vec::with_capacity(board.tasks.len());
        for (id, entry) in &board.tasks {
            counters = sum(counters, entry.counters);
            let input = |((topic, partition), position): (&(String, i32), &i64)| InputStatus {
                topic: topic.clone(),
                partition: *partition,
                position: *position,
                end: board.ends.get(&(topic.clone(), *partition)).copied().unwrap_or(-1),
            };
            tasks.push(TaskStatus {
                id: id.to_string(),
                restoring: entry.restoring,
                processed: entry.counters.processed,
                inputs: entry.inputs.iter().map(input).collect(),
            });
        }
        WorkerStatus {
            state: board.state,
            message: board.message.clone(),
            lag: tasks.iter().flat_map(|t| &t.inputs).map(InputStatus::lag).sum(),
            tasks,
            restored: board.restored,
            processed: counters.processed,
            emitted: counters.emitted,
            failed: counters.failed,
            dropped: counters.dropped,
            duplicates: counters.duplicates,
            commits: board.commits,
            restarts: board.restarts,
        }
    }
}

fn sum(a: TaskCounters, b: TaskCounters) -> TaskCounters {
    TaskCounters {
        processed: a.processed + b.processed,
        emitted: a.emitted + b.emitted,
        failed: a.failed + b.failed,
        dropped: a.dropped + b.dropped,
        duplicates: a.duplicates + b.duplicates,
        commits: a.commits + b.commits,
    }
}
