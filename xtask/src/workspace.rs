//! Where things are: the clone, the cache outside it, cargo's target folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of the clone.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable at run time; the value at compile time serves a binary started by hand.
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map(Path::to_path_buf).unwrap_or(xtask)
}

/// The folder that outlives clones: `$VLTAVA_CACHE`, or `~/.cache/vltava`. Created when missing.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    let dir = match std::env::var_os("VLTAVA_CACHE") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => {
            let home = std::env::var_os("HOME").context("neither VLTAVA_CACHE nor HOME is set")?;
            PathBuf::from(home).join(".cache/vltava")
        }
    };
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

/// Cargo's target folder: `$CARGO_TARGET_DIR`, or `target` in the clone.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) if !dir.is_empty() => root().join(dir),
        _ => root().join("target"),
    }
}
