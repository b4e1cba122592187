//! Running other programs: each is shown before it runs, and its failure names it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// A command that runs in the root of the clone.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    command
}

/// The cargo that runs us, without what it told us of ourselves: some build scripts (ring's) are run anew, and all that
/// stands on them is, when these variables differ from those of a cargo that somebody starts by hand.
pub(crate) fn cargo() -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Shows the command, runs it with our own output, and fails if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs the command silently and gives its standard output, trimmed; fails with its standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({})\n{}", shown(command), output.status, stderr.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program of this name is in `PATH` (or in the folders where Debian keeps root's programs).
pub(crate) fn have(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|dir| dir.join(program).is_file())
}

/// The command as somebody would type it, paths inside the clone made relative.
fn shown(command: &Command) -> String {
    let root = workspace::root();
    let mut text = String::new();
    for word in std::iter::once(command.get_program()).chain(command.get_args()) {
        let path = Path::new(word);
        let word = path.strip_prefix(&root).unwrap_or(path).to_string_lossy();
        let space = if text.is_empty() { "" } else { " " };
        let quote = if word.contains(' ') { "'" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{space}{quote}{word}{quote}");
    }
    text
}
