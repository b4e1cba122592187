//! Promise: what the README tells a newcomer to type works, to the letter.

use std::fs;

use anyhow::{Context, Result, ensure};
use e2e::kubectl::repository;
use e2e::process;
use e2e::vltava;

use crate::inputs;

/// How the README starts the binary.
const PREFIX: &str = "$ cargo run --release -- ";

#[test]
fn the_commands_of_the_readme_work() -> Result<()> {
    let readme = fs::read_to_string(repository("README.md"))?;
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix(PREFIX)).collect();
    ensure!(commands.len() >= 2, "the README has only {} commands to run", commands.len());

    let clone = tempfile::tempdir()?;
    inputs::copy(&repository("examples"), &clone.path().join("examples"))?;
    for arguments in commands {
        let mut command = vltava::command(arguments.split_whitespace())?;
        process::run(command.current_dir(clone.path()), "")
            .with_context(|| format!("`{PREFIX}{arguments}` of the README"))?;
    }
    let counts = clone.path().join("examples/wordcount/counts.txt");
    ensure!(counts.is_file(), "the README's first command left no counts.txt");
    Ok(())
}
