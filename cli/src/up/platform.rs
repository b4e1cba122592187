//! What runs in this process: the brokers, the Connect worker, a Streams worker for each app.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use client::{Client, ClientConfig};

use super::brokers::Brokers;
use super::plan::Running;
use super::reconcile::streams_app::DesiredApp;
use crate::connect_topics;

/// Longest wait for one part to stop before the process goes on without it; what was acknowledged is safe anyway.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// Session of the sinks' consumers. A process that was killed leaves members behind that the next one must wait for:
/// the shortest session that a broker allows makes the wait short.
const SESSION_TIMEOUT_MS: u32 = 6_000;
/// Longest wait for the Connect worker to have read its topics.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Where the platform lives and listens. Port 0 takes any free port, and keeps it over a restart.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) data_dir: PathBuf,
    /// Where relative paths of connectors made through REST start.
    pub(crate) files_dir: PathBuf,
    pub(crate) bind: IpAddr,
    /// The first broker's; the others' follow.
    pub(crate) kafka_port: u16,
    /// How many brokers, at least 1.
    pub(crate) brokers: u16,
    pub(crate) connect_port: u16,
    pub(crate) admin_port: Option<u16>,
}

/// Why a part does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlatformError {
    #[error("the broker does not start: {0}")]
    Broker(String),
    #[error("the Connect worker does not start: {0}")]
    Connect(String),
}

/// One running app.
pub(crate) struct RunningApp {
    pub(crate) fingerprint: u64,
    pub(crate) worker: streams::WorkerHandle,
}

/// Everything that runs.
pub(crate) struct Platform {
    pub(crate) site: Site,
    pub(crate) running: Running,
    pub(crate) brokers: Brokers,
    pub(crate) connect: connect::WorkerHandle,
    pub(crate) client: Client,
    pub(crate) apps: BTreeMap<String, RunningApp>,
    /// What was last given to the worker: it hides the secrets in what it tells.
    pub(crate) put: BTreeMap<String, BTreeMap<String, String>>,
}

impl Platform {
    /// Starts the brokers, then the Connect worker.
    ///
    /// # Errors
    /// When one of them does not start; nothing is left running then.
    pub(crate) async fn start(
        mut site: Site,
        broker_properties: BTreeMap<String, String>,
        connect_properties: BTreeMap<String, String>,
    ) -> Result<Self, PlatformError> {
        let brokers = Brokers::start(&site, &broker_properties).await?;
        let bootstrap = brokers.bootstrap();
        let client = Client::new(ClientConfig::new(&bootstrap).with_client_id("vltava-up"));
        let connect = match start_connect(&site, &bootstrap, connect_properties.clone()).await {
            Ok(connect) => connect,
            Err(error) => {
                stop_in_time("broker", brokers.shutdown()).await;
                return Err(error);
            }
        };
        site.kafka_port = brokers.addr().map_or(site.kafka_port, |addr| addr.port());
        site.connect_port = connect.rest_addr().port();
        let running = Running {
            broker_address: bootstrap,
            broker: broker_properties,
            connect_url: format!("http://{}", connect.rest_addr()),
            connect: connect_properties,
        };
        Ok(Self {
            site,
            running,
            brokers,
            connect,
            client,
            apps: BTreeMap::new(),
            put: BTreeMap::new(),
        })
    }

    /// Starts `app`; a version of it that runs is stopped first, since both would want the same state.
    ///
    /// # Errors
    /// What the worker says.
    pub(crate) async fn start_app(&mut self, app: &DesiredApp) -> Result<(), streams::StartError> {
        self.stop_app(&app.declared.name).await;
        let config = streams::WorkerConfig {
            bootstrap: self.running.broker_address.clone(),
            application_id: app.application_id().to_owned(),
            state_dir: self.site.data_dir.join("streams").join(app.application_id()),
            topology: app.topology.clone(),
            commit_interval_ms: app.commit_interval_ms(),
            admin_listen: None,
        };
        let worker = streams::Worker::start(config).await?;
        self.apps
            .insert(app.declared.name.clone(), RunningApp { fingerprint: app.fingerprint, worker });
        Ok(())
    }

    pub(crate) async fn stop_app(&mut self, name: &str) {
        if let Some(app) = self.apps.remove(name) {
            stop_in_time(name, app.worker.shutdown()).await;
        }
    }

    /// Stops readers before what they read from: apps, Connect, broker.
    pub(crate) async fn stop(mut self) -> Site {
        let apps: Vec<_> = std::mem::take(&mut self.apps).into_iter().collect();
        let stopping = apps
            .into_iter()
            .map(|(name, app)| async move { stop_in_time(&name, app.worker.shutdown()).await });
        futures_util::future::join_all(stopping).await;
        stop_in_time("Connect worker", self.connect.shutdown()).await;
        drop(self.client);
        stop_in_time("broker", self.brokers.shutdown()).await;
        self.site
    }
}

async fn start_connect(
    site: &Site,
    bootstrap: &str,
    properties: BTreeMap<String, String>,
) -> Result<connect::WorkerHandle, PlatformError> {
    let mut config = connect::WorkerConfig {
        rest_listen: SocketAddr::new(site.bind, site.connect_port),
        properties,
        // One worker on one machine gains nothing by more.
        offset_partitions: 1,
        status_partitions: 1,
        ..connect::WorkerConfig::local(bootstrap, &site.files_dir)
    };
    connect_topics::take(&mut config).map_err(PlatformError::Connect)?;
    let session = || SESSION_TIMEOUT_MS.to_string();
    config.properties.entry("consumer.session.timeout.ms".to_owned()).or_insert_with(session);
    let started = connect::Worker::start(config).await;
    let worker = started.map_err(|error| PlatformError::Connect(error.to_string()))?;
    match tokio::time::timeout(READY_TIMEOUT, worker.herder().ready()).await {
        Ok(Ok(())) => Ok(worker),
        Ok(Err(error)) => Err(PlatformError::Connect(error.to_string())),
        Err(_) => {
            let why = worker.herder().connectors().err().map(|e| e.to_string()).unwrap_or_default();
            stop_in_time("Connect worker", worker.shutdown()).await;
            let seconds = READY_TIMEOUT.as_secs();
            Err(PlatformError::Connect(format!("it is not ready after {seconds} s: {why}")))
        }
    }
}

async fn stop_in_time(what: &str, stop: impl Future) {
    if tokio::time::timeout(STOP_TIMEOUT, stop).await.is_err() {
        tracing::warn!(
            "{what} did not stop within {} s; going on without it",
            STOP_TIMEOUT.as_secs()
        );
    }
}
