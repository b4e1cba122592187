//! Programs that come from crates.io, each built once and kept in the cache by its version.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::{cargo, run};
use crate::workspace;

const CARGO_DENY: (&str, &str) = ("cargo-deny", CARGO_DENY_VERSION);
const CARGO_DENY_VERSION: &str = "0.20.2";

/// The path of `cargo-deny`, built when it is not there yet.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    installed(CARGO_DENY)
}

fn installed((name, version): (&str, &str)) -> Result<PathBuf> {
    let root = workspace::cache_dir()?.join("tools").join(format!("{name}-{version}"));
    let program = root.join("bin").join(name);
    if !program.is_file() {
        run(cargo()
            .args(["install", "--locked", "--no-default-features", "--quiet", "--root"])
            .arg(&root)
            .arg(format!("{name}@{version}"))
            // A target folder of its own: the clone's profiles and flags are none of its business.
            .env("CARGO_TARGET_DIR", root.join("build")))?;
        std::fs::remove_dir_all(root.join("build"))?;
    }
    Ok(program)
}
