//! Records of the status topic, in Kafka's format (`KafkaStatusBackingStore`).
//!
//! | key | value |
//! |---|---|
//! | `status-connector-<name>` | `{"state":…,"trace":…,"worker_id":…,"generation":n}` |
//! | `status-task-<name>-<n>` | the same |
//! | `status-topic-<topic>:connector-<name>` | `{"topic":{"name":…,"connector":…,"task":n,"discoverTimestamp":ms}}` |

use serde_json::{Value as Json, json};

use super::names::{State, TaskId};

/// Whose status a record tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusKey {
    Connector(String),
    Task(TaskId),
}

impl StatusKey {
    pub fn connector(&self) -> &str {
        match self {
            StatusKey::Connector(name) => name,
            StatusKey::Task(id) => &id.connector,
        }
    }
}

/// The status of a connector or task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub state: State,
    pub trace: Option<String>,
    pub worker_id: String,
    pub generation: i32,
}

/// A topic that a connector reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicUse {
    pub topic: String,
    pub connector: String,
    pub task: u32,
    pub discovered_ms: i64,
}

/// A record of the status topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusRecord {
    Status { key: StatusKey, status: Option<Status> },
    TopicUsed(TopicUse),
    TopicForgotten { topic: String, connector: String },
}

const CONNECTOR: &str = "status-connector-";
const TASK: &str = "status-task-";
const TOPIC: &str = "status-topic-";
const TOPIC_CONNECTOR: &str = ":connector-";

impl StatusRecord {
    /// Reads a record; `None` when it is not in Kafka's format, which loses nothing but a status.
    pub fn parse(key: &str, value: Option<&[u8]>) -> Option<StatusRecord> {
        let json: Option<Json> = match value {
            None => None,
            Some(bytes) => Some(serde_json::from_slice(bytes).ok()?),
        };
        if let Some(rest) = key.strip_prefix(TOPIC) {
            let (topic, connector) = rest.split_once(TOPIC_CONNECTOR)?;
            let (topic, connector) = (topic.to_owned(), connector.to_owned());
            let Some(json) = json else {
                return Some(StatusRecord::TopicForgotten { topic, connector });
            };
            let json = &json["topic"];
            return Some(StatusRecord::TopicUsed(TopicUse {
                topic,
                connector,
                task: json["task"].as_u64().and_then(|task| u32::try_from(task).ok())?,
                discovered_ms: json["discoverTimestamp"].as_i64()?,
            }));
        }
        let key = if let Some(name) = key.strip_prefix(CONNECTOR) {
            StatusKey::Connector(name.to_owned())
        } else {
            let (name, task) = key.strip_prefix(TASK)?.rsplit_once('-')?;
            StatusKey::Task(TaskId::new(name, task.parse().ok()?))
        };
        let status = match json {
            None => None,
            Some(json) => Some(Status {
                state: State::parse(json["state"].as_str()?)?,
                trace: json["trace"].as_str().map(str::to_owned),
                worker_id: json["worker_id"].as_str()?.to_owned(),
                generation: i32::try_from(json["generation"].as_i64()?).ok()?,
            }),
        };
        Some(StatusRecord::Status { key, status })
    }

    /// The record's key and value.
    pub fn encode(&self) -> (String, Option<String>) {
        match self {
            StatusRecord::Status { key, status } => {
                let key = match key {
                    StatusKey::Connector(name) => format!("{CONNECTOR}{name}"),
                    StatusKey::Task(id) => format!("{TASK}{id}"),
                };
                let value = status.as_ref().map(|status| {
                    json!({
                        "state": status.state.name(),
                        "trace": status.trace,
                        "worker_id": status.worker_id,
                        "generation": status.generation,
                    })
                    .to_string()
                });
                (key, value)
            }
            StatusRecord::TopicUsed(usage) => (
                format!("{TOPIC}{}{TOPIC_CONNECTOR}{}", usage.topic, usage.connector),
                Some(
                    json!({ "topic": {
                        "name": usage.topic,
                        "connector": usage.connector,
                        "task": usage.task,
                        "discoverTimestamp": usage.discovered_ms,
                    }})
                    .to_string(),
                ),
            ),
            StatusRecord::TopicForgotten { topic, connector } => {
                (format!("{TOPIC}{topic}{TOPIC_CONNECTOR}{connector}"), None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_kafkas_and_read_back() {
        let status = Status {
            state: State::Failed,
            trace: Some("it broke".into()),
            worker_id: "127.0.0.1:8083".into(),
            generation: 1,
        };
        let records = [
            StatusRecord::Status {
                key: StatusKey::Connector("a-b".into()),
                status: Some(status.clone()),
            },
            StatusRecord::Status {
                key: StatusKey::Task(TaskId::new("a-b", 3)),
                status: Some(Status { trace: None, ..status }),
            },
            StatusRecord::Status { key: StatusKey::Connector("a".into()), status: None },
            StatusRecord::TopicUsed(TopicUse {
                topic: "lines".into(),
                connector: "a".into(),
                task: 0,
                discovered_ms: 5,
            }),
            StatusRecord::TopicForgotten { topic: "lines".into(), connector: "a".into() },
        ];
        for record in records {
            let (key, value) = record.encode();
            let back = StatusRecord::parse(&key, value.as_deref().map(str::as_bytes));
            assert_eq!(back, Some(record));
        }
        let text = r#"{"state":"RUNNING","trace":null,"worker_id":"w:1","generation":4}"#;
        let parsed = StatusRecord::parse("status-task-x-0", Some(text.as_bytes())).unwrap();
        assert_eq!(parsed.encode(), ("status-task-x-0".to_owned(), Some(text.to_owned())));
        assert_eq!(StatusRecord::parse("status-task-x", Some(text.as_bytes())), None);
        assert_eq!(StatusRecord::parse("unknown", None), None);
    }
}
