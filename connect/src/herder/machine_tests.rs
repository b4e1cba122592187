//! Tests of the herder's decisions: what is commanded, and what the statuses say.

use super::*;

fn config(value: &str) -> Config {
    Config::from([("file".to_owned(), value.to_owned())])
}

fn connector(value: &str) -> Event {
    Event::Config(ConfigRecord::Connector { name: "a".into(), config: Some(config(value)) })
}

fn target(state: TargetState) -> Event {
    Event::Config(ConfigRecord::TargetState { name: "a".into(), state: Some(state) })
}

/// A worker whose connectors split their work in one task with the connector's own configuration. It carries every
/// command out at once, as the executor does in the end.
struct Worker {
    machine: Machine,
    log: Vec<String>,
    /// Tasks whose start fails.
    broken: bool,
    statuses: BTreeMap<String, String>,
}

impl Worker {
    fn new() -> Worker {
        let mut worker = Worker {
            machine: Machine::new("w:8083"),
            log: Vec::new(),
            broken: false,
            statuses: BTreeMap::new(),
        };
        worker.tell(Event::Replayed);
        worker
    }

    /// Handles an event and everything that follows from it; returns what was done.
    fn tell(&mut self, event: Event) -> Vec<String> {
        let mut events = std::collections::VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for command in self.machine.handle(event) {
                events.extend(self.carry_out(command));
            }
        }
        std::mem::take(&mut self.log)
    }

    fn carry_out(&mut self, command: Command) -> Vec<Event> {
        match command {
            Command::StartConnector { name, epoch, config } => {
                self.log.push(format!("start {name}"));
                let configs = vec![(*config).clone()];
                vec![
                    Event::ConnectorRunning { name: name.clone(), epoch },
                    Event::TaskConfigs { name, epoch, configs },
                ]
            }
            Command::StopConnector { name, epoch } => {
                self.log.push(format!("stop {name}"));
                vec![Event::ConnectorStopped { name, epoch }]
            }
            Command::SplitWork { name, .. } => {
                self.log.push(format!("split {name}"));
                Vec::new()
            }
            Command::WriteConfig { records, .. } => {
                self.log.push(format!("write {}", records.len()));
                records.into_iter().map(Event::Config).collect()
            }
            Command::StartTask { id, epoch, paused, spec } => {
                let paused = if paused { " paused" } else { "" };
                self.log.push(format!("start {id} {}{paused}", spec.task["file"]));
                if self.broken {
                    return vec![Event::TaskFailed { id, epoch, trace: "broken".into() }];
                }
                vec![Event::TaskRunning { id, epoch }]
            }
            Command::StopTask { id, epoch } => {
                self.log.push(format!("stop {id}"));
                vec![Event::TaskStopped { id, epoch }]
            }
            Command::PauseTask { id, paused, .. } => {
                self.log.push(format!("{} {id}", if paused { "pause" } else { "resume" }));
                Vec::new()
            }
            Command::WriteStatus(record) => {
                let (key, value) = record.encode();
                match value {
                    Some(value) => self.statuses.insert(key, value),
                    None => self.statuses.remove(&key),
                };
                Vec::new()
            }
        }
    }

    fn state(&self, key: &StatusKey) -> Option<State> {
        self.machine.status(key).map(|status| status.state)
    }

    fn connector_state(&self) -> Option<State> {
        self.state(&StatusKey::Connector("a".into()))
    }

    fn task_state(&self) -> Option<State> {
        self.state(&StatusKey::Task(TaskId::new("a", 0)))
    }
}

#[test]
fn a_new_connector_splits_its_work_and_its_tasks_start() {
    let mut worker = Worker::new();
    assert_eq!(worker.tell(connector("1")), ["start a", "write 2", "start a-0 1"]);
    assert_eq!(worker.connector_state(), Some(State::Running));
    assert_eq!(worker.task_state(), Some(State::Running));
    assert_eq!(
        worker.statuses["status-task-a-0"],
        r#"{"state":"RUNNING","trace":null,"worker_id":"w:8083","generation":1}"#
    );
}

#[test]
fn a_restarted_worker_starts_what_the_topic_says_and_writes_nothing() {
    let mut machine = Machine::new("w:8083");
    let task = ConfigRecord::Task { id: TaskId::new("a", 0), config: config("1") };
    for event in [
        connector("1"),
        Event::Config(task),
        Event::Config(ConfigRecord::Commit { name: "a".into(), tasks: 1 }),
        Event::Config(ConfigRecord::Restart {
            name: "a".into(),
            include_tasks: true,
            only_failed: false,
        }),
    ] {
        assert_eq!(machine.handle(event), []);
    }
    let mut worker = Worker { machine, log: Vec::new(), broken: false, statuses: BTreeMap::new() };
    assert_eq!(worker.tell(Event::Replayed), ["start a", "start a-0 1"]);
}

#[test]
fn a_changed_connector_restarts_and_then_its_tasks() {
    let mut worker = Worker::new();
    worker.tell(connector("1"));
    assert_eq!(
        worker.tell(connector("2")),
        ["stop a", "start a", "write 2", "stop a-0", "start a-0 2"]
    );
    assert!(worker.tell(connector("2")).is_empty(), "nothing changed");
}

#[test]
fn pause_resume_and_stop() {
    let mut worker = Worker::new();
    worker.tell(connector("1"));
    assert_eq!(worker.tell(target(TargetState::Paused)), ["pause a-0"]);
    assert_eq!(worker.connector_state(), Some(State::Paused));
    assert_eq!(worker.task_state(), Some(State::Paused));
    assert_eq!(worker.tell(target(TargetState::Started)), ["resume a-0"]);
    assert_eq!(worker.task_state(), Some(State::Running));
    assert!(!worker.machine.is_stopped("a"));
    assert_eq!(worker.tell(target(TargetState::Stopped)), ["stop a", "stop a-0", "write 1"]);
    assert_eq!(worker.connector_state(), Some(State::Stopped));
    assert_eq!(worker.task_state(), None);
    assert!(worker.machine.is_stopped("a"));
    let done = worker.tell(target(TargetState::Started));
    assert_eq!(done, ["start a", "write 2", "start a-0 1"]);
}

#[test]
fn a_connector_may_be_created_paused_or_stopped() {
    let mut worker = Worker::new();
    worker.tell(target(TargetState::Paused));
    assert_eq!(worker.tell(connector("1")), ["start a", "write 2", "start a-0 1 paused"]);
    assert_eq!(worker.task_state(), Some(State::Paused));
    let mut worker = Worker::new();
    worker.tell(target(TargetState::Stopped));
    assert_eq!(worker.tell(connector("1")), ["write 1"]);
    assert_eq!(worker.connector_state(), Some(State::Stopped));
}

#[test]
fn a_deleted_connector_leaves_no_status() {
    let mut worker = Worker::new();
    worker.tell(connector("1"));
    let usage =
        TopicUse { topic: "lines".into(), connector: "a".into(), task: 0, discovered_ms: 1 };
    worker.tell(Event::TopicUsed(usage));
    assert_eq!(worker.machine.topics("a"), ["lines"]);
    let gone = Event::Config(ConfigRecord::Connector { name: "a".into(), config: None });
    assert_eq!(worker.tell(gone), ["stop a", "stop a-0"]);
    assert!(worker.statuses.is_empty(), "{:?}", worker.statuses);
    assert!(worker.machine.topics("a").is_empty());
}

#[test]
fn a_failed_task_stays_failed_until_it_is_restarted() {
    let mut worker = Worker::new();
    worker.broken = true;
    worker.tell(connector("1"));
    assert_eq!(worker.task_state(), Some(State::Failed));
    let status = worker.machine.status(&StatusKey::Task(TaskId::new("a", 0))).unwrap();
    assert_eq!(status.trace.as_deref(), Some("broken"));
    assert!(worker.tell(connector("1")).is_empty());
    worker.broken = false;
    let restart =
        ConfigRecord::Restart { name: "a".into(), include_tasks: true, only_failed: true };
    assert_eq!(worker.tell(Event::Config(restart.clone())), ["start a-0 1"]);
    assert_eq!(worker.task_state(), Some(State::Running));
    assert!(worker.tell(Event::Config(restart)).is_empty(), "nothing is FAILED");
}

#[test]
fn a_restart_is_told_while_it_lasts() {
    let mut worker = Worker::new();
    worker.tell(connector("1"));
    let id = TaskId::new("a", 0);
    let commands = worker.machine.handle(Event::RestartTask { id: id.clone() });
    let epoch = commands
        .iter()
        .find_map(|command| match command {
            Command::StopTask { epoch, .. } => Some(*epoch),
            _ => None,
        })
        .unwrap();
    assert_eq!(worker.task_state(), Some(State::Restarting));
    assert_eq!(worker.tell(Event::TaskStopped { id, epoch }), ["start a-0 1"]);
    assert_eq!(worker.task_state(), Some(State::Running));
}

#[test]
fn events_of_an_old_epoch_say_nothing() {
    let mut worker = Worker::new();
    worker.tell(connector("1"));
    let id = TaskId::new("a", 0);
    worker.tell(Event::TaskFailed { id: id.clone(), epoch: 999, trace: "old".into() });
    worker.tell(Event::TaskStopped { id, epoch: 999 });
    worker.tell(Event::ConnectorFailed { name: "a".into(), epoch: 999, trace: "old".into() });
    assert_eq!(worker.task_state(), Some(State::Running));
    assert_eq!(worker.connector_state(), Some(State::Running));
}

#[test]
fn half_written_tasks_are_made_anew() {
    let mut machine = Machine::new("w:8083");
    machine.handle(connector("1"));
    machine.handle(Event::Config(ConfigRecord::Commit { name: "a".into(), tasks: 2 }));
    let mut worker = Worker { machine, log: Vec::new(), broken: false, statuses: BTreeMap::new() };
    assert_eq!(worker.tell(Event::Replayed), ["start a", "write 2", "start a-0 1"]);
}

#[test]
fn a_closing_worker_stops_everything_and_leaves_it_unassigned() {
    let mut worker = Worker::new();
    worker.tell(connector("1"));
    assert!(!worker.machine.is_closed());
    assert_eq!(worker.tell(Event::Closing), ["stop a", "stop a-0"]);
    assert!(worker.machine.is_closed());
    assert_eq!(worker.connector_state(), Some(State::Unassigned));
    assert_eq!(worker.task_state(), Some(State::Unassigned));
}

#[test]
fn a_note_of_a_running_task_is_shown_until_it_ends() {
    let mut worker = Worker::new();
    worker.tell(connector("1"));
    let id = TaskId::new("a", 0);
    let epoch = worker.machine.tasks[&id].epoch;
    let note = Some("waits for a file".to_owned());
    worker.tell(Event::TaskNote { id: id.clone(), epoch, note });
    assert_eq!(worker.machine.note(&id), Some("waits for a file"));
    worker.tell(Event::TaskFailed { id: id.clone(), epoch, trace: "x".into() });
    assert_eq!(worker.machine.note(&id), None);
}
