//! A worker: one process that runs connectors, with its REST API.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, ClientConfig, Producer};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, ConfigProblem, WorkerSettings};
use crate::herder::Herder;
use crate::herder::config_record::ConfigRecord;
use crate::herder::executor::{Executor, MAX_WAITING_EVENTS, Message, Shared};
use crate::herder::machine::{Event, Machine};
use crate::herder::service::{Phase, Started};
use crate::herder::status_record::StatusRecord;
use crate::kafka::topic_log::Reader;
use crate::kafka::{LogRecord, OffsetStore, StoreError, TopicLog, TopicSpec};
use crate::plugins::Plugins;
use crate::rest;
use crate::runtime::overrides;

/// How a worker is started.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Kafka's addresses: `host:port,host:port`.
    pub bootstrap: String,
    /// Where REST listens; port 0 is any free one.
    pub rest_listen: SocketAddr,
    /// `http://host:port` under which others reach REST; without it, the address that REST listens on. Its `host:port`
    /// is the worker's id.
    pub advertised_url: Option<String>,
    /// The group of workers that share the topics below.
    pub group_id: String,
    pub config_topic: String,
    pub offset_topic: String,
    pub status_topic: String,
    /// Partitions of the offset and of the status topic when they are made.
    pub offset_partitions: i32,
    pub status_partitions: i32,
    /// Replicas of the three topics when they are made; -1 is the broker's default.
    pub replication_factor: i16,
    /// Where the relative paths of file connectors lie.
    pub files_dir: PathBuf,
    /// Kafka's worker configuration keys ([`crate::config::worker`]).
    pub properties: Config,
    /// Everything that can be run here.
    pub plugins: Plugins,
}

impl WorkerConfig {
    /// A worker on a free local port, with Kafka's usual topic names.
    pub fn local(bootstrap: &str, files_dir: impl Into<PathBuf>) -> WorkerConfig {
        WorkerConfig {
            bootstrap: bootstrap.to_owned(),
            rest_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertised_url: None,
            group_id: "connect-cluster".to_owned(),
            config_topic: "connect-configs".to_owned(),
            offset_topic: "connect-offsets".to_owned(),
            status_topic: "connect-status".to_owned(),
            offset_partitions: 25,
            status_partitions: 5,
            replication_factor: -1,
            files_dir: files_dir.into(),
            properties: Config::new(),
            plugins: Plugins::builtin(),
        }
    }
}

/// Why a worker cannot be started at all.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("REST cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the worker's configuration is invalid: {}", list(.0))]
    Properties(Vec<ConfigProblem>),
    #[error("the bootstrap address is invalid: {0}")]
    Bootstrap(#[from] client::ConfigError),
}

fn list(problems: &[ConfigProblem]) -> String {
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    messages.join("; ")
}

/// How long to wait before a start that failed (no broker yet) is tried again.
const START_BACK_OFF: Duration = Duration::from_secs(1);

/// How long REST may take to finish its answers when the worker ends.
const REST_TIMEOUT: Duration = Duration::from_secs(2);

/// Makes workers.
#[derive(Debug)]
pub struct Worker;

impl Worker {
    /// Starts a worker and returns once REST listens. It then reads its topics, and tries for as long as it takes to
    /// reach Kafka: [`Herder::ready`] and `/health` tell.
    ///
    /// # Errors
    /// What waiting would not mend: an address in use, an invalid configuration.
    pub async fn start(config: WorkerConfig) -> Result<WorkerHandle, StartError> {
        let settings =
            WorkerSettings::new(config.properties.clone()).map_err(StartError::Properties)?;
        let client_config = ClientConfig::new(&config.bootstrap).with_client_id("connect");
        client_config.validate()?;
        let address = config.rest_listen;
        let listen = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let rest_addr = listener.local_addr().map_err(listen)?;

        let starting = Phase::Starting("Worker is still starting up.".to_owned());
        let (phase, phases) = watch::channel(starting);
        let (changes, changed) = watch::channel(0);
        let herder = Herder {
            phase: phases,
            changes: changed,
            plugins: config.plugins.clone(),
            settings: settings.clone(),
        };
        let stop = CancellationToken::new();
        let life = Life {
            worker_id: worker_id(&config, rest_addr),
            config,
            settings,
            client_config,
            phase,
            changes,
        };
        let worker = tokio::spawn(life.run(stop.clone()));
        let closed = stop.clone();
        let app = rest::router(herder.clone());
        let rest = tokio::spawn(async move {
            let served = axum::serve(listener, app)
                .with_graceful_shutdown(async move { closed.cancelled().await })
                .await;
            if let Err(error) = served {
                tracing::error!(%error, "REST has ended");
            }
        });
        tracing::info!(rest = %rest_addr, "Connect worker listens");
        Ok(WorkerHandle { rest_addr, herder, stop, worker, rest })
    }
}

/// The worker's id in statuses: `host:port`, as in Kafka.
fn worker_id(config: &WorkerConfig, rest_addr: SocketAddr) -> String {
    match &config.advertised_url {
        Some(url) => {
            let id = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            id.trim_end_matches('/').to_owned()
        }
        None => rest_addr.to_string(),
    }
}

/// A running worker. Dropping it lets the worker run on.
#[derive(Debug)]
pub struct WorkerHandle {
    rest_addr: SocketAddr,
    herder: Herder,
    stop: CancellationToken,
    worker: JoinHandle<()>,
    rest: JoinHandle<()>,
}

impl WorkerHandle {
    /// Where REST listens.
    pub fn rest_addr(&self) -> SocketAddr {
        self.rest_addr
    }

    pub fn herder(&self) -> Herder {
        self.herder.clone()
    }

    /// Stops tasks and connectors, which commit what they have done, and REST.
    pub async fn shutdown(self) {
        self.stop.cancel();
        if let Err(error) = self.worker.await {
            tracing::error!(%error, "the worker ended badly");
        }
        let abort = self.rest.abort_handle();
        if tokio::time::timeout(REST_TIMEOUT, self.rest).await.is_err() {
            abort.abort();
        }
    }
}

struct Life {
    config: WorkerConfig,
    settings: WorkerSettings,
    client_config: ClientConfig,
    worker_id: String,
    phase: watch::Sender<Phase>,
    changes: watch::Sender<u64>,
}

impl Life {
    async fn run(self, stop: CancellationToken) {
        let client = Client::new(self.client_config.clone());
        let producer = Producer::new(&client, overrides::patient_producer());
        if let Some((events, executor)) = self.start(&client, &producer, &stop).await {
            stop.cancelled().await;
            // It has ended already only when it has failed.
            let _ = events.send(Message::Event(Event::Closing)).await;
            if let Err(error) = executor.await {
                tracing::error!(%error, "the herder ended badly");
            }
        }
        self.phase.send_replace(Phase::Closed);
        if let Err(error) = producer.close().await {
            tracing::warn!(%error, "the last statuses may not be written");
        }
    }

    /// Starts the executor, however often it takes; none when the worker is stopped before.
    async fn start(
        &self,
        client: &Client,
        producer: &Producer,
        stop: &CancellationToken,
    ) -> Option<(mpsc::Sender<Message>, JoinHandle<()>)> {
        loop {
            let attempt = tokio::select! {
                () = stop.cancelled() => return None,
                attempt = self.start_once(client, producer) => attempt,
            };
            match attempt {
                Ok(started) => return Some(started),
                Err(error) => {
                    tracing::warn!(%error, "the worker cannot start yet; trying again");
                    let why = format!("Worker is still starting up: {error}");
                    self.phase.send_replace(Phase::Starting(why));
                }
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(START_BACK_OFF) => {}
            }
        }
    }

    /// Reads the three topics and starts the executor.
    async fn start_once(
        &self,
        client: &Client,
        producer: &Producer,
    ) -> Result<(mpsc::Sender<Message>, JoinHandle<()>), StoreError> {
        let config = &self.config;
        let cluster_id = client.admin().describe_cluster().await?.cluster_id;
        let spec = |name: &str, partitions| {
            TopicSpec::internal(name, partitions, config.replication_factor)
        };
        let offset_spec = spec(&config.offset_topic, config.offset_partitions);
        let offsets = OffsetStore::start(client, producer, &offset_spec).await?;
        let machine = Arc::new(Mutex::new(Machine::new(&self.worker_id)));
        let status_spec = spec(&config.status_topic, config.status_partitions);
        let reader = status_reader(Arc::clone(&machine));
        // Read once: this worker knows what it writes. Other workers' statuses come with a herder for several.
        drop(TopicLog::start(client, producer, &status_spec, reader).await?);
        let (events, mut messages) = mpsc::channel(MAX_WAITING_EVENTS);
        let config_spec = spec(&config.config_topic, 1);
        let reader = config_reader(events.clone());
        let mut reading = std::pin::pin!(TopicLog::start(client, producer, &config_spec, reader));
        let config_log = loop {
            tokio::select! {
                log = &mut reading => break log?,
                Some(Message::Event(event)) = messages.recv() => {
                    // Nothing is commanded before `Replayed`.
                    machine.lock().handle(event);
                }
            }
        };
        // The last of what was read: known before anybody is told that the worker has started.
        while let Ok(Message::Event(event)) = messages.try_recv() {
            machine.lock().handle(event);
        }
        let shared = Arc::new(Shared {
            client: client.clone(),
            producer: producer.clone(),
            plugins: config.plugins.clone(),
            settings: self.settings.clone(),
            files_dir: config.files_dir.clone(),
            offsets,
        });
        let progress = Arc::new(Mutex::new(HashMap::new()));
        let executor = Executor::new(
            Arc::clone(&shared),
            Arc::clone(&machine),
            self.changes.clone(),
            Arc::clone(&progress),
            events.clone(),
            config_log.clone(),
            &config.status_topic,
        );
        let executor = tokio::spawn(executor.run(messages));
        // The executor cannot have ended yet.
        let _ = events.send(Message::Event(Event::Replayed)).await;
        let started = Started {
            shared,
            machine,
            progress,
            events: events.clone(),
            config_log,
            writing: tokio::sync::Mutex::new(()),
            cluster_id: cluster_id.unwrap_or_default(),
        };
        self.phase.send_replace(Phase::Started(Arc::new(started)));
        Ok((events, executor))
    }
}

/// Takes in what the status topic holds.
fn status_reader(machine: Arc<Mutex<Machine>>) -> Reader {
    Box::new(move |record: LogRecord| {
        if let Some(key) = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok())
            && let Some(status) = StatusRecord::parse(key, record.value.as_deref())
        {
            machine.lock().handle(Event::Status(status));
        }
        Box::pin(std::future::ready(()))
    })
}

/// Sends on what the config topic holds, in order; a record that is not in Kafka's format is passed over.
fn config_reader(events: mpsc::Sender<Message>) -> Reader {
    Box::new(move |record: LogRecord| {
        let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let parsed = key.map(|key| ConfigRecord::parse(key, record.value.as_deref()));
        let config = match parsed {
            Some(Ok(config)) => config,
            Some(Err(error)) => {
                tracing::warn!(%error, "passing over a record");
                None
            }
            None => None,
        };
        let events = events.clone();
        Box::pin(async move {
            if let Some(config) = config {
                // Nobody listens any more only when the worker is gone.
                let _ = events.send(Message::Event(Event::Config(config))).await;
            }
        })
    })
}
