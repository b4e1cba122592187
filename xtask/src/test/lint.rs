//! What a reviewer should not have to look for.

use anyhow::Result;

use crate::process::{cargo, command, output, run as sh};
use crate::{generated, tools};

pub(crate) fn run() -> Result<()> {
    sh(cargo().args(["fmt", "--all", "--check"]))?;
    sh(cargo()
        .args(["clippy", "--workspace", "--all-targets", "--locked"])
        .args(["--features", super::E2E_FEATURES])
        .args(["--", "-D", "warnings"]))?;
    generated::check()?;
    scripts()?;
    // A build fetches what its own platform needs, the licence check reads every platform's packages.
    sh(cargo().args(["fetch", "--locked"]))?;
    // The advisory database lies behind a network that a build machine may not reach: not checked here.
    sh(command(tools::cargo_deny()?)
        .args(["--workspace", "--all-features", "--offline", "check"])
        .args(["licenses", "bans", "sources"]))
}

/// Every shell script that is committed.
fn scripts() -> Result<()> {
    let files = output(command("git").args(["ls-files", "*.sh", ".ci/run"]))?;
    sh(command("shellcheck").args(["--severity", "warning"]).args(files.lines()))
}
