//! `cargo xtask crds`: writes the definitions' YAML into `crds/`.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Writes `crds/*.yaml`; with `check`, only says whether they are fresh.
///
/// # Errors
/// If a file cannot be written, or, with `check`, is stale.
pub(crate) fn run(check: bool) -> Result<()> {
    let folder = crate::workspace::root().join("crds");
    for (name, text) in ::crds::render::files()? {
        write_or_check(&folder.join(name), &text, check, "crds")?;
    }
    Ok(())
}

/// Writes a generated file where it differs; with `check`, refuses a difference.
pub(crate) fn write_or_check(path: &Path, text: &str, check: bool, command: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    if check {
        bail!("{} is stale: run `cargo xtask {command}`", path.display());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("failed to make {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}
