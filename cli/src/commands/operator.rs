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
    let config = ::operator::OperatorConfig::from_env().with_check(check_app);
    let config =
        ::operator::OperatorConfig { namespace: args.namespace.or(config.namespace), ..config };
    ::operator::run_until(config, stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// Compiles an application as its worker would.
fn check_app(spec: &serde_json::Value) -> Vec<::operator::AppProblem> {
    let problem = |path: String, message: String| ::operator::AppProblem { path, message };
    let spec = match serde_json::from_value::<::streams::app::AppSpec>(spec.clone()) {
        Ok(spec) => spec,
        Err(error) => return vec![problem(String::new(), error.to_string())],
    };
    let diagnostics = ::streams::app::compile(&spec).err().unwrap_or_default();
    diagnostics.into_iter().map(|d| problem(d.path, d.message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_checked_as_its_worker_would() {
        let app = |filter: &str| {
            serde_json::json!({
                "clusterRef": {"name": "demo"}, "replicas": 1, "storage": {"size": "1Gi"},
                "sources": [{"name": "in", "topic": "in", "key": "string", "value": "string"}],
                "pipelines": [{
                    "name": "main", "from": "in",
                    "steps": [{"name": "keep", "filter": {"where": filter}}],
                    "to": {"topic": "out", "key": "string", "value": "string"}}]})
        };
        assert_eq!(check_app(&app("value != ''")), []);
        let problems = check_app(&app("valeu != ''"));
        assert_eq!(problems[0].path, "pipelines[0].steps[0].filter.where");
        assert!(problems[0].message.contains("valeu"), "{}", problems[0].message);
    }
}
