//! `vltava connect`: one Connect worker in the foreground.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use ::connect::{Worker, WorkerConfig};
use clap::Args;

use crate::{connect_topics, properties, shutdown};

const EXAMPLES: &str = "\
Examples:
  vltava connect --bootstrap 127.0.0.1:9092
  vltava connect --bootstrap kafka:9092 --rest-listen 0.0.0.0:8083 --group-id loaders \\
      --advertise-url http://worker-1:8083 --config worker.properties
  curl http://127.0.0.1:8083/connectors";

/// Run a Connect worker
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConnectArgs {
    /// Addresses of brokers, separated by commas; one that answers is enough
    #[arg(
        short,
        long,
        env = "VLTAVA_BOOTSTRAP",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092"
    )]
    bootstrap: String,
    /// Address of the REST API
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8083")]
    rest_listen: SocketAddr,
    /// URL at which other workers reach this one; without it the address listened on
    #[arg(long, value_name = "URL")]
    advertise_url: Option<String>,
    /// Workers with the same group share connectors; wins over the file's group.id
    #[arg(long, value_name = "GROUP")]
    group_id: Option<String>,
    /// Folder in which the file connectors' relative paths start
    #[arg(long, value_name = "DIR", default_value = ".")]
    files_dir: PathBuf,
    /// File with Kafka Connect's worker settings (key=value lines)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One of Kafka Connect's worker settings; wins over the file
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = properties::parse_pair)]
    settings: Vec<(String, String)>,
}

pub(crate) async fn run(args: ConnectArgs) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let mut settings =
        args.config.as_deref().map(properties::read).transpose()?.unwrap_or_default();
    settings.extend(args.settings);
    let mut config = WorkerConfig {
        rest_listen: args.rest_listen,
        advertised_url: args.advertise_url,
        properties: settings,
        ..WorkerConfig::local(&args.bootstrap, args.files_dir)
    };
    connect_topics::take(&mut config).map_err(anyhow::Error::msg)?;
    if let Some(group) = args.group_id {
        config.group_id = group;
    }
    let worker = Worker::start(config).await?;
    tracing::info!(rest = %worker.rest_addr(), "the Connect worker serves");
    stop.cancelled().await;
    worker.shutdown().await;
    tracing::info!("the Connect worker has stopped");
    Ok(ExitCode::SUCCESS)
}
