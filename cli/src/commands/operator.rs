//! `vltava operator`: brings objects of a Kubernetes cluster to what they describe.

use std::process::ExitCode;

use clap::Args;

use crate::shutdown;

const EXAMPLES: &str = "\
Examples:
  vltava operator                       all namespaces; credentials of the pod, or of ~/.kube/config
  vltava operator --namespace streaming

It runs in the pod that the Helm chart installs: helm install vltava charts/vltava";

/// Run the Kubernetes operator
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct OperatorArgs {
    /// Only objects of this namespace; without it all
    #[arg(short, long, env = "WATCH_NAMESPACE", value_name = "NS")]
    namespace: Option<String>,
}

pub(crate) async fn run(args: OperatorArgs) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let config = ::operator::OperatorConfig::from_env();
    let config =
        ::operator::OperatorConfig { namespace: args.namespace.or(config.namespace), ..config };
    ::operator::run_until(config, stop).await?;
    Ok(ExitCode::SUCCESS)
}
