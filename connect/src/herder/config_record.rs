//! Records of the config topic, in Kafka's format (`KafkaConfigBackingStore`).
//!
//! | key | value |
//! |---|---|
//! | `connector-<name>` | `{"properties":{…}}` |
//! | `task-<name>-<n>` | `{"properties":{…}}` |
//! | `commit-<name>` | `{"tasks":n}` |
//! | `target-state-<name>` | `{"state":"PAUSED","state.v2":"STOPPED"}` |
//! | `restart-connector-<name>` | `{"include-tasks":b,"only-failed":b}` |

use serde_json::{Value as Json, json};

use super::names::{TargetState, TaskId};
use crate::config::Config;

/// A record of the config topic. `None` stands for a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigRecord {
    Connector { name: String, config: Option<Config> },
    Task { id: TaskId, config: Config },
    Commit { name: String, tasks: u32 },
    TargetState { name: String, state: Option<TargetState> },
    Restart { name: String, include_tasks: bool, only_failed: bool },
}

/// A record of the config topic that is not in Kafka's format: it is logged and passed over.
#[derive(Debug, thiserror::Error)]
#[error("the record {key} of the config topic is not in Kafka's format: {why}")]
pub struct ConfigRecordError {
    key: String,
    why: &'static str,
}

const CONNECTOR: &str = "connector-";
const TASK: &str = "task-";
const COMMIT: &str = "commit-";
const TARGET_STATE: &str = "target-state-";
const RESTART: &str = "restart-connector-";

impl ConfigRecord {
    /// Reads a record. `None` for the kinds that concern a cluster of workers (session keys, fencing, log levels).
    ///
    /// # Errors
    /// When the record is of a known kind and its value is not.
    pub fn parse(
        key: &str,
        value: Option<&[u8]>,
    ) -> Result<Option<ConfigRecord>, ConfigRecordError> {
        let wrong = |why| ConfigRecordError { key: key.to_owned(), why };
        let json: Option<Json> = match value {
            None => None,
            Some(bytes) => {
                Some(serde_json::from_slice(bytes).map_err(|_| wrong("its value is no JSON"))?)
            }
        };
        let record = if let Some(name) = key.strip_prefix(TARGET_STATE) {
            let state = json.as_ref().map(target_state).transpose().map_err(wrong)?;
            ConfigRecord::TargetState { name: name.to_owned(), state }
        } else if let Some(name) = key.strip_prefix(RESTART) {
            let json = json.ok_or_else(|| wrong("it has no value"))?;
            ConfigRecord::Restart {
                name: name.to_owned(),
                include_tasks: json["include-tasks"].as_bool().unwrap_or(false),
                only_failed: json["only-failed"].as_bool().unwrap_or(false),
            }
        } else if let Some(name) = key.strip_prefix(CONNECTOR) {
            let config = json.as_ref().map(properties).transpose().map_err(wrong)?;
            ConfigRecord::Connector { name: name.to_owned(), config }
        } else if let Some(id) = key.strip_prefix(TASK) {
            let (name, task) = id.rsplit_once('-').ok_or_else(|| wrong("it names no task"))?;
            let task = task.parse().map_err(|_| wrong("it names no task"))?;
            let json = json.ok_or_else(|| wrong("it has no value"))?;
            ConfigRecord::Task {
                id: TaskId::new(name, task),
                config: properties(&json).map_err(wrong)?,
            }
        } else if let Some(name) = key.strip_prefix(COMMIT) {
            let json = json.ok_or_else(|| wrong("it has no value"))?;
            let tasks = json["tasks"].as_u64().and_then(|tasks| u32::try_from(tasks).ok());
            let tasks = tasks.ok_or_else(|| wrong("it has no number of tasks"))?;
            ConfigRecord::Commit { name: name.to_owned(), tasks }
        } else {
            return Ok(None);
        };
        Ok(Some(record))
    }

    /// The record's key and value.
    pub fn encode(&self) -> (String, Option<String>) {
        let properties = |config: &Config| json!({ "properties": config }).to_string();
        match self {
            ConfigRecord::Connector { name, config } => {
                (format!("{CONNECTOR}{name}"), config.as_ref().map(properties))
            }
            ConfigRecord::Task { id, config } => (format!("{TASK}{id}"), Some(properties(config))),
            ConfigRecord::Commit { name, tasks } => {
                (format!("{COMMIT}{name}"), Some(json!({ "tasks": tasks }).to_string()))
            }
            ConfigRecord::TargetState { name, state } => (
                format!("{TARGET_STATE}{name}"),
                state.map(|state| {
                    // Workers before 3.5 read "state" alone and know no STOPPED.
                    let old =
                        if state == TargetState::Started { state } else { TargetState::Paused };
                    json!({ "state": old.name(), "state.v2": state.name() }).to_string()
                }),
            ),
            ConfigRecord::Restart { name, include_tasks, only_failed } => (
                format!("{RESTART}{name}"),
                Some(
                    json!({ "include-tasks": include_tasks, "only-failed": only_failed })
                        .to_string(),
                ),
            ),
        }
    }
}

fn target_state(json: &Json) -> Result<TargetState, &'static str> {
    let word = json["state.v2"].as_str().or_else(|| json["state"].as_str());
    word.and_then(TargetState::parse).ok_or("it has no known state")
}

fn properties(json: &Json) -> Result<Config, &'static str> {
    let Json::Object(properties) = &json["properties"] else {
        return Err("it has no properties");
    };
    properties
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| match value {
            Json::String(value) => Ok((key.clone(), value.clone())),
            _ => Err("a property is no string"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_kafkas_and_read_back() {
        let config = Config::from([("file".to_owned(), "a".to_owned())]);
        let task = TaskId::new("my-source-2", 1);
        for (record, key, value) in [
            (
                ConfigRecord::Connector { name: "a".into(), config: Some(config.clone()) },
                "connector-a",
                Some(r#"{"properties":{"file":"a"}}"#),
            ),
            (ConfigRecord::Connector { name: "a".into(), config: None }, "connector-a", None),
            (
                ConfigRecord::Task { id: task, config },
                "task-my-source-2-1",
                Some(r#"{"properties":{"file":"a"}}"#),
            ),
            (
                ConfigRecord::Commit { name: "a".into(), tasks: 2 },
                "commit-a",
                Some(r#"{"tasks":2}"#),
            ),
            (
                ConfigRecord::TargetState { name: "a".into(), state: Some(TargetState::Stopped) },
                "target-state-a",
                Some(r#"{"state":"PAUSED","state.v2":"STOPPED"}"#),
            ),
            (
                ConfigRecord::Restart { name: "a".into(), include_tasks: true, only_failed: false },
                "restart-connector-a",
                Some(r#"{"include-tasks":true,"only-failed":false}"#),
            ),
        ] {
            assert_eq!(record.encode(), (key.to_owned(), value.map(str::to_owned)));
            let back = ConfigRecord::parse(key, value.map(str::as_bytes)).unwrap();
            assert_eq!(back, Some(record));
        }
    }

    #[test]
    fn old_and_foreign_records_are_understood_or_passed_over() {
        let old = ConfigRecord::parse("target-state-a", Some(br#"{"state":"PAUSED"}"#)).unwrap();
        let expected =
            ConfigRecord::TargetState { name: "a".into(), state: Some(TargetState::Paused) };
        assert_eq!(old, Some(expected));
        assert_eq!(ConfigRecord::parse("session-key", Some(b"{}")).unwrap(), None);
        for (key, value) in [
            ("connector-a", &b"{}"[..]),
            ("connector-a", b"nonsense"),
            ("task-a", b"{}"),
            ("task-a-x", br#"{"properties":{}}"#),
            ("commit-a", br#"{"tasks":-1}"#),
            ("target-state-a", br#"{"state":"SOMEWHAT"}"#),
            ("connector-a", br#"{"properties":{"a":1}}"#),
        ] {
            assert!(ConfigRecord::parse(key, Some(value)).is_err(), "{key}");
        }
        assert!(ConfigRecord::parse("commit-a", None).is_err());
    }
}
