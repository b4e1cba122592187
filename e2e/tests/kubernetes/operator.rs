//! The operator, installed by its chart as users do; once for all tests.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use e2e::kubectl::{Pod, kubectl, repository};
use e2e::{process, wait};
use serde_json::Value;

const NAMESPACE: &str = "vltava-system";

const DEADLINE: Duration = Duration::from_secs(150);

/// `helm upgrade --install`, which waits until the operator is ready.
pub(crate) fn installed() -> Result<()> {
    static RESULT: OnceLock<Result<(), String>> = OnceLock::new();
    let result = RESULT.get_or_init(|| install(&[]).map_err(|error| format!("{error:#}")));
    result.clone().map_err(|error| anyhow!(error))
}

fn install(more: &[&str]) -> Result<()> {
    let image = std::env::var("VLTAVA_IMAGE")
        .context("VLTAVA_IMAGE names no image: run `cargo xtask test`")?;
    let (repository_of_image, tag) = image.rsplit_once(':').context("the image has no tag")?;
    let mut command = Command::new("helm");
    command.args(["upgrade", "--install", "vltava"]).arg(repository("charts/vltava"));
    command.args(["--namespace", NAMESPACE, "--create-namespace", "--wait", "--timeout", "150s"]);
    command.args(["--set", &format!("image.repository={repository_of_image},image.tag={tag}")]);
    process::run(command.args(more), "")?;
    // What was there before may still be on its way out.
    wait::until("only operators that stay", DEADLINE, || {
        let going = |pod: &Value| !pod["metadata"]["deletionTimestamp"].is_null();
        ensure!(!objects()?.iter().any(going), "one of before is still there");
        Ok(())
    })
}

fn in_namespace(arguments: &[&str]) -> Result<String> {
    kubectl(["--namespace", NAMESPACE].iter().chain(arguments), "")
}

/// The operators' pods as JSON: one leads, the others stand by.
pub(crate) fn objects() -> Result<Vec<Value>> {
    let text = in_namespace(&["get", "pods", "--output", "json"])?;
    let list: Value = serde_json::from_str(&text)?;
    list["items"].as_array().cloned().context("no list")
}

/// The operators' pods, sorted by name.
pub(crate) fn pods() -> Result<Vec<Pod>> {
    let mut pods: Vec<Pod> = objects()?.iter().map(e2e::kubectl::pod).collect();
    pods.sort();
    Ok(pods)
}

/// Which operator leads.
pub(crate) fn leader() -> Result<String> {
    let field = "jsonpath={.spec.holderIdentity}";
    in_namespace(&["get", "lease", "vltava-operator", "--output", field])
}

/// How the operator ends at a fail point.
const EXIT_CODE: i64 = 86;

/// An operator that dies once at each step of what it does, as long as this lives.
#[derive(Debug)]
pub(crate) struct FailPoints {
    /// The operator's pod: its containers die, and it stays.
    pod: Option<Pod>,
}

impl FailPoints {
    pub(crate) fn install() -> Result<Self> {
        let mut guard = Self { pod: None };
        install(&[
            // The one that dies is the one that leads.
            "--set",
            "replicas=1",
            "--set-json",
            r#"extraEnv=[{"name":"VLTAVA_FAIL_POINTS","value":"/fail-points"}]"#,
            "--set-json",
            r#"extraVolumes=[{"name":"fail-points","emptyDir":{}}]"#,
            "--set-json",
            r#"extraVolumeMounts=[{"name":"fail-points","mountPath":"/fail-points"}]"#,
        ])?;
        let pods = pods()?;
        ensure!(pods.len() == 1, "not one operator: {pods:?}");
        guard.pod = pods.into_iter().next();
        Ok(guard)
    }

    /// Fails unless the operator has died once at each of these, which are sorted, and in no other way.
    pub(crate) fn died_at(&self, steps: &[&str]) -> Result<()> {
        let after = objects()?;
        ensure!(after.len() == 1, "{} operators", after.len());
        let container = &after[0]["status"]["containerStatuses"][0];
        let ended = &container["lastState"]["terminated"];
        let died: Vec<&str> =
            ended["message"].as_str().context("it did not say where it died")?.lines().collect();
        eprintln!("the operator died {} times: {}", container["restartCount"], died.join(" "));
        ensure!(ended["exitCode"] == EXIT_CODE, "it ended otherwise: {ended}");
        ensure!(died == steps, "it died at {died:?}");
        let uid = self.pod.as_ref().map(|pod| pod.uid.as_str());
        ensure!(after[0]["metadata"]["uid"].as_str() == uid, "it is another pod");
        ensure!(container["restartCount"] == steps.len(), "restarts: {container}");
        Ok(())
    }

    /// An operator without again.
    pub(crate) fn remove(self) -> Result<()> {
        std::mem::forget(self);
        install(&[])
    }
}

impl Drop for FailPoints {
    fn drop(&mut self) {
        if let Err(error) = install(&[]) {
            eprintln!("the operator with fail points is still there: {error:#}");
        }
    }
}
