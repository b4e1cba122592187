//! Starting and stopping: puts the parts together.
//!
//! Order at the start: configs are checked and ports opened (both can fail at once, and cheaply), then the folder is
//! locked, the metadata replayed, and the node takes part in the quorum. Once it has registered with the active controller
//! its logs are opened, and once that has unfenced it, clients are served; until then their requests wait. `/livez` answers
//! from the first moment, `/readyz` says what is still to be done.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use protocol::Str;
use quorum::controller::{ControllerSettings, Entropy};
use quorum::identity::{Identity, IdentityError, METADATA_DIR};
use quorum::node::{NodeConfig, OpenError, QuorumNode};
use quorum::raft::Timing;
use storage::{
    BoundedDisk, Disk, DiskError, EpochFile, Flusher, LogDir, LogDirError, OsDisk, Reserve,
    ReservedDisk, Writes,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{self, Readiness};
use crate::api::fetch::Sessions;
use crate::broker_config::BrokerConfig;
use crate::cluster::isr::IsrToController;
use crate::cluster::lifecycle::Registration;
use crate::cluster::messages::Messenger;
use crate::cluster::metadata::{MetadataApplier, NewestImage};
use crate::cluster::quorum_thread::QuorumThread;
use crate::cluster::roles::RolesError;
use crate::cluster::voters::{StaticVoters, VotersError};
use crate::cluster::{Lifecycle, QuorumHandle, Roles, bootstrap, duties, watchdog};
use crate::config::{Configs, PropertiesError, TableSchema};
use crate::connection::Limits;
use crate::context::{Broker, BrokerEpoch, Clock, ImageCell, SystemClock};
use crate::controller::ControllerHandle;
use crate::descriptors;
use crate::entropy::SystemEntropy;
use crate::group::{GroupCoordinator, GroupLog};
use crate::housekeeping;
use crate::listener::{self, ListenError};
use crate::metrics::Metrics;
use crate::partition::{LogDirGate, Partitions};
use crate::peers::{PeerSettings, Peers};
use crate::producer_ids::ProducerIds;
use crate::replication::{Replication, ReplicationSettings, reads_near};

/// Keeps room for the metadata: some ten thousand changes of a partition.
const RESERVE_FILE: &str = "metadata.reserve";
const RESERVE_BYTES: u64 = 4 << 20;
/// Longest wait for a connection to another node.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a broker that cannot go on waits for others to take over: a change of controller.
const GIVE_UP_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a stop waits for connections to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is looked, and with which pause, whether another process has let go of the folder.
const FOLDER_LOOKS: u32 = 100;
const FOLDER_LOOK_PAUSE: Duration = Duration::from_millis(100);

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
    Metadata(#[from] OpenError),
    /// The voters are not given as they must be.
    #[error(transparent)]
    Voters(#[from] VotersError),
    /// The roles do not go with the voters.
    #[error(transparent)]
    Roles(#[from] RolesError),
    /// A cluster of several nodes needs a name that all of them are told.
    #[error(
        "a node that joins others must be told the cluster's id (--cluster-id), the same on every node; \
         any name does, for example {0}"
    )]
    ClusterId(String),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The broker failed before it was ready.
    #[error("{0}")]
    Failed(String),
    /// The system refused a thread or a task.
    #[error("failed to start a thread")]
    Thread(#[source] std::io::Error),
}

/// Threads that are waited for at the end.
#[derive(Debug)]
struct Threads {
    newest: Arc<NewestImage>,
    metadata: JoinHandle<()>,
}

/// A running broker.
#[derive(Debug)]
pub struct BrokerHandle {
    broker: Arc<Broker>,
    addr: SocketAddr,
    admin_addr: Option<SocketAddr>,
    leaving: CancellationToken,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    threads: Threads,
    failure: watch::Receiver<Option<String>>,
}

impl Broker {
    /// Starts a broker: when this returns, it answers.
    ///
    /// # Errors
    /// [`StartError`]; each says what to do.
    pub async fn start(config: BrokerConfig) -> Result<BrokerHandle, StartError> {
        let descriptors = descriptors::raise_limit();
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
        let (roles, servers) = (Roles::of(&configs), bootstrap::servers(&configs)?);
        let mut voters = StaticVoters::of(&configs)?;
        roles.check(config.node_id, &voters, !servers.is_empty())?;
        if voters.addresses().is_empty() && !servers.is_empty() {
            voters = bootstrap::find(&servers, peer_settings(&configs, config.node_id)).await;
        }
        let parts = Parts {
            roles,
            voters,
            config,
            configs: Arc::new(configs),
            advertised,
            metrics,
            failed: Arc::new(failed),
            descriptors,
            background,
            runtime: tokio::runtime::Handle::current(),
        };
        let alone = parts.voters.is_only(parts.config.node_id);
        let opened = tokio::task::spawn_blocking(move || parts.open())
            .await
            .map_err(|error| StartError::Thread(std::io::Error::other(error)))?;
        let (broker, threads) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                shutdown.cancel();
                return Err(error);
            }
        };
        let accepting = listener::accept(
            listener,
            Arc::clone(&broker),
            limits(&broker.configs),
            Arc::clone(&broker.metrics),
            tasks.clone(),
            shutdown.clone(),
        );
        tasks.spawn(accepting);
        let leaving = CancellationToken::new();
        if roles.broker {
            tasks.spawn(Lifecycle::run(Arc::clone(&broker), leaving.clone(), shutdown.clone()));
            replication(&broker).start(&tasks, &shutdown);
        } else {
            broker.lifecycle.begin_as_controller();
        }
        tasks.spawn(watchdog::run(Arc::clone(&broker), shutdown.clone()));
        tasks.spawn(duties::run(Arc::clone(&broker), shutdown.clone()));
        tasks.spawn(serve_when_ready(Arc::clone(&broker), readiness, shutdown.clone()));
        let handle =
            BrokerHandle { broker, addr, admin_addr, leaving, shutdown, tasks, threads, failure };
        if alone {
            // Nobody else has to come first.
            handle.ready().await?;
        }
        Ok(handle)
    }
}

fn replication(broker: &Arc<Broker>) -> Replication {
    Replication {
        node_id: broker.config.node_id,
        partitions: Arc::clone(&broker.partitions),
        image: Arc::clone(&broker.image),
        peers: Arc::clone(&broker.peers),
        clock: Arc::clone(&broker.clock),
        epoch: Arc::clone(&broker.broker_epoch),
        configs: Arc::clone(&broker.configs),
        settings: ReplicationSettings::of(&broker.configs),
        changes: Arc::new(IsrToController(Arc::clone(broker))),
    }
}

/// What begins with the first moment at which this broker serves.
async fn serve_when_ready(
    broker: Arc<Broker>,
    readiness: Arc<Readiness>,
    shutdown: CancellationToken,
) {
    tokio::select! {
        () = broker.lifecycle.serving() => {}
        () = shutdown.cancelled() => return,
    }
    if !broker.roles.broker {
        // It has no logs and no groups; it is there when it knows who leads the quorum.
        shutdown.run_until_cancelled(broker.quorum.wait_for_leader()).await;
        return readiness.recovered(&broker);
    }
    broker.groups.start();
    readiness.recovered(&broker);
    housekeeping::run(broker, shutdown).await;
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

    /// Returns when the broker serves clients. They may connect before; their requests wait.
    ///
    /// # Errors
    /// It cannot go on, see [`BrokerHandle::failed`].
    pub async fn ready(&self) -> Result<(), StartError> {
        tokio::select! {
            () = self.broker.lifecycle.serving() => Ok(()),
            why = self.failed() => Err(StartError::Failed(why)),
        }
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

    /// For a broker that cannot go on ([`BrokerHandle::failed`]): lets others take what it leads, and returns soon in any case.
    ///
    /// A disk that fails may hold its callers for long, and the process with them, whose open port then looks alive; so
    /// nothing here waits for it, and the others are told rather than left to find out.
    pub async fn give_up(self) {
        let broker = &self.broker;
        let id = broker.config.node_id;
        if *broker.partitions.gate().changes().borrow() == Writes::Failed {
            let told = broker.image.wait_for(|image| {
                image.broker(id).is_none_or(|broker| broker.log_dir_offline || broker.fenced)
            });
            tokio::time::timeout(GIVE_UP_TIMEOUT, told).await.ok();
        }
        broker.quorum.resign();
        // Ending its threads would wait for the disk. The process ends next, and takes them along.
        std::mem::forget(self);
    }

    /// Stops: gives its leaderships away, takes no more requests, closes the logs, notes that all is well, so that the
    /// next start need not recover.
    ///
    /// # Errors
    /// The first log that could not be closed; the next start recovers it.
    pub async fn shutdown(self) -> Result<(), DiskError> {
        self.leaving.cancel();
        if self.failure.borrow().is_none() {
            self.broker.lifecycle.left().await;
        }
        self.broker.quorum.resign();
        self.close().await
    }

    /// Stops as if it had been killed, but for the operating system's view: nothing is given away, nothing is noted. The
    /// next start recovers.
    pub async fn abort(self) {
        self.shutdown.cancel();
        self.tasks.close();
        tokio::time::timeout(STOP_TIMEOUT, self.tasks.wait()).await.ok();
        let broker = self.broker;
        let threads = self.threads;
        let ended = tokio::task::spawn_blocking(move || {
            end_threads(&broker, threads);
            broker.partitions.release_folder();
        });
        ended.await.ok();
    }

    /// Stops without giving anything away, for when the whole cluster stops: takes no more requests, closes the logs, notes
    /// that all is well.
    ///
    /// # Errors
    /// As [`BrokerHandle::shutdown`].
    pub async fn close(self) -> Result<(), DiskError> {
        self.shutdown.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP_TIMEOUT, self.tasks.wait()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        let broker = self.broker;
        let threads = self.threads;
        let closed = tokio::task::spawn_blocking(move || {
            end_threads(&broker, threads);
            let closed = broker.partitions.close(broker.broker_epoch.load());
            // A connection that would not end may hold the broker for longer than its folder.
            broker.partitions.release_folder();
            closed
        })
        .await;
        closed.unwrap_or(Ok(()))
    }
}

fn end_threads(broker: &Broker, threads: Threads) {
    broker.quorum.stop();
    threads.newest.stop();
    if threads.metadata.join().is_err() {
        tracing::error!("the metadata thread has panicked");
    }
}

/// What the blocking half of the start needs.
struct Parts {
    config: BrokerConfig,
    configs: Arc<Configs>,
    roles: Roles,
    voters: StaticVoters,
    advertised: (Str, u16),
    metrics: Arc<Metrics>,
    failed: Arc<watch::Sender<Option<String>>>,
    /// How many files and sockets the process may have open.
    descriptors: u64,
    /// For tasks that outlive the start.
    background: (TaskTracker, CancellationToken),
    runtime: tokio::runtime::Handle,
}

/// Opens the folder. One that another process holds is waited for: of a pod that was deleted by force the successor may start
/// before the process has ended, and each start that fails makes the next one later (CrashLoopBackOff).
fn take_folder(disk: &Arc<dyn Disk>, dir: &Path) -> Result<LogDir, LogDirError> {
    let mut looks = 0;
    loop {
        match LogDir::open(Arc::clone(disk), dir) {
            Err(LogDirError::Locked { .. }) if looks < FOLDER_LOOKS => {
                if looks == 0 {
                    tracing::warn!(
                        "{} is in use by another process; waiting {:?} for it to end",
                        dir.display(),
                        FOLDER_LOOK_PAUSE * FOLDER_LOOKS
                    );
                }
                looks += 1;
                std::thread::sleep(FOLDER_LOOK_PAUSE);
            }
            opened => return opened,
        }
    }
}

impl Parts {
    /// Takes the folder, replays the metadata, takes part in the quorum.
    fn open(self) -> Result<(Arc<Broker>, Threads), StartError> {
        let disk: Arc<dyn Disk> =
            Arc::new(BoundedDisk::new(Arc::new(OsDisk), descriptors::log_files(self.descriptors)));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let dir = self.config.data_dir.clone();
        let log_dir = Arc::new(take_folder(&disk, &dir)?);
        let identity = self.identity(&*disk)?;
        let gate = LogDirGate::new(Arc::clone(&self.failed));
        let reserve = reserve(&disk, &dir, &gate);
        let (tasks, shutdown) = &self.background;
        let watched =
            Arc::clone(&gate).watch(Arc::clone(&reserve), Arc::clone(&clock), shutdown.clone());
        tasks.spawn_on(watched, &self.runtime);
        let metadata_disk: Arc<dyn Disk> = Arc::new(ReservedDisk(reserve));
        let epoch_file = EpochFile::open(Arc::clone(&metadata_disk), &dir)?;
        let cluster_id = Str::from(identity.cluster_id.clone());
        let previous = log_dir.clean_shutdown_epoch().unwrap_or(-1).max(epoch_file.epoch());

        let partitions = Arc::new(Partitions::new(
            self.config.node_id,
            log_dir,
            (Arc::new(self.flusher(&gate)?), gate),
            Arc::clone(&self.configs),
            Arc::clone(&clock),
            Arc::clone(&self.metrics),
        ));
        let reopened = Arc::clone(&partitions).reopen_with_room(shutdown.clone());
        tasks.spawn_on(reopened, &self.runtime);
        let peers = Arc::new(Peers::new(peer_settings(&self.configs, self.config.node_id)));
        peers.set_addresses(self.voters.addresses().iter().cloned());
        let newest = Arc::new(NewestImage::default());
        let image = Arc::new(ImageCell::default());
        let quorum = self.quorum(&identity, metadata_disk, &clock, &peers, &newest)?;
        let applier = MetadataApplier {
            node_id: self.config.node_id,
            newest: Arc::clone(&newest),
            partitions: Arc::clone(&partitions),
            peers: Arc::clone(&peers),
            voters: self.voters.addresses().to_vec(),
            cell: Arc::clone(&image),
            configs: Arc::clone(&self.configs),
            epoch_file,
            failed: Arc::clone(&self.failed),
        };
        let metadata = applier.start().map_err(StartError::Thread)?;
        let groups = GroupCoordinator::new(
            self.config.node_id,
            &self.configs,
            Arc::clone(&partitions) as Arc<dyn GroupLog>,
            Arc::clone(&clock),
            Arc::clone(&image),
            self.background.clone(),
        );
        let broker_epoch = BrokerEpoch::unregistered();
        let lifecycle = self.lifecycle(&identity, &newest, &broker_epoch, previous);
        let reads_near = reads_near(&self.configs, &image.load());
        let broker = Arc::new(Broker {
            controller: ControllerHandle::new(quorum.clone(), Arc::clone(&image)),
            producer_ids: ProducerIds::default(),
            groups,
            config: self.config,
            configs: self.configs,
            cluster_id,
            roles: self.roles,
            image,
            partitions,
            quorum,
            lifecycle,
            peers,
            broker_epoch,
            sessions: Sessions::default(),
            reads_near,
            clock,
            metrics: self.metrics,
        });
        Ok((broker, Threads { newest, metadata }))
    }

    fn identity(&self, disk: &dyn Disk) -> Result<Identity, StartError> {
        let (config, wanted) = (&self.config, self.config.cluster_id.as_deref());
        let fresh = !Identity::exists(disk, &config.data_dir)?;
        if fresh && wanted.is_none() && !self.voters.is_only(config.node_id) {
            return Err(StartError::ClusterId(SystemEntropy.uuid().to_string()));
        }
        let id = config.node_id;
        Ok(Identity::establish(disk, &config.data_dir, id, wanted, &mut SystemEntropy)?)
    }

    fn flusher(&self, gate: &Arc<LogDirGate>) -> Result<Flusher, StartError> {
        let gate = Arc::clone(gate);
        Flusher::start(Box::new(move |error| gate.refused(error))).map_err(StartError::Thread)
    }

    fn quorum(
        &self,
        identity: &Identity,
        disk: Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
        peers: &Arc<Peers>,
        newest: &Arc<NewestImage>,
    ) -> Result<QuorumHandle, StartError> {
        let node_id = self.config.node_id;
        let config = NodeConfig {
            node_id,
            directory_id: identity.directory_id,
            cluster_id: identity.cluster_id.clone(),
            initial_voters: self.voters.voters(node_id, identity.directory_id),
            is_voter: self.roles.controller,
            timing: quorum_timing(&self.configs),
            controller: controller_settings(&self.configs),
            seed: fastrand::u64(..),
        };
        let dir = self.config.data_dir.join(METADATA_DIR);
        let now_ms = clock.monotonic_ms();
        let node = QuorumNode::open(config, Arc::new(TableSchema), disk, &dir, now_ms)?;
        for (id, (host, port)) in node.addresses() {
            peers.suggest(id, &host, port);
        }
        let thread = QuorumThread {
            node,
            clock: Arc::clone(clock),
            messenger: Messenger {
                node_id,
                cluster_id: Str::from(identity.cluster_id.clone()),
                peers: Arc::clone(peers),
                runtime: self.runtime.clone(),
            },
            newest: Arc::clone(newest),
            failed: Arc::clone(&self.failed),
        };
        thread.start(node_id).map_err(StartError::Thread)
    }

    fn lifecycle(
        &self,
        identity: &Identity,
        newest: &Arc<NewestImage>,
        broker_epoch: &Arc<BrokerEpoch>,
        previous_broker_epoch: i64,
    ) -> Lifecycle {
        let rack = Some(self.configs.static_text("broker.rack")).filter(|rack| !rack.is_empty());
        let registration = Registration {
            directory_id: identity.directory_id,
            cluster_id: Str::from(identity.cluster_id.clone()),
            advertised: self.advertised.clone(),
            rack: rack.map(Str::from),
            previous_broker_epoch,
        };
        let interval = millis(&self.configs, "broker.heartbeat.interval.ms");
        Lifecycle::new(registration, Arc::clone(newest), Arc::clone(broker_epoch), interval)
    }
}

/// Room on the disk that records cannot take, for the metadata.
fn reserve(disk: &Arc<dyn Disk>, dir: &Path, gate: &Arc<LogDirGate>) -> Arc<Reserve> {
    let gate = Arc::clone(gate);
    let path = dir.join(RESERVE_FILE);
    Reserve::open(
        Arc::clone(disk),
        &path,
        RESERVE_BYTES,
        Box::new(move |error| gate.refused(error)),
    )
}

fn peer_settings(configs: &Configs, node_id: i32) -> PeerSettings {
    let bytes = |key: &str| usize::try_from(configs.static_long(key)).unwrap_or(0);
    let request = bytes("socket.request.max.bytes");
    PeerSettings {
        client_id: Str::from(format!("broker-{node_id}")),
        // A response ends with a batch that may be as large as a request (KIP-74).
        max_frame_bytes: request.saturating_add(bytes("replica.fetch.response.max.bytes")),
        connect_timeout: CONNECT_TIMEOUT,
    }
}

fn millis(configs: &Configs, key: &str) -> Duration {
    Duration::from_millis(u64::try_from(configs.static_long(key)).unwrap_or(0).max(1))
}

fn quorum_timing(configs: &Configs) -> Timing {
    let ms = |key: &str| u64::try_from(configs.static_long(key)).unwrap_or(0).max(1);
    Timing {
        election_timeout_ms: ms("controller.quorum.election.timeout.ms"),
        fetch_timeout_ms: ms("controller.quorum.fetch.timeout.ms"),
        request_timeout_ms: ms("controller.quorum.request.timeout.ms"),
        ..Timing::default()
    }
}

fn controller_settings(configs: &Configs) -> ControllerSettings {
    ControllerSettings {
        num_partitions: configs.static_long("num.partitions") as i32,
        default_replication_factor: configs.static_long("default.replication.factor") as i16,
        delete_topic_enable: configs.static_bool("delete.topic.enable"),
        min_insync_replicas: usize::try_from(configs.static_long("min.insync.replicas"))
            .unwrap_or(1),
        unclean_leader_election_enable: configs.static_bool("unclean.leader.election.enable"),
        session_timeout_ms: u64::try_from(configs.static_long("broker.session.timeout.ms"))
            .unwrap_or(0),
    }
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
