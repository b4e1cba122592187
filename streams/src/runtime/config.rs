//! How a worker is started.

use crate::StoreError;
use crate::topology::Topology;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Settings of a worker.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// `host:port`, several separated by commas.
    pub bootstrap: String,
    /// Kafka's `application.id`: the consumer group, and the prefix of internal topics.
    pub application_id: String,
    /// Where state is kept (`state.dir`), for this worker alone. What is lost is read from the changelogs again.
    pub state_dir: PathBuf,
    pub topology: Arc<Topology>,
    /// `commit.interval.ms`: the most that is processed again after a crash.
    pub commit_interval_ms: u64,
    /// Where `/livez`, `/readyz`, `/metrics` and `/status` are served, if they are.
    pub admin_listen: Option<SocketAddr>,
}

/// Why a worker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Bootstrap(#[from] client::ConfigError),
    #[error(
        "`{0}` cannot be an application id: use the characters a-z, A-Z, 0-9, '.', '_' and '-'"
    )]
    ApplicationId(String),
    #[error(
        "the state in {path} is in use by another process: give each worker a directory of its own"
    )]
    StateInUse { path: String },
    #[error("the state in {path} cannot be opened: {source}")]
    State { path: String, source: StoreError },
    #[error("the state directory {path} cannot be used: {source}")]
    StateDirectory { path: String, source: std::io::Error },
    #[error("the admin address {addr} cannot be used: {source}")]
    AdminListen { addr: SocketAddr, source: std::io::Error },
    #[error("a thread cannot be started: {0}")]
    Thread(std::io::Error),
}
