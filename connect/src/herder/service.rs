//! The herder as others see it: what REST, `up` and the operator's tests ask of a worker.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use super::config_record::ConfigRecord;
use super::config_state::ConnectorEntry;
use super::error::HerderError;
use super::executor::{Message, ProgressMap, Shared};
use super::info::{ConnectorInfo, ConnectorState, ConnectorStatus, TaskInfo, TaskName, TaskState};
use super::machine::{Event, Machine};
use super::names::{TargetState, TaskId};
use super::status_record::StatusKey;
use super::validate::{def_of, unknown_keys, validate};
use crate::config::connector::{CONNECTOR_CLASS, NAME};
use crate::config::{Config, ConfigInfos, ConfigProblem, secret};
use crate::kafka::TopicLog;
use crate::plugins::Plugins;

/// How long a request may wait for the config topic, as Kafka's.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// A worker's herder once it has started.
#[derive(Debug)]
pub(crate) struct Started {
    pub shared: Arc<Shared>,
    pub machine: Arc<Mutex<Machine>>,
    pub progress: ProgressMap,
    pub events: mpsc::Sender<Message>,
    pub config_log: TopicLog,
    /// One request at a time changes configurations: what it checked must still hold when it writes.
    pub writing: tokio::sync::Mutex<()>,
    pub cluster_id: String,
}

/// What a worker is doing before it has started: nothing yet, or what the last attempt failed with.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    Starting(String),
    Started(Arc<Started>),
    Closed,
}

/// A handle to a worker's herder. Clones are the same herder.
#[derive(Clone, Debug)]
pub struct Herder {
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) changes: watch::Receiver<u64>,
    pub(crate) plugins: Plugins,
    pub(crate) settings: crate::config::WorkerSettings,
}

/// What writing a configuration did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// There was no connector of that name before.
    pub created: bool,
    /// Something was written: a configuration that is the same as before is not.
    pub changed: bool,
    pub info: ConnectorInfo,
}

/// Whether a connector may be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// It must not: `POST /connectors`.
    Create,
    /// It may: `PUT /connectors/{name}/config`.
    CreateOrUpdate,
}

impl Herder {
    pub(crate) fn started(&self) -> Result<Arc<Started>, HerderError> {
        match &*self.phase.borrow() {
            Phase::Started(started) => Ok(Arc::clone(started)),
            Phase::Starting(why) => Err(HerderError::Starting(why.clone())),
            Phase::Closed => Err(HerderError::Closed),
        }
    }

    /// Waits until the worker has read its topics and takes requests.
    ///
    /// # Errors
    /// When the worker is shut down before.
    pub async fn ready(&self) -> Result<(), HerderError> {
        let mut phase = self.phase.clone();
        let done = phase.wait_for(|phase| !matches!(phase, Phase::Starting(_))).await;
        done.map_err(|_| HerderError::Closed)?;
        self.started().map(|_| ())
    }

    /// Counts everything that happens to connectors and tasks: wait for a change, then look again.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// The plugins of this worker.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    pub fn settings(&self) -> &crate::config::WorkerSettings {
        &self.settings
    }

    /// The id of the Kafka cluster.
    ///
    /// # Errors
    /// When the worker has not started.
    pub fn cluster_id(&self) -> Result<String, HerderError> {
        Ok(self.started()?.cluster_id.clone())
    }

    /// Checks a configuration; nothing is written. Answers before the worker has started, too.
    pub fn validate(&self, config: &Config) -> ConfigInfos {
        validate(&self.plugins, &self.settings, config)
    }

    /// The problems of a configuration, with the key that each belongs to.
    pub fn check(&self, config: &Config) -> Vec<ConfigProblem> {
        self.validate(config).problems()
    }

    /// The keys of a configuration that nothing reads, as misspelt ones. Kafka lets them pass.
    pub fn unknown_keys(&self, config: &Config) -> Vec<String> {
        unknown_keys(&self.plugins, config)
    }

    /// The names of all connectors.
    ///
    /// # Errors
    /// When the worker has not started.
    pub fn connectors(&self) -> Result<Vec<String>, HerderError> {
        Ok(self.started()?.machine.lock().config().connectors().keys().cloned().collect())
    }

    /// # Errors
    /// When there is no such connector.
    pub fn info(&self, name: &str) -> Result<ConnectorInfo, HerderError> {
        let entry = self.entry(name)?;
        let tasks = entry.applied.as_ref().map_or(0, |applied| applied.tasks.len());
        let tasks = (0..tasks).filter_map(|task| u32::try_from(task).ok());
        Ok(ConnectorInfo {
            name: name.to_owned(),
            config: self.shown(&entry.config),
            tasks: tasks.map(|task| TaskName { connector: name.to_owned(), task }).collect(),
            type_: self.type_of(&entry.config),
        })
    }

    /// The configuration of each task.
    ///
    /// # Errors
    /// When there is no such connector.
    pub fn tasks(&self, name: &str) -> Result<Vec<TaskInfo>, HerderError> {
        let entry = self.entry(name)?;
        let Some(applied) = &entry.applied else { return Ok(Vec::new()) };
        let tasks = (0u32..).zip(&applied.tasks).map(|(task, config)| TaskInfo {
            id: TaskName { connector: name.to_owned(), task },
            config: secret::redact(def_of(&self.plugins, &applied.connector).as_ref(), config),
        });
        Ok(tasks.collect())
    }

    /// # Errors
    /// When there is no such connector, or nothing is known of it yet.
    pub fn status(&self, name: &str) -> Result<ConnectorStatus, HerderError> {
        let started = self.started()?;
        let machine = started.machine.lock();
        let none = || HerderError::NotFound(format!("No status found for connector {name}"));
        let entry = machine.config().get(name).ok_or_else(none)?;
        let key = StatusKey::Connector(name.to_owned());
        let tasks = machine.task_statuses(name).into_iter();
        Ok(ConnectorStatus {
            name: name.to_owned(),
            connector: ConnectorState::from(machine.status(&key).ok_or_else(none)?),
            tasks: tasks
                .map(|(id, status)| TaskState::new(id.task, status, machine.note(id)))
                .collect(),
            type_: self.type_of(&entry.config),
        })
    }

    /// # Errors
    /// When there is no such task.
    pub fn task_status(&self, id: &TaskId) -> Result<TaskState, HerderError> {
        let started = self.started()?;
        let machine = started.machine.lock();
        let none = || HerderError::NotFound(format!("No status found for task {id}"));
        let status = machine.status(&StatusKey::Task(id.clone())).ok_or_else(none)?;
        Ok(TaskState::new(id.task, status, machine.note(id)))
    }

    /// The topics that a connector has used.
    ///
    /// # Errors
    /// When there is no such connector, or the worker does not keep track.
    pub fn topics(&self, name: &str) -> Result<Vec<String>, HerderError> {
        if !self.settings.topic_tracking {
            return Err(HerderError::Forbidden("Topic tracking is disabled.".to_owned()));
        }
        self.entry(name)?;
        Ok(self.started()?.machine.lock().topics(name))
    }

    /// Forgets the topics that a connector has used.
    ///
    /// # Errors
    /// When there is no such connector, or the worker does not allow it.
    pub async fn reset_topics(&self, name: &str) -> Result<(), HerderError> {
        if !self.settings.topic_tracking {
            return Err(HerderError::Forbidden("Topic tracking is disabled.".to_owned()));
        }
        if !self.settings.topic_reset {
            return Err(HerderError::Forbidden("Topic tracking reset is disabled.".to_owned()));
        }
        self.entry(name)?;
        self.tell(Event::TopicsReset { name: name.to_owned() }).await
    }

    /// Writes a connector's configuration and returns when this worker acts on it; it need not run yet.
    ///
    /// # Errors
    /// When the configuration does not work, the connector exists and must not, or it cannot be written.
    pub async fn put_config(
        &self,
        name: &str,
        mut config: Config,
        mode: PutMode,
        initial: Option<TargetState>,
    ) -> Result<Put, HerderError> {
        let started = self.started()?;
        let _one_at_a_time = started.writing.lock().await;
        let old = started.machine.lock().config().get(name).cloned();
        if old.is_some() && mode == PutMode::Create {
            return Err(HerderError::Conflict(format!("Connector {name} already exists")));
        }
        let named = config.entry(NAME.to_owned()).or_insert_with(|| name.to_owned());
        if named != name {
            return Err(HerderError::BadRequest(format!(
                "Connector name configuration ({named}) doesn't match connector name in the URL ({name})"
            )));
        }
        if let Some(old) = &old {
            let def = def_of(&self.plugins, &config);
            config = secret::restore(def.as_ref(), config, &old.config);
        }
        let problems = self.check(&config);
        if !problems.is_empty() {
            return Err(HerderError::InvalidConfig(problems));
        }
        let changed = old.as_ref().is_none_or(|old| *old.config != config);
        if changed {
            for key in self.unknown_keys(&config) {
                tracing::warn!(connector = name, key, "nothing reads this configuration key");
            }
            let mut records = Vec::new();
            if let (None, Some(state)) = (&old, initial) {
                let name = name.to_owned();
                records.push(ConfigRecord::TargetState { name, state: Some(state) });
            }
            let config = Some(config);
            records.push(ConfigRecord::Connector { name: name.to_owned(), config });
            started.write(&records).await?;
        }
        Ok(Put { created: old.is_none(), changed, info: self.info(name)? })
    }

    /// Changes some keys of a configuration; `None` removes a key.
    ///
    /// # Errors
    /// As [`Herder::put_config`], and when there is no such connector.
    pub async fn patch_config(
        &self,
        name: &str,
        patch: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<Put, HerderError> {
        let mut config = (*self.entry(name)?.config).clone();
        for (key, value) in patch {
            match value {
                Some(value) => config.insert(key, value),
                None => config.remove(&key),
            };
        }
        self.put_config(name, config, PutMode::CreateOrUpdate, None).await
    }

    /// Removes a connector. Its offsets stay, as in Kafka.
    ///
    /// # Errors
    /// When there is no such connector, or it cannot be written.
    pub async fn delete(&self, name: &str) -> Result<(), HerderError> {
        let started = self.started()?;
        let _one_at_a_time = started.writing.lock().await;
        self.entry(name)?;
        let name = name.to_owned();
        let connector = ConfigRecord::Connector { name: name.clone(), config: None };
        let target = ConfigRecord::TargetState { name, state: None };
        started.write(&[connector, target]).await
    }

    /// Pauses, stops or starts a connector.
    ///
    /// # Errors
    /// When there is no such connector, or it cannot be written.
    pub async fn set_target(&self, name: &str, target: TargetState) -> Result<(), HerderError> {
        let started = self.started()?;
        let _one_at_a_time = started.writing.lock().await;
        if self.entry(name)?.target == target {
            return Ok(());
        }
        let mut records = Vec::new();
        if target == TargetState::Stopped {
            // As in Kafka: a stopped connector has no tasks; they are made anew when it is resumed.
            records.push(ConfigRecord::Commit { name: name.to_owned(), tasks: 0 });
        }
        records.push(ConfigRecord::TargetState { name: name.to_owned(), state: Some(target) });
        started.write(&records).await
    }

    /// # Errors
    /// As [`Herder::set_target`].
    pub async fn pause(&self, name: &str) -> Result<(), HerderError> {
        self.set_target(name, TargetState::Paused).await
    }

    /// # Errors
    /// As [`Herder::set_target`].
    pub async fn resume(&self, name: &str) -> Result<(), HerderError> {
        self.set_target(name, TargetState::Started).await
    }

    /// # Errors
    /// As [`Herder::set_target`].
    pub async fn stop(&self, name: &str) -> Result<(), HerderError> {
        self.set_target(name, TargetState::Stopped).await
    }

    /// Restarts a connector, and its tasks where that is asked for (KIP-745).
    ///
    /// # Errors
    /// When there is no such connector, or it cannot be written.
    pub async fn restart(
        &self,
        name: &str,
        include_tasks: bool,
        only_failed: bool,
    ) -> Result<(), HerderError> {
        self.entry(name)?;
        if !include_tasks && !only_failed {
            return self.tell(Event::RestartConnector { name: name.to_owned() }).await;
        }
        let name = name.to_owned();
        let record = ConfigRecord::Restart { name, include_tasks, only_failed };
        self.started()?.write(&[record]).await
    }

    /// Restarts one task.
    ///
    /// # Errors
    /// When there is no such task.
    pub async fn restart_task(&self, id: &TaskId) -> Result<(), HerderError> {
        let entry = self.entry(&id.connector)?;
        let count = entry.applied.as_ref().map_or(0, |applied| applied.tasks.len());
        if usize::try_from(id.task).map_or(true, |task| task >= count) {
            return Err(HerderError::NotFound(format!("Unknown task: {id}")));
        }
        self.tell(Event::RestartTask { id: id.clone() }).await
    }

    pub(crate) fn entry(&self, name: &str) -> Result<ConnectorEntry, HerderError> {
        let started = self.started()?;
        let entry = started.machine.lock().config().get(name).cloned();
        entry.ok_or_else(|| HerderError::NotFound(format!("Connector {name} not found")))
    }

    fn shown(&self, config: &Config) -> Config {
        secret::redact(def_of(&self.plugins, config).as_ref(), config)
    }

    pub(crate) fn type_of(&self, config: &Config) -> &'static str {
        let class = config.get(CONNECTOR_CLASS).map(String::as_str).unwrap_or_default();
        self.plugins.connector(class).map_or("unknown", |(_, connector)| connector.kind().name())
    }

    async fn tell(&self, event: Event) -> Result<(), HerderError> {
        let started = self.started()?;
        let sent = started.events.send(Message::Event(event)).await;
        sent.map_err(|_| HerderError::Closed)?;
        started.settle().await
    }
}

impl Started {
    /// Writes records to the config topic and returns when the machine has taken them in.
    async fn write(&self, records: &[ConfigRecord]) -> Result<(), HerderError> {
        let encoded = records.iter().map(ConfigRecord::encode).collect();
        // The producer itself waits for as long as the cluster is away.
        match tokio::time::timeout(REQUEST_TIMEOUT, self.config_log.write(encoded)).await {
            Ok(written) => written?,
            Err(_) => {
                return Err(HerderError::Timeout(
                    "Request timed out: the config topic could not be written; the request may still take effect"
                        .to_owned(),
                ));
            }
        }
        self.settle().await
    }

    /// Waits until everything that was sent to the executor before is handled.
    async fn settle(&self) -> Result<(), HerderError> {
        let (done, handled) = oneshot::channel();
        let sent = self.events.send(Message::Barrier(done)).await;
        sent.map_err(|_| HerderError::Closed)?;
        handled.await.map_err(|_| HerderError::Closed)
    }
}
