//! The `vltava` binary as it is shipped. All stages that need a running platform use this one.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::{cargo, run};
use crate::workspace;

/// Builds the binary with the `dist` profile (quick when nothing has changed) and gives its path.
pub(crate) fn binary() -> Result<PathBuf> {
    run(cargo().args(["build", "--locked", "--profile", "dist", "--package", "vltava"]))?;
    Ok(workspace::target_dir().join("dist/vltava"))
}
