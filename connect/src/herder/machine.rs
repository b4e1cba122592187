//! The herder's decisions: records and events in, commands out. No I/O, no clock, no task.
//!
//! What should run is what the config topic says ([`ConfigState`]); what runs is told by events. After each event
//! [`Machine::handle`] compares the two and commands what brings them together, so the order in which things happen does
//! not matter. Everything that runs has an epoch: an event of an epoch that is no longer there is old and says nothing.
//!
//! This worker owns every connector and task. In a group of workers, ownership will be one more condition of
//! [`Machine::wanted_connector`] and [`Machine::wanted_task`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::config_record::ConfigRecord;
use super::config_state::{ConfigState, ConnectorEntry};
use super::names::{State, TargetState, TaskId};
use super::status_record::{Status, StatusKey, StatusRecord, TopicUse};
use crate::config::Config;

/// Identifies one run of a connector or task.
pub type Epoch = u64;

/// What a task runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    pub connector: Arc<Config>,
    pub task: Arc<Config>,
}

/// What has happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A record of the config topic, in order.
    Config(ConfigRecord),
    /// A record of the status topic that was there at the start.
    Status(StatusRecord),
    /// Everything that was in the topics at the start has been told.
    Replayed,
    ConnectorRunning {
        name: String,
        epoch: Epoch,
    },
    ConnectorFailed {
        name: String,
        epoch: Epoch,
        trace: String,
    },
    ConnectorStopped {
        name: String,
        epoch: Epoch,
    },
    /// The connector has split its work.
    TaskConfigs {
        name: String,
        epoch: Epoch,
        configs: Vec<Config>,
    },
    /// The connector wants to split its work anew, or what it had split could not be written.
    ReconfigurationRequested {
        name: String,
        epoch: Epoch,
    },
    TaskRunning {
        id: TaskId,
        epoch: Epoch,
    },
    TaskFailed {
        id: TaskId,
        epoch: Epoch,
        trace: String,
    },
    TaskStopped {
        id: TaskId,
        epoch: Epoch,
    },
    /// What a running task waits for.
    TaskNote {
        id: TaskId,
        epoch: Epoch,
        note: Option<String>,
    },
    TopicUsed(TopicUse),
    TopicsReset {
        name: String,
    },
    RestartConnector {
        name: String,
    },
    RestartTask {
        id: TaskId,
    },
    /// The worker is about to end: stop everything.
    Closing,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    StartConnector {
        name: String,
        epoch: Epoch,
        config: Arc<Config>,
    },
    StopConnector {
        name: String,
        epoch: Epoch,
    },
    SplitWork {
        name: String,
        epoch: Epoch,
    },
    /// Append these to the config topic; when that fails, send `ReconfigurationRequested` later.
    WriteConfig {
        name: String,
        epoch: Epoch,
        records: Vec<ConfigRecord>,
    },
    StartTask {
        id: TaskId,
        epoch: Epoch,
        spec: TaskSpec,
        paused: bool,
    },
    StopTask {
        id: TaskId,
        epoch: Epoch,
    },
    PauseTask {
        id: TaskId,
        epoch: Epoch,
        paused: bool,
    },
    WriteStatus(StatusRecord),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    Failed(String),
    Stopping,
    /// A connector whose target is STOPPED.
    Stopped,
}

#[derive(Debug)]
struct ConnectorRun {
    epoch: Epoch,
    config: Arc<Config>,
    phase: Phase,
    restart: bool,
    /// Task configurations that were written and have not been read back.
    proposed: Option<Vec<Config>>,
}

#[derive(Debug)]
struct TaskRun {
    epoch: Epoch,
    spec: TaskSpec,
    phase: Phase,
    paused: bool,
    restart: bool,
    note: Option<String>,
}

/// The herder of one worker.
#[derive(Debug)]
pub struct Machine {
    worker_id: String,
    config: ConfigState,
    connectors: BTreeMap<String, ConnectorRun>,
    tasks: BTreeMap<TaskId, TaskRun>,
    reported: BTreeMap<StatusKey, Status>,
    topics: BTreeMap<String, BTreeMap<String, TopicUse>>,
    /// Connectors and tasks that a person restarts: RESTARTING until they run again.
    restarting: BTreeSet<StatusKey>,
    replayed: bool,
    closing: bool,
    next_epoch: Epoch,
}

/// The generation of a worker that is alone; in a group it is the group's.
const GENERATION: i32 = 1;

impl Machine {
    pub fn new(worker_id: &str) -> Machine {
        Machine {
            worker_id: worker_id.to_owned(),
            config: ConfigState::default(),
            connectors: BTreeMap::new(),
            tasks: BTreeMap::new(),
            reported: BTreeMap::new(),
            topics: BTreeMap::new(),
            restarting: BTreeSet::new(),
            replayed: false,
            closing: false,
            next_epoch: 1,
        }
    }

    pub fn config(&self) -> &ConfigState {
        &self.config
    }

    pub fn is_replayed(&self) -> bool {
        self.replayed
    }

    /// Whether nothing runs any more.
    pub fn is_closed(&self) -> bool {
        self.closing && self.connectors.is_empty() && self.tasks.is_empty()
    }

    /// The last status of a connector or task.
    pub fn status(&self, key: &StatusKey) -> Option<&Status> {
        self.reported.get(key)
    }

    /// The statuses of a connector's tasks, in order.
    pub fn task_statuses(&self, name: &str) -> Vec<(&TaskId, &Status)> {
        self.reported
            .iter()
            .filter_map(|(key, status)| match key {
                StatusKey::Task(id) if id.connector == name => Some((id, status)),
                _ => None,
            })
            .collect()
    }

    /// What a task waits for.
    pub fn note(&self, id: &TaskId) -> Option<&str> {
        self.tasks.get(id)?.note.as_deref()
    }

    /// The topics that a connector has used since they were last reset.
    pub fn topics(&self, name: &str) -> Vec<String> {
        self.topics.get(name).map(|topics| topics.keys().cloned().collect()).unwrap_or_default()
    }

    /// Whether a connector's target state and everything of it has come to rest at STOPPED.
    pub fn is_stopped(&self, name: &str) -> bool {
        let at_rest = self.connectors.get(name).is_some_and(|run| run.phase == Phase::Stopped);
        at_rest && !self.tasks.keys().any(|id| id.connector == name)
    }

    /// Takes an event in and says what is to be done.
    pub fn handle(&mut self, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        self.take_in(event, &mut out);
        if self.replayed {
            self.reconcile(&mut out);
            self.report(&mut out);
        }
        out
    }

    fn take_in(&mut self, event: Event, out: &mut Vec<Command>) {
        match event {
            Event::Config(ConfigRecord::Restart { name, include_tasks, only_failed }) => {
                if self.replayed {
                    self.restart(&name, include_tasks, only_failed);
                }
            }
            Event::Config(record) => self.take_config(record, out),
            Event::Status(record) => self.take_status(record),
            Event::Replayed => self.replayed = true,
            Event::ConnectorRunning { name, epoch } => {
                if let Some(run) = self.connector_run(&name, epoch)
                    && run.phase == Phase::Starting
                {
                    run.phase = Phase::Running;
                    self.restarting.remove(&StatusKey::Connector(name));
                }
            }
            Event::ConnectorFailed { name, epoch, trace } => {
                if let Some(run) = self.connector_run(&name, epoch) {
                    run.phase = Phase::Failed(trace);
                    self.restarting.remove(&StatusKey::Connector(name));
                }
            }
            Event::ConnectorStopped { name, epoch } => {
                if self.connector_run(&name, epoch).is_some() {
                    self.connectors.remove(&name);
                }
            }
            Event::TaskConfigs { name, epoch, configs } => {
                self.propose(&name, epoch, configs, out);
            }
            Event::ReconfigurationRequested { name, epoch } => {
                if let Some(run) = self.connector_run(&name, epoch)
                    && run.phase == Phase::Running
                {
                    run.proposed = None;
                    out.push(Command::SplitWork { name, epoch });
                }
            }
            Event::TopicUsed(usage) => self.use_topic(usage, out),
            Event::TopicsReset { name } => self.reset_topics(&name, out),
            Event::RestartConnector { name } => self.restart(&name, false, false),
            Event::RestartTask { id } => self.restart_task(&id),
            Event::Closing => self.closing = true,
            task => self.take_task_event(task),
        }
    }

    fn take_task_event(&mut self, event: Event) {
        match event {
            Event::TaskRunning { id, epoch } => {
                if let Some(run) = self.task_run(&id, epoch)
                    && run.phase == Phase::Starting
                {
                    run.phase = Phase::Running;
                    self.restarting.remove(&StatusKey::Task(id));
                }
            }
            Event::TaskFailed { id, epoch, trace } => {
                if let Some(run) = self.task_run(&id, epoch) {
                    run.phase = Phase::Failed(trace);
                    run.note = None;
                    self.restarting.remove(&StatusKey::Task(id));
                }
            }
            Event::TaskStopped { id, epoch } if self.task_run(&id, epoch).is_some() => {
                self.tasks.remove(&id);
            }
            Event::TaskNote { id, epoch, note } => {
                if let Some(run) = self.task_run(&id, epoch) {
                    run.note = note;
                }
            }
            _ => {}
        }
    }

    fn take_config(&mut self, record: ConfigRecord, out: &mut Vec<Command>) {
        if let ConfigRecord::Commit { name, .. } = &record
            && let Some(run) = self.connectors.get_mut(name)
        {
            run.proposed = None;
        }
        if let ConfigRecord::Connector { name, config: None } = &record {
            let name = name.clone();
            self.reset_topics(&name, out);
        }
        self.config.apply(record);
    }

    fn take_status(&mut self, record: StatusRecord) {
        match record {
            StatusRecord::Status { key, status: Some(status) } => {
                self.reported.insert(key, status);
            }
            StatusRecord::Status { key, status: None } => {
                self.reported.remove(&key);
            }
            StatusRecord::TopicUsed(usage) => {
                let topics = self.topics.entry(usage.connector.clone()).or_default();
                topics.insert(usage.topic.clone(), usage);
            }
            StatusRecord::TopicForgotten { topic, connector } => {
                if let Some(topics) = self.topics.get_mut(&connector) {
                    topics.remove(&topic);
                }
            }
        }
    }

    fn use_topic(&mut self, usage: TopicUse, out: &mut Vec<Command>) {
        if self.config.get(&usage.connector).is_none() {
            return;
        }
        let topics = self.topics.entry(usage.connector.clone()).or_default();
        if !topics.contains_key(&usage.topic) {
            topics.insert(usage.topic.clone(), usage.clone());
            out.push(Command::WriteStatus(StatusRecord::TopicUsed(usage)));
        }
    }

    fn reset_topics(&mut self, name: &str, out: &mut Vec<Command>) {
        for topic in self.topics.remove(name).unwrap_or_default().into_keys() {
            let connector = name.to_owned();
            out.push(Command::WriteStatus(StatusRecord::TopicForgotten { topic, connector }));
        }
    }

    fn connector_run(&mut self, name: &str, epoch: Epoch) -> Option<&mut ConnectorRun> {
        self.connectors.get_mut(name).filter(|run| run.epoch == epoch)
    }

    fn task_run(&mut self, id: &TaskId, epoch: Epoch) -> Option<&mut TaskRun> {
        self.tasks.get_mut(id).filter(|run| run.epoch == epoch)
    }

    fn restart(&mut self, name: &str, include_tasks: bool, only_failed: bool) {
        if let Some(run) = self.connectors.get_mut(name)
            && run.phase != Phase::Stopped
            && (!only_failed || matches!(run.phase, Phase::Failed(_)))
        {
            run.restart = true;
            self.restarting.insert(StatusKey::Connector(name.to_owned()));
        }
        if include_tasks {
            let ids: Vec<TaskId> = self
                .tasks
                .iter()
                .filter(|(id, run)| {
                    id.connector == name && (!only_failed || matches!(run.phase, Phase::Failed(_)))
                })
                .map(|(id, _)| id.clone())
                .collect();
            ids.iter().for_each(|id| self.restart_task(id));
        }
    }

    fn restart_task(&mut self, id: &TaskId) {
        if let Some(run) = self.tasks.get_mut(id) {
            run.restart = true;
            self.restarting.insert(StatusKey::Task(id.clone()));
        }
    }

    /// Writes the task configurations when they are not those that hold already.
    fn propose(&mut self, name: &str, epoch: Epoch, configs: Vec<Config>, out: &mut Vec<Command>) {
        let Some(run) = self.connectors.get_mut(name).filter(|run| run.epoch == epoch) else {
            return;
        };
        let Some(entry) = self.config.get(name) else { return };
        let applied = entry.applied.as_ref().is_some_and(|applied| {
            applied.connector == run.config
                && applied.tasks.len() == configs.len()
                && applied.tasks.iter().zip(&configs).all(|(old, new)| **old == *new)
        });
        if applied || run.proposed.as_ref() == Some(&configs) {
            return;
        }
        run.proposed = Some(configs.clone());
        let tasks = u32::try_from(configs.len()).unwrap_or(u32::MAX);
        let mut records: Vec<ConfigRecord> = (0..tasks)
            .zip(configs)
            .map(|(task, config)| ConfigRecord::Task { id: TaskId::new(name, task), config })
            .collect();
        records.push(ConfigRecord::Commit { name: name.to_owned(), tasks });
        out.push(Command::WriteConfig { name: name.to_owned(), epoch, records });
    }

    /// The connector as it should run on this worker.
    fn wanted_connector(&self, name: &str) -> Option<&ConnectorEntry> {
        if self.closing { None } else { self.config.get(name) }
    }

    /// The task as it should run on this worker, and whether it is paused.
    fn wanted_task(&self, id: &TaskId) -> Option<(TaskSpec, bool)> {
        let entry = self.wanted_connector(&id.connector)?;
        if entry.target == TargetState::Stopped {
            return None;
        }
        let applied = entry.applied.as_ref()?;
        let task = applied.tasks.get(usize::try_from(id.task).ok()?)?;
        let spec = TaskSpec { connector: Arc::clone(&applied.connector), task: Arc::clone(task) };
        Some((spec, entry.target == TargetState::Paused))
    }

    fn reconcile(&mut self, out: &mut Vec<Command>) {
        let connectors: BTreeSet<String> =
            self.config.connectors().keys().chain(self.connectors.keys()).cloned().collect();
        for name in connectors {
            self.reconcile_connector(&name, out);
        }
        let mut tasks: BTreeSet<TaskId> = self.tasks.keys().cloned().collect();
        for (name, entry) in self.config.connectors() {
            let count = entry.applied.as_ref().map_or(0, |applied| applied.tasks.len());
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            tasks.extend((0..count).map(|task| TaskId::new(name, task)));
        }
        for id in tasks {
            self.reconcile_task(&id, out);
        }
    }

    fn reconcile_connector(&mut self, name: &str, out: &mut Vec<Command>) {
        let wanted = self.wanted_connector(name).map(|entry| {
            let running = entry.target != TargetState::Stopped;
            (Arc::clone(&entry.config), running)
        });
        if let Some(run) = self.connectors.get_mut(name) {
            let as_wanted = match &wanted {
                Some((config, true)) => *config == run.config && !run.restart,
                _ => false,
            };
            match run.phase {
                Phase::Starting | Phase::Running if !as_wanted => {
                    run.phase = Phase::Stopping;
                    let epoch = run.epoch;
                    out.push(Command::StopConnector { name: name.to_owned(), epoch });
                    return;
                }
                Phase::Failed(_) if !as_wanted => {}
                Phase::Stopped if !matches!(wanted, Some((_, false))) => {}
                _ => return,
            }
            self.connectors.remove(name);
        }
        let Some((config, running)) = wanted else {
            self.restarting.remove(&StatusKey::Connector(name.to_owned()));
            return;
        };
        let epoch = self.take_epoch();
        let phase = if running { Phase::Starting } else { Phase::Stopped };
        let run = ConnectorRun {
            epoch,
            config: Arc::clone(&config),
            phase,
            restart: false,
            proposed: None,
        };
        self.connectors.insert(name.to_owned(), run);
        if running {
            out.push(Command::StartConnector { name: name.to_owned(), epoch, config });
        } else {
            self.commit_no_tasks(name, epoch, out);
        }
    }

    /// A connector that is STOPPED has no tasks: they are made anew when it is resumed.
    fn commit_no_tasks(&mut self, name: &str, epoch: Epoch, out: &mut Vec<Command>) {
        let entry = self.config.get(name);
        let none = entry
            .and_then(|entry| entry.applied.as_ref())
            .is_some_and(|applied| applied.tasks.is_empty());
        if !none {
            let records = vec![ConfigRecord::Commit { name: name.to_owned(), tasks: 0 }];
            out.push(Command::WriteConfig { name: name.to_owned(), epoch, records });
        }
    }

    fn reconcile_task(&mut self, id: &TaskId, out: &mut Vec<Command>) {
        let wanted = self.wanted_task(id);
        if let Some(run) = self.tasks.get_mut(id) {
            let epoch = run.epoch;
            let as_wanted =
                wanted.as_ref().is_some_and(|(spec, _)| *spec == run.spec && !run.restart);
            match (&run.phase, &wanted) {
                (Phase::Starting | Phase::Running, Some((_, paused))) if as_wanted => {
                    if run.paused != *paused {
                        run.paused = *paused;
                        let (id, paused) = (id.clone(), *paused);
                        out.push(Command::PauseTask { id, epoch, paused });
                    }
                    return;
                }
                (Phase::Starting | Phase::Running, _) => {
                    run.phase = Phase::Stopping;
                    run.note = None;
                    out.push(Command::StopTask { id: id.clone(), epoch });
                    return;
                }
                (Phase::Failed(_), _) if !as_wanted => {}
                _ => return,
            }
            self.tasks.remove(id);
        }
        let Some((spec, paused)) = wanted else {
            self.restarting.remove(&StatusKey::Task(id.clone()));
            return;
        };
        let epoch = self.take_epoch();
        let run = TaskRun {
            epoch,
            spec: spec.clone(),
            phase: Phase::Starting,
            paused,
            restart: false,
            note: None,
        };
        self.tasks.insert(id.clone(), run);
        out.push(Command::StartTask { id: id.clone(), epoch, spec, paused });
    }

    fn take_epoch(&mut self) -> Epoch {
        let epoch = self.next_epoch;
        self.next_epoch += 1;
        epoch
    }

    /// Writes the statuses that have changed.
    fn report(&mut self, out: &mut Vec<Command>) {
        let mut current: BTreeMap<StatusKey, (State, Option<String>)> = BTreeMap::new();
        for (name, run) in &self.connectors {
            let paused =
                self.config.get(name).is_some_and(|entry| entry.target == TargetState::Paused);
            let key = StatusKey::Connector(name.clone());
            let status = self.state_of(&key, &run.phase, paused);
            current.insert(key, status);
        }
        for (id, run) in &self.tasks {
            let key = StatusKey::Task(id.clone());
            let status = self.state_of(&key, &run.phase, run.paused);
            current.insert(key, status);
        }
        let gone: Vec<StatusKey> =
            self.reported.keys().filter(|key| !current.contains_key(key)).cloned().collect();
        for key in gone {
            if self.closing && self.config.get(key.connector()).is_some() {
                current.insert(key, (State::Unassigned, None));
            } else {
                self.reported.remove(&key);
                out.push(Command::WriteStatus(StatusRecord::Status { key, status: None }));
            }
        }
        for (key, (state, trace)) in current {
            let (worker_id, generation) = (self.worker_id.clone(), GENERATION);
            let status = Status { state, trace, worker_id, generation };
            if self.reported.get(&key) != Some(&status) {
                self.reported.insert(key.clone(), status.clone());
                out.push(Command::WriteStatus(StatusRecord::Status { key, status: Some(status) }));
            }
        }
    }

    fn state_of(&self, key: &StatusKey, phase: &Phase, paused: bool) -> (State, Option<String>) {
        let state = match phase {
            Phase::Failed(trace) => return (State::Failed, Some(trace.clone())),
            Phase::Starting | Phase::Stopping if self.restarting.contains(key) => State::Restarting,
            Phase::Starting => State::Unassigned,
            // What is stopping keeps its last word until it has stopped.
            Phase::Stopping => match self.reported.get(key) {
                Some(last) => return (last.state, last.trace.clone()),
                None => State::Unassigned,
            },
            // Once its last task has stopped, too: then its offsets may be edited.
            Phase::Stopped if self.tasks.keys().any(|id| id.connector == key.connector()) => {
                match self.reported.get(key) {
                    Some(last) => return (last.state, last.trace.clone()),
                    None => State::Unassigned,
                }
            }
            Phase::Stopped => State::Stopped,
            Phase::Running if paused => State::Paused,
            Phase::Running => State::Running,
        };
        (state, None)
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
