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
    wait::until("one operator", DEADLINE, object).map(drop)
}

fn in_namespace(arguments: &[&str]) -> Result<String> {
    kubectl(["--namespace", NAMESPACE].iter().chain(arguments), "")
}

/// The operator's pod as JSON; fails while there is not exactly one.
pub(crate) fn object() -> Result<Value> {
    let text = in_namespace(&["get", "pods", "--output", "json"])?;
    let mut list: Value = serde_json::from_str(&text)?;
    let pods = list["items"].as_array_mut().context("no list")?;
    ensure!(pods.len() == 1, "{} pods in {NAMESPACE}", pods.len());
    Ok(pods.remove(0))
}

/// The operator's pod.
pub(crate) fn pod() -> Result<Pod> {
    Ok(e2e::kubectl::pod(&object()?))
}

/// Who leads, since when, and how often that has changed.
pub(crate) fn lease() -> Result<String> {
    in_namespace(&["get", "lease", "vltava-operator", "--output", "jsonpath={.spec}"])
}

/// Moves the operator to another node if it is on this one, where nothing new may start.
pub(crate) fn moved_off(node: &str) -> Result<()> {
    let old = object()?;
    if old["spec"]["nodeName"] != node {
        return Ok(());
    }
    in_namespace(&["delete", "pod", old["metadata"]["name"].as_str().unwrap_or_default()])?;
    wait::until("another operator", DEADLINE, || {
        let new = object()?;
        let container = &new["status"]["containerStatuses"][0];
        ensure!(new["spec"]["nodeName"] != node && container["ready"] == true, "none yet");
        Ok(())
    })
}

/// An operator that dies once at each step of what it does, as long as this lives.
#[derive(Debug)]
pub(crate) struct FailPoints(());

impl FailPoints {
    pub(crate) fn install() -> Result<Self> {
        let guard = Self(());
        install(&[
            "--set-json",
            r#"extraEnv=[{"name":"VLTAVA_FAIL_POINTS","value":"/fail-points"}]"#,
            "--set-json",
            r#"extraVolumes=[{"name":"fail-points","emptyDir":{}}]"#,
            "--set-json",
            r#"extraVolumeMounts=[{"name":"fail-points","mountPath":"/fail-points"}]"#,
        ])?;
        Ok(guard)
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
