//! Carries out what the herder's state machine commands. It decides nothing.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use client::{Client, Producer, ProducerRecord};
use parking_lot::Mutex;
use protocol::Str;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::config_record::ConfigRecord;
use super::connector_run::{ConnectorHandle, run_connector};
use super::machine::{Command, Epoch, Event, Machine};
use super::names::TaskId;
use super::outbox::Outbox;
use super::status_record::StatusRecord;
use crate::config::WorkerSettings;
use crate::kafka::{OffsetStore, TopicLog};
use crate::plugins::Plugins;
use crate::runtime::progress::Progress;
use crate::runtime::task::{TaskStart, supervise};

/// Events that may wait for the executor; who sends more waits.
pub const MAX_WAITING_EVENTS: usize = 1024;

/// How long to wait before task configurations that could not be written are made anew.
const WRITE_BACK_OFF: Duration = Duration::from_secs(1);

/// What the executor is sent.
#[derive(Debug)]
pub enum Message {
    Event(Event),
    /// Answered once everything that was sent before has been handled.
    Barrier(oneshot::Sender<()>),
}

/// What connectors and tasks of a worker share.
#[derive(Debug)]
pub struct Shared {
    pub client: Client,
    /// Writes the internal topics.
    pub producer: Producer,
    pub plugins: Plugins,
    pub settings: WorkerSettings,
    pub files_dir: PathBuf,
    pub offsets: OffsetStore,
}

/// The running tasks' progress, for those who wait for the end.
pub type ProgressMap = Arc<Mutex<HashMap<TaskId, Arc<Progress>>>>;

/// Task configurations on their way to the config topic, by connector.
type ConfigOutbox = Outbox<String, (Epoch, Vec<ConfigRecord>)>;
/// Statuses on their way to the status topic, by record key.
type StatusOutbox = Outbox<String, Option<String>>;

#[derive(Debug)]
struct TaskHandle {
    epoch: Epoch,
    stop: CancellationToken,
    paused: watch::Sender<bool>,
}

/// The executor of one worker.
#[derive(Debug)]
pub struct Executor {
    pub shared: Arc<Shared>,
    pub machine: Arc<Mutex<Machine>>,
    /// Counts the events that were handled, for those who wait for a change.
    pub changes: watch::Sender<u64>,
    pub progress: ProgressMap,
    pub events: mpsc::Sender<Message>,
    pub config_log: TopicLog,
    pub status_topic: Str,
    connectors: HashMap<String, ConnectorHandle>,
    tasks: HashMap<TaskId, TaskHandle>,
    configs: Arc<ConfigOutbox>,
    statuses: Arc<StatusOutbox>,
}

impl Executor {
    pub fn new(
        shared: Arc<Shared>,
        machine: Arc<Mutex<Machine>>,
        changes: watch::Sender<u64>,
        progress: ProgressMap,
        events: mpsc::Sender<Message>,
        config_log: TopicLog,
        status_topic: &str,
    ) -> Executor {
        Executor {
            shared,
            machine,
            changes,
            progress,
            events,
            config_log,
            status_topic: Str::copy(status_topic),
            connectors: HashMap::new(),
            tasks: HashMap::new(),
            configs: Arc::default(),
            statuses: Arc::default(),
        }
    }

    /// Runs until the worker is closed: after [`Event::Closing`], when everything has stopped and its status is written.
    pub async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let config_writer = tokio::spawn(write_configs(
            Arc::clone(&self.configs),
            self.config_log.clone(),
            self.events.clone(),
        ));
        let status_writer = tokio::spawn(write_statuses(
            Arc::clone(&self.statuses),
            self.shared.producer.clone(),
            self.status_topic.clone(),
        ));
        while let Some(message) = messages.recv().await {
            match message {
                Message::Event(event) => self.handle(event),
                Message::Barrier(done) => {
                    // Who asked may have gone.
                    let _ = done.send(());
                }
            }
            if self.machine.lock().is_closed() {
                break;
            }
        }
        config_writer.abort();
        self.statuses.close();
        let graceful = self.shared.settings.graceful_timeout;
        if tokio::time::timeout(graceful, status_writer).await.is_err() {
            tracing::warn!("the last statuses could not be written in time");
        }
    }

    fn handle(&mut self, event: Event) {
        self.forget_ended(&event);
        let commands = self.machine.lock().handle(event);
        for command in commands {
            self.carry_out(command);
        }
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn forget_ended(&mut self, event: &Event) {
        match event {
            Event::TaskFailed { id, epoch, .. } | Event::TaskStopped { id, epoch }
                if self.tasks.get(id).is_some_and(|handle| handle.epoch == *epoch) =>
            {
                self.tasks.remove(id);
                self.progress.lock().remove(id);
            }
            Event::ConnectorFailed { name, epoch, .. }
            | Event::ConnectorStopped { name, epoch }
                if self.connectors.get(name).is_some_and(|handle| handle.epoch == *epoch) =>
            {
                self.connectors.remove(name);
            }
            _ => {}
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::StartConnector { name, epoch, config } => {
                let (shared, events) = (Arc::clone(&self.shared), self.events.clone());
                let handle = run_connector(shared, events, &name, epoch, config);
                self.connectors.insert(name, handle);
            }
            Command::StopConnector { name, epoch } => {
                if let Some(handle) = self.connectors.get(&name).filter(|h| h.epoch == epoch) {
                    handle.stop.cancel();
                }
            }
            Command::SplitWork { name, epoch } => {
                if let Some(handle) = self.connectors.get(&name).filter(|h| h.epoch == epoch) {
                    handle.split.notify_one();
                }
            }
            Command::WriteConfig { name, epoch, records } => {
                self.configs.put(name, (epoch, records));
            }
            Command::StartTask { id, epoch, spec, paused } => {
                let stop = CancellationToken::new();
                let (paused, pauses) = watch::channel(paused);
                let progress = Arc::new(Progress::default());
                self.progress.lock().insert(id.clone(), Arc::clone(&progress));
                self.tasks.insert(id.clone(), TaskHandle { epoch, stop: stop.clone(), paused });
                let events = self.events.clone();
                let start = TaskStart { id, epoch, spec, paused: pauses, stop, progress, events };
                tokio::spawn(supervise(Arc::clone(&self.shared), start));
            }
            Command::StopTask { id, epoch } => {
                if let Some(handle) = self.tasks.get(&id).filter(|handle| handle.epoch == epoch) {
                    handle.stop.cancel();
                }
            }
            Command::PauseTask { id, epoch, paused } => {
                if let Some(handle) = self.tasks.get(&id).filter(|handle| handle.epoch == epoch) {
                    handle.paused.send_replace(paused);
                }
            }
            Command::WriteStatus(record) => self.put_status(&record),
        }
    }

    fn put_status(&self, record: &StatusRecord) {
        let (key, value) = record.encode();
        self.statuses.put(key, value);
    }
}

/// Writes task configurations; those that cannot be written are asked for again.
async fn write_configs(outbox: Arc<ConfigOutbox>, log: TopicLog, events: mpsc::Sender<Message>) {
    while let Some(configs) = outbox.take().await {
        for (name, (epoch, records)) in configs {
            let encoded = records.iter().map(ConfigRecord::encode).collect();
            if let Err(error) = log.write(encoded).await {
                tracing::error!(connector = %name, %error, "cannot write the task configurations");
                tokio::time::sleep(WRITE_BACK_OFF).await;
                let again = Event::ReconfigurationRequested { name, epoch };
                if events.send(Message::Event(again)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Writes statuses. One that cannot be written is lost; the next change of the same status replaces it.
async fn write_statuses(outbox: Arc<StatusOutbox>, producer: Producer, topic: Str) {
    while let Some(statuses) = outbox.take().await {
        let mut deliveries = Vec::with_capacity(statuses.len());
        for (key, value) in statuses {
            let record = ProducerRecord {
                topic: topic.clone(),
                key: Some(Bytes::from(key)),
                value: value.map(Bytes::from),
                ..ProducerRecord::default()
            };
            match producer.send(record).await {
                Ok(delivery) => deliveries.push(delivery),
                Err(error) => tracing::warn!(%topic, %error, "cannot write a status"),
            }
        }
        for delivery in deliveries {
            if let Err(error) = delivery.await {
                tracing::warn!(%topic, %error, "cannot write a status");
            }
        }
    }
}
