//! `vltava plan`: what applying files would change.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::cluster::ClusterArgs;
use crate::kubernetes;
use crate::up::preview;

/// Something would be made or changed.
const CHANGES: u8 = 3;
/// Something would be refused.
const REFUSED: u8 = 4;

const EXAMPLES: &str = "\
Examples:
  vltava plan -f topics/                             against the broker on this machine
  vltava plan -f topics/ --bootstrap kafka:9092      against a cluster
  vltava plan -f shop/ --kubernetes -n shop          against Kubernetes, by ~/.kube/config

Nothing is changed. Over Kafka's protocol it shows which topics would be made, changed (with partitions and \
bytes to copy) or refused. With --kubernetes it asks the API server about objects of every kind, and the operator \
says which brokers an edit of a Cluster would add, remove and restart, and how much data would move. There, a \
field of a spec that the files leave out counts as taken away.

Exit codes: 0 everything is as described; 3 something would change; 4 something would be refused; \
1 the cluster or a file cannot be read; 2 wrong usage.";

/// Show what applying files would change, without doing it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PlanArgs {
    /// Folder or file with objects; may be given several times
    #[arg(short, long = "file", value_name = "DIR|FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Compare with Kubernetes instead of a Kafka cluster
    #[arg(short, long, conflicts_with = "bootstrap")]
    kubernetes: bool,
    /// Namespace of objects whose files name none; default: that of the kubeconfig
    #[arg(short, long, requires = "kubernetes")]
    namespace: Option<String>,
}

pub(crate) async fn run(args: PlanArgs) -> anyhow::Result<ExitCode> {
    let report = if args.kubernetes {
        kubernetes::preview(&args.files, args.namespace).await?
    } else {
        let client = args.cluster.client()?;
        preview::preview(&args.files, &client).await?
    };
    let mut out = std::io::stdout().lock();
    report.write(&mut out)?;
    out.flush()?;
    Ok(match (report.is_refused(), report.has_changes()) {
        (true, _) => ExitCode::from(REFUSED),
        (false, true) => ExitCode::from(CHANGES),
        (false, false) => ExitCode::SUCCESS,
    })
}
