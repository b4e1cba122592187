//! The `vltava` binary as it is shipped: what `cargo build --release` gives to anybody, without its debug information.
//! All stages that need a running platform use this one.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::{cargo, command, run};
use crate::workspace;

/// Builds the binary (quick when nothing has changed) and gives its path.
pub(crate) fn binary() -> Result<PathBuf> {
    run(cargo().args(["build", "--locked", "--release", "--package", "vltava"]))?;
    let (built, shipped) = (
        workspace::target_dir().join("release/vltava"),
        workspace::target_dir().join("release/vltava.stripped"),
    );
    let is_current =
        shipped.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|made| {
            built
                .metadata()
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|built| built <= made)
        });
    if !is_current {
        run(command("strip").arg("--strip-debug").arg("-o").args([&shipped, &built]))?;
    }
    Ok(shipped)
}
