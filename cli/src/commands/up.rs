//! `vltava up`: a broker, a Connect worker and a Streams worker in one process, kept as files describe them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::console::Console;
use crate::up::{self, UpConfig};

const EXAMPLES: &str = "\
Examples:
  vltava up -f examples/wordcount          run a pipeline, keep going, follow edits of the files
  vltava up -f examples/wordcount --once   end when all input is counted and written
  vltava up -f topics.yaml -f app.yaml     only these files
  vltava up --brokers 3                    three brokers that replicate, ports 9092 to 9094
  vltava up --ephemeral                    an empty platform that forgets everything at the end

The files hold objects of vltava.dev/v1alpha1 (Cluster, Topic, Connect, Connector, StreamsApp), the \
same that kubectl applies to a Kubernetes cluster with the operator. Relative paths in file \
connectors start at the folder of the YAML file that names them.

Ctrl-C stops cleanly; the next start goes on where this one stopped.

Exit codes: 0 stopped by a signal, or all done (--once); 1 something failed, or an object was \
refused (--once); 2 wrong usage.";

/// Run a whole platform on this machine from YAML files
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UpArgs {
    /// Folder or file with objects; may be given several times
    #[arg(short, long = "file", value_name = "DIR|FILE")]
    files: Vec<PathBuf>,
    /// Where topics, offsets and state are kept
    #[arg(long, value_name = "DIR", default_value = "./vltava-data", conflicts_with = "ephemeral")]
    data_dir: PathBuf,
    /// Keep everything in a temporary folder that is removed at the end
    #[arg(long)]
    ephemeral: bool,
    /// Stop when the input is used up and every result is written
    #[arg(long, requires = "files")]
    once: bool,
    /// How many brokers; they replicate each other's records, each in a folder of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(up::MAX_BROKERS)))]
    brokers: u16,
    /// Address to listen on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", help_heading = "Addresses")]
    bind: IpAddr,
    /// Port of the broker, and of the first one of several; 0 takes free ones
    #[arg(long, value_name = "PORT", default_value_t = 9092, help_heading = "Addresses")]
    kafka_port: u16,
    /// Port of Connect's REST API; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8083, help_heading = "Addresses")]
    connect_port: u16,
    /// Port of the broker's probes and metrics; without it there are none
    #[arg(long, value_name = "PORT", help_heading = "Addresses")]
    admin_port: Option<u16>,
}

pub(crate) async fn run(args: UpArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let config = UpConfig {
        files: args.files,
        data_dir: (!args.ephemeral).then_some(args.data_dir),
        once: args.once,
        brokers: args.brokers,
        bind: args.bind,
        kafka_port: args.kafka_port,
        connect_port: args.connect_port,
        admin_port: args.admin_port,
    };
    up::run(config, console).await
}
