//! Connectors: configured and kept in their state through the Connect worker.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crds::{ConnectorSpec, ConnectorState};

use crate::up::action::{Action, Step};
use crate::up::actual::{Actual, ActualConnector};
use crate::up::desired::Desired;
use crate::up::files::reason;
use crate::up::object::{Declared, Refusal};
use crate::up::status::{Status, count};
use crate::up::topics::{self, Need};

/// Which way a file connector goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileRole {
    Source,
    Sink,
}

pub(crate) fn plan(
    connector: &Declared<ConnectorSpec>,
    desired: &Desired,
    actual: &Actual,
) -> Step {
    if let Err(refusal) = check_file(connector) {
        return Step::nothing(Status::stalled(refusal));
    }
    let found = actual.connectors.get(&connector.name);
    for (topic, place) in read_topics(connector).into_iter().chain(written_topic(connector)) {
        match topics::need(&topic, place, desired, actual) {
            Need::There => {}
            Need::Coming(what) if found.is_none() => {
                return Step::nothing(Status::reconciling(what));
            }
            Need::Coming(_) => {}
            Need::Missing(_) if makes_topics(connector) => {}
            Need::Missing(refusal) => return Step::nothing(Status::stalled(refusal)),
        }
    }
    let name = connector.name.clone();
    let state = connector.spec.state;
    let config = effective_config(connector);
    match found {
        Some(found) if found.config != config => {
            Step::act(Action::PutConnector { name, config, state })
        }
        None => Step::act(Action::PutConnector { name, config, state }),
        Some(found) if differs(found, state) => {
            Step::act(Action::SetConnectorState { name, state })
        }
        Some(found) => Step::nothing(status(connector, found)),
    }
}

/// What the worker is given: the object's config, its class and tasks, and its file made absolute, for the worker
/// does not know where the YAML stands.
pub(crate) fn effective_config(connector: &Declared<ConnectorSpec>) -> BTreeMap<String, String> {
    let mut config = connector.spec.config.clone();
    config.insert("name".to_owned(), connector.name.clone());
    config.insert("connector.class".to_owned(), connector.spec.class.clone());
    config.insert("tasks.max".to_owned(), connector.spec.tasks_max.to_string());
    if let Some((_, path)) = file(connector) {
        config.insert("file".to_owned(), path.display().to_string());
    }
    config
}

/// Topics that the connector writes, as far as its configuration tells.
pub(crate) fn outputs(connector: &Declared<ConnectorSpec>) -> Vec<String> {
    written_topic(connector).map(|(topic, _)| topic).into_iter().collect()
}

/// Topics that the connector reads, as far as its configuration tells.
pub(crate) fn inputs(connector: &Declared<ConnectorSpec>) -> Vec<String> {
    read_topics(connector).into_iter().map(|(topic, _)| topic).collect()
}

fn role(connector: &Declared<ConnectorSpec>) -> Option<FileRole> {
    let class = connector.spec.class.rsplit('.').next().unwrap_or_default();
    match class.strip_suffix("Connector").unwrap_or(class) {
        "FileStreamSource" => Some(FileRole::Source),
        "FileStreamSink" => Some(FileRole::Sink),
        _ => None,
    }
}

fn file(connector: &Declared<ConnectorSpec>) -> Option<(FileRole, PathBuf)> {
    let role = role(connector)?;
    let written = connector.spec.config.get("file").filter(|path| !path.is_empty())?;
    let path = connector.origin.folder().join(written);
    Some((role, std::path::absolute(&path).unwrap_or(path)))
}

/// A file that cannot be read or written will not become so by waiting; the worker would only say it later.
fn check_file(connector: &Declared<ConnectorSpec>) -> Result<(), Refusal> {
    let Some((role, path)) = file(connector) else { return Ok(()) };
    let refuse = |message: String| Err(connector.refuse(&["config", "file"], message));
    match role {
        FileRole::Source => match std::fs::File::open(&path).and_then(|file| file.metadata()) {
            Ok(metadata) if metadata.is_dir() => {
                refuse(format!("{} is a folder; name a file", path.display()))
            }
            Ok(_) => Ok(()),
            Err(error) => refuse(format!(
                "cannot read {}: {}; make the file readable or correct 'file' (relative paths start at this YAML file's folder)",
                path.display(),
                reason(&error),
            )),
        },
        FileRole::Sink => match path.parent().filter(|folder| !folder.is_dir()) {
            Some(folder) => refuse(format!(
                "folder {} does not exist; create it or correct 'file'",
                folder.display()
            )),
            None if path.is_dir() => refuse(format!("{} is a folder; name a file", path.display())),
            None => Ok(()),
        },
    }
}

fn read_topics(connector: &Declared<ConnectorSpec>) -> Vec<(String, crate::up::object::Place)> {
    let place = || connector.origin.at(&["spec", "config", "topics"]);
    let listed = connector.spec.config.get("topics").map(String::as_str).unwrap_or_default();
    listed
        .split(',')
        .map(str::trim)
        .filter(|topic| !topic.is_empty())
        .map(|topic| (topic.to_owned(), place()))
        .collect()
}

fn written_topic(
    connector: &Declared<ConnectorSpec>,
) -> Option<(String, crate::up::object::Place)> {
    let topic = connector.spec.config.get("topic")?;
    Some((topic.clone(), connector.origin.at(&["spec", "config", "topic"])))
}

/// Whether the source asks the worker to create its topics (KIP-158).
fn makes_topics(connector: &Declared<ConnectorSpec>) -> bool {
    connector.spec.config.keys().any(|key| key.starts_with("topic.creation."))
}

/// Whether the worker was asked for another state than the object asks for. A failed connector was asked to run.
fn differs(found: &ActualConnector, wanted: ConnectorState) -> bool {
    let suspended = matches!(found.state.as_str(), "PAUSED" | "STOPPED");
    match wanted {
        ConnectorState::Running => suspended,
        ConnectorState::Paused | ConnectorState::Stopped => {
            found.state != wanted.as_kafka()
                && matches!(found.state.as_str(), "RUNNING" | "PAUSED" | "STOPPED" | "FAILED")
        }
    }
}

fn status(connector: &Declared<ConnectorSpec>, found: &ActualConnector) -> Status {
    if let Some(failure) = &found.failure {
        let message = format!(
            "{failure}; correct the configuration, or restart it through Connect's REST API once the cause is gone"
        );
        return Status::stalled(connector.refuse(&[], message));
    }
    let running = found.tasks.iter().filter(|state| *state == "RUNNING").count();
    match connector.spec.state {
        ConnectorState::Running
            if found.state == "RUNNING" && running > 0 && running == found.tasks.len() =>
        {
            let note = found.note.as_deref().unwrap_or("caught up");
            Status::ready(format!("{} running, {note}", count(running as u64, "task")))
        }
        ConnectorState::Running => Status::reconciling(format!(
            "{running} of {} running",
            count(found.tasks.len() as u64, "task")
        )),
        ConnectorState::Paused => Status::ready("paused, as written"),
        ConnectorState::Stopped => Status::ready("stopped, as written"),
    }
}
