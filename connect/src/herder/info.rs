//! What the herder tells about connectors, in the JSON shapes of Kafka's REST API.

use serde::Serialize;

use super::names::{State, TaskId};
use super::status_record::Status;
use crate::config::Config;

/// `ConnectorInfo`. Secrets are hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectorInfo {
    pub name: String,
    pub config: Config,
    pub tasks: Vec<TaskName>,
    #[serde(rename = "type")]
    pub type_: &'static str,
}

/// `ConnectorTaskId`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskName {
    pub connector: String,
    pub task: u32,
}

impl From<&TaskId> for TaskName {
    fn from(id: &TaskId) -> Self {
        TaskName { connector: id.connector.clone(), task: id.task }
    }
}

/// `TaskInfo`: a task and its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskInfo {
    pub id: TaskName,
    pub config: Config,
}

/// `ConnectorStateInfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectorStatus {
    pub name: String,
    pub connector: ConnectorState,
    pub tasks: Vec<TaskState>,
    #[serde(rename = "type")]
    pub type_: &'static str,
}

impl ConnectorStatus {
    /// Whether the connector and all its tasks (at least one) run.
    pub fn is_running(&self) -> bool {
        let running = State::Running.name();
        self.connector.state == running
            && !self.tasks.is_empty()
            && self.tasks.iter().all(|task| task.state == running)
    }

    /// The first trace of what has failed.
    pub fn failure(&self) -> Option<&str> {
        let failed = State::Failed.name();
        if self.connector.state == failed {
            return Some(self.connector.trace.as_deref().unwrap_or_default());
        }
        let task = self.tasks.iter().find(|task| task.state == failed)?;
        Some(task.trace.as_deref().unwrap_or_default())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectorState {
    pub state: &'static str,
    pub worker_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

impl From<&Status> for ConnectorState {
    fn from(status: &Status) -> Self {
        ConnectorState {
            state: status.state.name(),
            worker_id: status.worker_id.clone(),
            trace: status.trace.clone(),
        }
    }
}

/// A task's state; `message` (not in Kafka) says what a task that runs waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskState {
    pub id: u32,
    pub state: &'static str,
    pub worker_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl TaskState {
    pub fn new(id: u32, status: &Status, message: Option<&str>) -> TaskState {
        TaskState {
            id,
            state: status.state.name(),
            worker_id: status.worker_id.clone(),
            trace: status.trace.clone(),
            message: message.map(str::to_owned),
        }
    }
}

/// How far a connector has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Idle {
    /// A source: at the end of what there is, all of it acknowledged and its offsets committed. A sink: everything in
    /// its topics is written, flushed and committed.
    Idle,
    /// Not yet, and why.
    Busy(String),
    /// The connector or a task is FAILED; this is its trace.
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: State, trace: Option<&str>) -> Status {
        let trace = trace.map(str::to_owned);
        Status { state, trace, worker_id: "w:1".into(), generation: 1 }
    }

    #[test]
    fn status_has_kafkas_shape() {
        let running = status(State::Running, None);
        let failed = status(State::Failed, Some("broken"));
        let info = ConnectorStatus {
            name: "a".into(),
            connector: (&running).into(),
            tasks: vec![
                TaskState::new(0, &running, Some("waits for a file")),
                TaskState::new(1, &failed, None),
            ],
            type_: "source",
        };
        assert_eq!(
            serde_json::to_string(&info).unwrap(),
            concat!(
                r#"{"name":"a","connector":{"state":"RUNNING","worker_id":"w:1"},"tasks":["#,
                r#"{"id":0,"state":"RUNNING","worker_id":"w:1","message":"waits for a file"},"#,
                r#"{"id":1,"state":"FAILED","worker_id":"w:1","trace":"broken"}],"type":"source"}"#
            )
        );
        assert_eq!(info.failure(), Some("broken"));
        assert!(!info.is_running());
    }
}
