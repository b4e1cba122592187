//! `vltava broker`: one broker in the foreground.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use ::broker::{Broker, BrokerConfig};
use clap::Args;

use crate::{properties, rack, shutdown};

const EXAMPLES: &str = "\
Examples:
  vltava broker --data-dir ./data
  vltava broker --node-id 1 --data-dir /var/lib/vltava/data --listen 0.0.0.0:9092 \\
      --advertise broker-1.example.com:9092 --config broker.properties
  vltava broker --data-dir ./data --set num.partitions=3";

/// Run a broker
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BrokerArgs {
    /// The broker's id in its cluster
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    node_id: i32,
    /// Id of the cluster that the data must belong to; without it the data's own, or a new one
    #[arg(long, value_name = "ID")]
    cluster_id: Option<String>,
    /// Where topics and metadata are kept
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Address for Kafka clients
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:9092")]
    listen: SocketAddr,
    /// Address that clients are told, where it differs from the one listened on
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    advertise: Option<(String, u16)>,
    /// Address of /livez, /readyz and /metrics; without it there are none
    #[arg(long, value_name = "IP:PORT")]
    admin_listen: Option<SocketAddr>,
    /// File with Kafka's broker settings (key=value lines)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One of Kafka's broker settings; wins over the file
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = properties::parse_pair)]
    settings: Vec<(String, String)>,
    /// File with a pod's labels (Kubernetes' downward API): its topology.kubernetes.io/zone is the broker.rack
    #[arg(long, value_name = "FILE")]
    rack_from: Option<PathBuf>,
}

pub(crate) async fn run(args: BrokerArgs) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let mut settings =
        args.config.as_deref().map(properties::read).transpose()?.unwrap_or_default();
    if let Some(labels) = &args.rack_from {
        let rack = tokio::select! {
            rack = rack::of_labels(labels) => rack?,
            () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
        };
        settings.extend(rack.map(|rack| ("broker.rack".to_owned(), rack)));
    }
    settings.extend(args.settings);
    let config = BrokerConfig {
        node_id: args.node_id,
        cluster_id: args.cluster_id,
        listen: args.listen,
        advertised: args.advertise,
        admin_listen: args.admin_listen,
        data_dir: args.data_dir,
        properties: settings,
    };
    let broker = Broker::start(config).await?;
    tracing::info!(address = %broker.addr(), cluster = %broker.cluster_id(), "the broker serves");
    tokio::select! {
        () = stop.cancelled() => {}
        why = broker.failed() => {
            broker.give_up().await;
            anyhow::bail!("the broker cannot go on: {why}");
        }
    }
    broker.shutdown().await?;
    tracing::info!("the broker has stopped");
    Ok(ExitCode::SUCCESS)
}

fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let wrong = || format!("'{text}' is not HOST:PORT");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().map_err(|_| wrong())?;
    if host.is_empty() { Err(wrong()) } else { Ok((host.to_owned(), port)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertised_address_may_be_a_name_or_an_address() {
        assert_eq!(host_and_port("a.example:9092"), Ok(("a.example".into(), 9092)));
        assert_eq!(host_and_port("[::1]:1"), Ok(("::1".into(), 1)));
        assert!(host_and_port("a.example").is_err());
        assert!(host_and_port(":9092").is_err());
        assert!(host_and_port("a:99999").is_err());
    }
}
