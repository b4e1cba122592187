//! The operator, installed by its chart as users do; once for all tests.

use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};
use e2e::kubectl::repository;
use e2e::process;

const NAMESPACE: &str = "vltava-system";

/// `helm upgrade --install`, which waits until the operator is ready.
pub(crate) fn installed() -> Result<()> {
    static RESULT: OnceLock<Result<(), String>> = OnceLock::new();
    let result = RESULT.get_or_init(|| install().map_err(|error| format!("{error:#}")));
    result.clone().map_err(|error| anyhow!(error))
}

fn install() -> Result<()> {
    let image = std::env::var("VLTAVA_IMAGE")
        .context("VLTAVA_IMAGE names no image: run `cargo xtask test`")?;
    let (repository_of_image, tag) = image.rsplit_once(':').context("the image has no tag")?;
    let mut command = Command::new("helm");
    command.args(["upgrade", "--install", "vltava"]).arg(repository("charts/vltava"));
    command.args(["--namespace", NAMESPACE, "--create-namespace", "--wait", "--timeout", "150s"]);
    command.args(["--set", &format!("image.repository={repository_of_image},image.tag={tag}")]);
    process::run(&mut command, "").map(drop)
}
