//! After the steps: what the connector and its tasks do.

use std::collections::BTreeMap;

use crds::connector::TaskStatus;
use crds::{ConnectorState, ConnectorStatus, Reason};

use super::plan::Live;
use super::validate::Wanted;
use crate::connect_rest::ConnectorInfo;
use crate::verdict::Verdict;

/// Words in a key that make its value a secret.
const SECRET_WORDS: &[&str] = &[
    "password",
    "secret",
    "token",
    "credential",
    "passphrase",
    "private",
    "access.key",
    "api.key",
    "jaas",
];
/// Shorter values are not looked for: they would blot out whole sentences.
const MIN_SECRET_CHARS: usize = 3;
/// Longest trace in the status, in characters.
const MAX_TRACE_CHARS: usize = 400;
/// Most tasks that the status lists.
const MAX_TASKS: usize = 100;

pub(crate) fn status(wanted: &Wanted, live: &Live) -> (Verdict, ConnectorStatus) {
    match &live.info {
        Some(info) => (verdict(wanted, info), copy(info, &wanted.config)),
        None => (starting("the workers have not started it yet"), ConnectorStatus::default()),
    }
}

fn verdict(wanted: &Wanted, info: &ConnectorInfo) -> Verdict {
    if let Some(text) = failure(info, &wanted.config) {
        return Verdict::stalled(Reason::ConnectorFailed, text);
    }
    let running = info.tasks.iter().filter(|t| t.state == "RUNNING").count();
    let state = info.connector.state.as_str();
    match wanted.state {
        ConnectorState::Running
            if state == "RUNNING" && running > 0 && running == info.tasks.len() =>
        {
            Verdict::ready(format!("{running} of {running} tasks run"))
        }
        ConnectorState::Running => starting(&format!(
            "the connector is {state}, {running} of {} tasks run",
            info.tasks.len()
        )),
        suspended if state == suspended.as_kafka() => Verdict::Ready(
            Reason::ConnectorSuspended,
            format!("{}, as the spec asks", state.to_lowercase()),
        ),
        suspended => {
            starting(&format!("the connector is {state} and will be {}", suspended.as_kafka()))
        }
    }
}

fn starting(text: &str) -> Verdict {
    Verdict::working(Reason::ConnectorStarting, text)
}

/// The first failure, of the connector or of a task.
fn failure(info: &ConnectorInfo, config: &BTreeMap<String, String>) -> Option<String> {
    let line = |trace: &Option<String>| first_line(trace.as_deref().unwrap_or("no trace"), config);
    if info.connector.state == "FAILED" {
        return Some(format!("the connector failed: {}", line(&info.connector.trace)));
    }
    let task = info.tasks.iter().find(|t| t.state == "FAILED")?;
    Some(format!("task {} failed: {}", task.id, line(&task.trace)))
}

/// The workers' words, without secrets.
pub(crate) fn copy(info: &ConnectorInfo, config: &BTreeMap<String, String>) -> ConnectorStatus {
    let task = |task: &crate::connect_rest::TaskInfo| TaskStatus {
        id: task.id,
        state: task.state.clone(),
        worker: task.worker_id.clone(),
        trace: task.trace.as_deref().filter(|t| !t.is_empty()).map(|t| first_line(t, config)),
    };
    let mut tasks: Vec<_> = info.tasks.iter().take(MAX_TASKS).map(task).collect();
    tasks.sort_by_key(|t| t.id);
    tasks.dedup_by_key(|t| t.id);
    let running = tasks.iter().filter(|t| t.state == "RUNNING").count();
    ConnectorStatus {
        state: Some(info.connector.state.clone()),
        tasks_running: Some(format!("{running}/{}", info.tasks.len())),
        tasks,
        ..Default::default()
    }
}

/// The first line of a trace, cut and without the values of secret keys.
fn first_line(trace: &str, config: &BTreeMap<String, String>) -> String {
    let mut line = trace.trim().lines().next().unwrap_or_default().to_owned();
    let is_secret = |key: &str| SECRET_WORDS.iter().any(|word| key.to_lowercase().contains(word));
    for (_, value) in config
        .iter()
        .filter(|(key, value)| is_secret(key) && value.chars().count() >= MIN_SECRET_CHARS)
    {
        line = line.replace(value, "****");
    }
    line.chars().take(MAX_TRACE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(state: ConnectorState) -> Wanted {
        let config = BTreeMap::from([("connection.password".to_owned(), "hunter2".to_owned())]);
        Wanted { name: "in".into(), url: "http://c".into(), config, state }
    }

    fn look(spec: ConnectorState, info: serde_json::Value) -> (Verdict, ConnectorStatus) {
        let info = serde_json::from_value(info).unwrap();
        status(&wanted(spec), &Live { config: None, info: Some(info) })
    }

    #[test]
    fn a_connector_is_ready_with_all_its_tasks() {
        let (verdict, status) = look(
            ConnectorState::Running,
            serde_json::json!({"connector": {"state": "RUNNING", "worker_id": "w"}, "tasks": [{"id": 0, "state": "RUNNING", "worker_id": "w:1"}]}),
        );
        assert_eq!(verdict, Verdict::ready("1 of 1 tasks run"));
        assert_eq!(status.tasks_running.as_deref(), Some("1/1"));
        assert_eq!(status.tasks[0].worker.as_deref(), Some("w:1"));
    }

    #[test]
    fn without_tasks_it_is_still_starting() {
        let (verdict, _) = look(
            ConnectorState::Running,
            serde_json::json!({"connector": {"state": "RUNNING"}, "tasks": []}),
        );
        assert_eq!(verdict.reason(), Reason::ConnectorStarting);
    }

    #[test]
    fn a_failed_task_stalls_with_one_line_and_no_secret() {
        let (verdict, status) = look(
            ConnectorState::Running,
            serde_json::json!({"connector": {"state": "RUNNING"}, "tasks": [
                {"id": 0, "state": "FAILED", "trace": "java.lang.X: no access for hunter2\n\tat a.b.C"}]}),
        );
        assert_eq!(
            verdict,
            Verdict::stalled(
                Reason::ConnectorFailed,
                "task 0 failed: java.lang.X: no access for ****"
            )
        );
        assert_eq!(status.tasks[0].trace.as_deref(), Some("java.lang.X: no access for ****"));
    }

    #[test]
    fn a_paused_connector_is_as_the_spec_asks() {
        let info = serde_json::json!({"connector": {"state": "PAUSED"}, "tasks": [{"id": 0, "state": "PAUSED"}]});
        let (verdict, _) = look(ConnectorState::Paused, info);
        assert_eq!(
            verdict,
            Verdict::Ready(Reason::ConnectorSuspended, "paused, as the spec asks".into())
        );
    }
}
