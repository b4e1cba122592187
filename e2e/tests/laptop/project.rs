//! A copy of an example in a folder of its own, with its own data and ports.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use e2e::kubectl::repository;
use e2e::text::{self, Counts};
use e2e::vltava::{self, Server};
use e2e::{process, wait};
use tempfile::TempDir;

use crate::inputs;

#[derive(Debug)]
pub(crate) struct Project {
    dir: TempDir,
}

impl Project {
    /// A copy of the example, its input files with it.
    pub(crate) fn copy_of(example: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        inputs::copy(&repository("examples").join(example), dir.path())?;
        Ok(Self { dir })
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    pub(crate) fn append(&self, file: &str, text: &str) -> Result<()> {
        let mut file = fs::File::options().create(true).append(true).open(self.path(file))?;
        file.write_all(text.as_bytes())?;
        Ok(())
    }

    /// `vltava up -f FOLDER`, on any free ports, its data beside the files.
    fn up(&self) -> Result<Command> {
        let mut command = vltava::command(["up", "-f"])?;
        command.arg(self.dir.path()).arg("--data-dir").arg(self.path("data"));
        command.args(["--kafka-port", "0", "--connect-port", "0"]);
        Ok(command)
    }

    /// Runs the pipeline until its input is used up.
    pub(crate) fn run_once(&self) -> Result<String> {
        process::run(self.up()?.arg("--once"), "")
    }

    /// Starts the pipeline; it runs until it is ended.
    pub(crate) fn start(&self) -> Result<Server> {
        Server::start(self.up()?, &self.path("up.log"))
    }

    /// The counts that a file ends with; none while it does not exist.
    pub(crate) fn counts(&self, file: &str) -> Result<Counts> {
        let path = self.path(file);
        if !path.exists() {
            return Ok(Counts::new());
        }
        text::last_counts(&fs::read_to_string(path)?)
    }

    /// The size of a file in bytes; 0 while it does not exist.
    pub(crate) fn size(&self, file: &str) -> u64 {
        fs::metadata(self.path(file)).map_or(0, |metadata| metadata.len())
    }

    /// Waits until the file's counts are these.
    pub(crate) fn wait_for_counts(&self, file: &str, expected: &Counts) -> Result<()> {
        wait::until("the counts", std::time::Duration::from_secs(120), || {
            let difference = text::difference(expected, &self.counts(file)?);
            anyhow::ensure!(difference.is_none(), "{}", difference.unwrap_or_default());
            Ok(())
        })
    }

    /// The word counts of an input file by `tr`, `sort` and `uniq`.
    pub(crate) fn expected(&self, file: &str) -> Result<Counts> {
        let path: &Path = &self.path(file);
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        text::counts_by_unix_tools(&text)
    }
}
