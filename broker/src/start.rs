//! Starting and stopping: puts the parts together.
//!
//! Order at the start: configs are checked and ports opened (both can fail at once, and cheaply), then the folder is
//! locked, the metadata replayed, the logs recovered, the groups loaded in the background, and only then are clients'
//! connections accepted; until then they wait in the kernel's queue. `/livez` answers from the first moment, `/readyz`
//! says what is still to be done.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::Str;
use quorum::controller::{
    BrokerHeartbeat, Command, Controller, ControllerSettings, Entropy, RegisterBroker,
};
use quorum::identity::{Identity, IdentityError, METADATA_DIR};
use quorum::image::BrokerImage;
use quorum::log::LogError;
use quorum::{MetadataImage, MetadataLog};
use storage::{Disk, DiskError, Flusher, LogDir, LogDirError, OsDisk};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{self, Readiness};
use crate::broker_config::BrokerConfig;
use crate::config::{Configs, PropertiesError, TableSchema};
use crate::connection::Limits;
use crate::context::{Broker, Clock, ImageCell, SystemClock};
use crate::controller::{ControllerHandle, SubmitError, SystemEntropy};
use crate::group::{GroupCoordinator, GroupLog};
use crate::housekeeping;
use crate::listener::{self, ListenError};
use crate::metrics::Metrics;
use crate::partition::Partitions;

/// How long a stop waits for connections to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a broker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A property is unknown or its value not allowed.
    #[error(transparent)]
    Properties(#[from] PropertiesError),
    /// A port could not be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The data folder could not be taken.
    #[error(transparent)]
    LogDir(#[from] LogDirError),
    /// The data folder is another node's or another cluster's.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The metadata log could not be read.
    #[error(transparent)]
    Metadata(#[from] LogError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The broker could not register in its own metadata.
    #[error("failed to register in the cluster's metadata: {0}")]
    Register(String),
    /// The system refused a thread or a task.
    #[error("failed to start a thread")]
    Thread(#[source] std::io::Error),
}

/// A running broker.
#[derive(Debug)]
pub struct BrokerHandle {
    broker: Arc<Broker>,
    addr: SocketAddr,
    admin_addr: Option<SocketAddr>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    failure: watch::Receiver<Option<String>>,
}

impl Broker {
    /// Starts a broker: when this returns, it answers.
    ///
    /// # Errors
    /// [`StartError`]; each says what to do.
    pub async fn start(config: BrokerConfig) -> Result<BrokerHandle, StartError> {
        raise_descriptor_limit();
        let mut configs = Configs::new(config.node_id, &config.properties)?;
        let listener = listener::bind(config.listen).await?;
        let addr = listener
            .local_addr()
            .map_err(|source| ListenError::Other { addr: config.listen, source })?;
        let advertised = advertised(&config, addr);
        tell(&mut configs, &config, addr, &advertised);

        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let readiness = Arc::new(Readiness::default());
        let metrics = Arc::new(Metrics::new());
        let mut admin_addr = None;
        if let Some(wanted) = config.admin_listen {
            let admin = listener::bind(wanted).await?;
            admin_addr = admin.local_addr().ok();
            let served =
                admin::serve(admin, Arc::clone(&readiness), Arc::clone(&metrics), shutdown.clone());
            tasks.spawn(served);
        }

        let (failed, failure) = watch::channel(None);
        let background = (tasks.clone(), shutdown.clone());
        let configs = Arc::new(configs);
        let parts = Parts { config, configs, advertised, metrics, failed, background };
        let opened = tokio::task::spawn_blocking(move || parts.open())
            .await
            .map_err(|error| StartError::Thread(std::io::Error::other(error)))?;
        let broker = match opened {
            Ok(broker) => broker,
            Err(error) => {
                shutdown.cancel();
                return Err(error);
            }
        };
        broker.groups.start();
        let limits = limits(&broker.configs);
        let metrics = Arc::clone(&broker.metrics);
        let accepting = listener::accept(
            listener,
            Arc::clone(&broker),
            limits,
            metrics,
            tasks.clone(),
            shutdown.clone(),
        );
        tasks.spawn(accepting);
        tasks.spawn(housekeeping::run(Arc::clone(&broker), shutdown.clone()));
        readiness.recovered(&broker);
        Ok(BrokerHandle { broker, addr, admin_addr, shutdown, tasks, failure })
    }
}

impl BrokerHandle {
    /// Where the broker listens for Kafka clients.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it serves probes and metrics.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin_addr
    }

    /// The cluster that it belongs to.
    pub fn cluster_id(&self) -> &str {
        &self.broker.cluster_id
    }

    /// Returns when the broker cannot go on (its disk failed), and says why.
    pub async fn failed(&self) -> String {
        let mut failure = self.failure.clone();
        let outcome = failure.wait_for(Option::is_some).await.map(|reason| reason.clone());
        match outcome {
            Ok(Some(reason)) => reason,
            // The flusher is gone, and with it whatever could still fail.
            _ => std::future::pending().await,
        }
    }

    /// Stops: takes no more requests, closes the logs, notes that all is well, so that the next start need not
    /// recover.
    ///
    /// # Errors
    /// The first log that could not be closed; the next start recovers it.
    pub async fn shutdown(self) -> Result<(), DiskError> {
        self.shutdown.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP_TIMEOUT, self.tasks.wait()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        let broker = self.broker;
        let closed = tokio::task::spawn_blocking(move || {
            let closed = broker.partitions.close();
            // A connection that would not end may hold the broker for longer than its folder.
            broker.partitions.release_folder();
            closed
        })
        .await;
        closed.unwrap_or(Ok(()))
    }
}

/// What the blocking half of the start needs.
struct Parts {
    config: BrokerConfig,
    configs: Arc<Configs>,
    advertised: (Str, u16),
    metrics: Arc<Metrics>,
    failed: watch::Sender<Option<String>>,
    /// For tasks that outlive the start.
    background: (TaskTracker, CancellationToken),
}

impl Parts {
    /// Takes the folder, replays the metadata, recovers the logs.
    fn open(self) -> Result<Arc<Broker>, StartError> {
        let disk: Arc<dyn Disk> = Arc::new(OsDisk);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let dir = &self.config.data_dir;
        let log_dir = Arc::new(LogDir::open(Arc::clone(&disk), dir)?);
        let wanted = self.config.cluster_id.as_deref();
        let identity =
            Identity::establish(&*disk, dir, self.config.node_id, wanted, &mut SystemEntropy)?;
        let (log, image, _) = MetadataLog::open(disk, &dir.join(METADATA_DIR))?;

        let failed = self.failed;
        let flusher = Flusher::start(Box::new(move |error| {
            tracing::error!("{error}: nothing can be acknowledged any more");
            failed.send_replace(Some(error.to_string()));
        }))
        .map_err(StartError::Thread)?;
        let partitions = Arc::new(Partitions::new(
            self.config.node_id,
            log_dir,
            Arc::new(flusher),
            Arc::clone(&self.configs),
            Arc::clone(&clock),
            Arc::clone(&self.metrics),
        ));

        let (image, controller) = start_controller(&self.configs, log, image, &partitions);
        register(&controller, &identity, &self.advertised)?;
        partitions.put_strays_aside(&image.load())?;

        let groups = GroupCoordinator::new(
            self.config.node_id,
            &self.configs,
            Arc::clone(&partitions) as Arc<dyn GroupLog>,
            Arc::clone(&clock),
            Arc::clone(&image),
            self.background,
        );
        Ok(Arc::new(Broker {
            groups,
            config: self.config,
            configs: self.configs,
            cluster_id: Str::from(identity.cluster_id),
            image,
            partitions,
            controller,
            clock,
            metrics: self.metrics,
        }))
    }
}

fn start_controller(
    configs: &Configs,
    log: MetadataLog,
    image: MetadataImage,
    partitions: &Arc<Partitions>,
) -> (Arc<ImageCell>, ControllerHandle) {
    let image = Arc::new(image);
    let cell = Arc::new(ImageCell::default());
    cell.publish(Arc::clone(&image));
    let settings = ControllerSettings {
        num_partitions: configs.static_long("num.partitions") as i32,
        default_replication_factor: configs.static_long("default.replication.factor") as i16,
        delete_topic_enable: configs.static_bool("delete.topic.enable"),
        min_insync_replicas: configs.static_long("min.insync.replicas") as usize,
        unclean_leader_election_enable: configs.static_bool("unclean.leader.election.enable"),
        session_timeout_ms: configs.static_long("broker.session.timeout.ms") as u64,
    };
    let controller = Controller::new(image, settings, Arc::new(TableSchema));
    let hosted = Arc::clone(partitions);
    let on_change = Box::new(move |image: &Arc<MetadataImage>| hosted.apply(image));
    (Arc::clone(&cell), ControllerHandle::new(controller, log, cell, on_change))
}

/// Registers this broker and reports that it is up. Its leaderships get a new epoch, and the partitions are opened as the
/// new image says.
fn register(
    controller: &ControllerHandle,
    identity: &Identity,
    advertised: &(Str, u16),
) -> Result<(), StartError> {
    let broker_id = identity.node_id;
    let registered = |broker: &Arc<BrokerImage>| broker.epoch;
    let command = RegisterBroker {
        broker_id,
        incarnation_id: SystemEntropy.uuid(),
        directory_id: identity.directory_id,
        // Nobody else could have led meanwhile, so whatever this log holds is what there is.
        previous_broker_epoch: controller.image().broker(broker_id).map_or(-1, registered),
        host: advertised.0.to_string(),
        port: advertised.1,
        rack: None,
        features: Vec::new(),
        now_ms: 0,
    };
    let broker_epoch = submit(controller, command)?.map_err(refused)?;
    let heartbeat = BrokerHeartbeat {
        broker_id,
        broker_epoch,
        metadata_offset: controller.image().offset(),
        want_fence: false,
        want_shut_down: false,
        now_ms: 0,
    };
    submit(controller, heartbeat)?.map_err(refused)?;
    Ok(())
}

fn submit<C: Command>(controller: &ControllerHandle, command: C) -> Result<C::Answer, StartError> {
    controller.submit_blocking(command).map_err(|error| match error {
        SubmitError::Log(error) => StartError::Metadata(error),
        error => StartError::Register(error.to_string()),
    })
}

fn refused(error: impl std::fmt::Display) -> StartError {
    StartError::Register(error.to_string())
}

/// What clients are told to connect to.
fn advertised(config: &BrokerConfig, bound: SocketAddr) -> (Str, u16) {
    if let Some((host, port)) = &config.advertised {
        // Port 0 means the one that was bound, whichever that is.
        return (Str::from(host.clone()), if *port == 0 { bound.port() } else { *port });
    }
    if bound.ip().is_unspecified() {
        // Every address of this machine: its name is what others can use.
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        return (Str::from(name), bound.port());
    }
    (Str::from(bound.ip().to_string()), bound.port())
}

/// Notes in the configs what the command line said, so that DescribeConfigs tells the truth.
fn tell(configs: &mut Configs, config: &BrokerConfig, bound: SocketAddr, to: &(Str, u16)) {
    configs.told("node.id", config.node_id.to_string());
    configs.told("log.dirs", config.data_dir.display().to_string());
    configs.told("listeners", format!("PLAINTEXT://{bound}"));
    configs.told("advertised.listeners", format!("PLAINTEXT://{}:{}", to.0, to.1));
}

fn limits(configs: &Configs) -> Limits {
    let max_frame = configs.static_long("socket.request.max.bytes");
    let max_idle_ms = configs.static_long("connections.max.idle.ms");
    Limits {
        max_frame_bytes: usize::try_from(max_frame).unwrap_or(0),
        // A negative value: never.
        max_idle: u64::try_from(max_idle_ms).map_or(Duration::MAX, Duration::from_millis),
    }
}

/// Each partition has a few files and each client a socket; the soft limit of 1,024 is soon reached.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "failed to raise the limit of open files");
        }
    }
}
