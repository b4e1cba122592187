//! Start and stop.

use super::config::{StartError, WorkerConfig};
use super::status::{StatusBoard, WorkerState, WorkerStatus};
use super::tasks::Workshop;
use super::thread::StreamThread;
use super::{admin_http, lag};
use crate::topology::check_name;
use crate::{FjallStores, StoreError};
use client::{Admin, Client, ClientConfig};
use protocol::{Str, Uuid};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A topology's nodes call each other by recursion.
const STACK_BYTES: usize = 16 * 1024 * 1024;
/// The random name of a worker's directory, by which the group knows it again after a restart.
const PROCESS_FILE: &str = "process-id";
/// Databases are in a folder of their own, which can be put aside.
const STATE_FOLDER: &str = "state";

/// Starts workers.
#[derive(Debug)]
pub struct Worker;

/// A running worker; it stops when this is dropped, and orderly with [`WorkerHandle::shutdown`].
#[derive(Debug)]
pub struct WorkerHandle {
    board: StatusBoard,
    client: Client,
    admin: Admin,
    application_id: String,
    inputs: Vec<String>,
    eager: Arc<AtomicBool>,
    admin_addr: Option<SocketAddr>,
    /// False once the thread has ended.
    alive: watch::Receiver<bool>,
    stop: DropGuard,
}

/// The worker stopped before what was waited for.
#[derive(Debug, thiserror::Error)]
#[error("the worker has stopped{}", .0.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
pub struct Stopped(Option<String>);

impl Worker {
    /// Opens the state and starts the loop. The cluster need not be there yet: the worker waits for it, and says so in
    /// its status.
    pub async fn start(config: WorkerConfig) -> Result<WorkerHandle, StartError> {
        let WorkerConfig { bootstrap, application_id, state_dir, topology, .. } = config;
        if check_name(&application_id).is_err() {
            return Err(StartError::ApplicationId(application_id));
        }
        let client_config = ClientConfig::new(&bootstrap).with_client_id(application_id.clone());
        client_config.validate()?;
        let stop = CancellationToken::new();
        let board = StatusBoard::default();
        let listener = match config.admin_listen {
            Some(addr) => Some(
                tokio::net::TcpListener::bind(addr)
                    .await
                    .map_err(|source| StartError::AdminListen { addr, source })?,
            ),
            None => None,
        };
        let (engine, process_id) = open_state(&state_dir).await?;
        let admin_addr = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listener) = listener {
            let (app, board, stop) = (application_id.clone(), board.clone(), stop.clone());
            tokio::spawn(admin_http::serve(listener, app, board, stop));
        }
        let client = Client::new(client_config);
        let admin = client.admin();
        tokio::spawn(lag::watch(admin.clone(), board.clone(), stop.clone()));
        let inputs: Vec<String> =
            topology.input_topics(&application_id).iter().map(ToString::to_string).collect();
        let instance_id = instance_id(&application_id, &process_id, &inputs);
        let eager = Arc::new(AtomicBool::new(false));
        let thread = StreamThread {
            workshop: Workshop {
                runtime: tokio::runtime::Handle::current(),
                client: client.clone(),
                admin: admin.clone(),
                engine,
                topology,
                application_id: Str::copy(&application_id),
                board: board.clone(),
                stop: stop.clone(),
            },
            instance_id,
            commit_interval: Duration::from_millis(config.commit_interval_ms),
            eager: eager.clone(),
        };
        let alive = spawn(thread, board.clone())?;
        let stop = stop.drop_guard();
        Ok(WorkerHandle {
            board,
            client,
            admin,
            application_id,
            inputs,
            eager,
            admin_addr,
            alive,
            stop,
        })
    }
}

/// Starts the thread; what is returned turns false when it has ended and the state is closed.
fn spawn(thread: StreamThread, board: StatusBoard) -> Result<watch::Receiver<bool>, StartError> {
    /// Tells of the end, also of an end by a panic.
    struct End(watch::Sender<bool>, StatusBoard);
    impl Drop for End {
        fn drop(&mut self) {
            if self.1.state() != WorkerState::NotRunning {
                let message = "the worker's thread has failed; see the log".to_owned();
                self.1.set_state(WorkerState::Error, Some(message));
            }
            self.0.send_replace(false);
        }
    }
    let (sender, receiver) = watch::channel(true);
    std::thread::Builder::new()
        .name(format!("streams-{}", thread.workshop.application_id))
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let end = End(sender, board);
            thread.run();
            // The database is closed before the end is told: the directory may be opened again then.
            drop(thread);
            drop(end);
        })
        .map_err(StartError::Thread)?;
    Ok(receiver)
}

/// Opens the database (on a thread that may block) and reads the worker's name.
async fn open_state(state_dir: &Path) -> Result<(FjallStores, String), StartError> {
    let path = state_dir.to_owned();
    let shown = path.display().to_string();
    let opened = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&path).map_err(OpenError::Directory)?;
        let id = process_id(&path).map_err(OpenError::Directory)?;
        let engine = FjallStores::open(&path.join(STATE_FOLDER)).map_err(OpenError::Store)?;
        Ok((engine, id))
    });
    let opened = opened
        .await
        .unwrap_or_else(|e| Err(OpenError::Directory(std::io::Error::other(e.to_string()))));
    match opened {
        Ok(opened) => Ok(opened),
        Err(OpenError::Store(StoreError::Engine(fjall::Error::Locked))) => {
            Err(StartError::StateInUse { path: shown })
        }
        Err(OpenError::Store(source)) => Err(StartError::State { path: shown, source }),
        Err(OpenError::Directory(source)) => {
            Err(StartError::StateDirectory { path: shown, source })
        }
    }
}

enum OpenError {
    Directory(std::io::Error),
    Store(StoreError),
}

/// The worker's name as a static member. A coordinator gives a static member that comes back its old partitions,
/// whatever it subscribes to now (KIP-345): with other topics it must come as somebody else.
fn instance_id(application_id: &str, process_id: &str, inputs: &[String]) -> String {
    let topics = crc_fast::crc32_iscsi(inputs.join(",").as_bytes());
    format!("{application_id}-{process_id}-{topics:08x}")
}

fn process_id(dir: &Path) -> std::io::Result<String> {
    let path = dir.join(PROCESS_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) if text.trim().parse::<Uuid>().is_ok() => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let id = Uuid::from_random(fastrand::u128(..)).to_string();
    std::fs::write(&path, &id)?;
    Ok(id)
}

impl WorkerHandle {
    /// How the worker is now.
    pub fn status(&self) -> WorkerStatus {
        self.board.snapshot()
    }

    /// Where `/livez` and the others are served.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin_addr
    }

    /// Waits until the group has processed, written and committed everything that is in its input topics now,
    /// internal topics included. While somebody waits, the worker commits whenever there is nothing to read.
    pub async fn caught_up(&self) -> Result<(), Stopped> {
        self.eager.store(true, Ordering::Relaxed);
        let mut alive = self.alive.clone();
        let caught_up = async {
            loop {
                match lag::caught_up(&self.admin, &self.application_id, &self.inputs).await {
                    Ok(()) => return,
                    // Topics that are not there yet, a broker that restarts.
                    Err(error) => tracing::debug!(%error, "waiting to catch up"),
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let outcome = tokio::select! {
            () = caught_up => Ok(()),
            _ = alive.wait_for(|alive| !alive) => Err(Stopped(self.status().message)),
        };
        self.eager.store(false, Ordering::Relaxed);
        outcome
    }

    /// Commits, closes the state, and waits for the end of it.
    pub async fn shutdown(self) {
        let WorkerHandle { client, mut alive, stop, .. } = self;
        drop(stop);
        // An error means that the thread is gone.
        let _ = alive.wait_for(|alive| !alive).await;
        drop(client);
    }
}
