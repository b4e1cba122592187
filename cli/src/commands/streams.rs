//! `vltava streams`: one worker of a declared app in the foreground.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use ::streams::{Worker, WorkerConfig};
use anyhow::{Context, bail};
use clap::Args;

use crate::shutdown;
use crate::up::apps;

const EXAMPLES: &str = "\
Examples:
  vltava streams --app examples/wordcount/app.yaml --state-dir ./state
  vltava streams --app /etc/vltava/app.yaml --bootstrap kafka:9092 --state-dir /var/lib/vltava/state \\
      --admin-listen 0.0.0.0:9644

Several workers of one app share its partitions.";

/// Run a worker of a StreamsApp
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StreamsArgs {
    /// File with the StreamsApp
    #[arg(long, value_name = "FILE")]
    app: PathBuf,
    /// Addresses of brokers, separated by commas; one that answers is enough
    #[arg(
        short,
        long,
        env = "VLTAVA_BOOTSTRAP",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092"
    )]
    bootstrap: String,
    /// Where state is kept; what is lost is read again from Kafka
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// Address of /livez, /readyz, /metrics and the worker's status; without it there are none
    #[arg(long, value_name = "IP:PORT")]
    admin_listen: Option<SocketAddr>,
}

pub(crate) async fn run(args: StreamsArgs) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let found = apps::read(vec![args.app.clone()]);
    if let Some(refusal) = found.refusals.first() {
        bail!("{refusal}");
    }
    let [app] = found.apps.as_slice() else {
        bail!("{} holds {} StreamsApps; it must hold one", args.app.display(), found.apps.len());
    };
    let config = WorkerConfig {
        bootstrap: args.bootstrap,
        application_id: app.application_id().to_owned(),
        state_dir: args.state_dir,
        topology: app.topology.clone(),
        commit_interval_ms: app.commit_interval_ms(),
        admin_listen: args.admin_listen,
    };
    let worker = Worker::start(config).await.context("the Streams worker does not start")?;
    tracing::info!(app = app.application_id(), "the Streams worker runs");
    stop.cancelled().await;
    worker.shutdown().await;
    tracing::info!("the Streams worker has stopped");
    Ok(ExitCode::SUCCESS)
}
