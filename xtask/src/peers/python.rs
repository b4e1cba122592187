//! kafka-python, the client that does not build on librdkafka, in a virtual environment of its own.

use std::path::PathBuf;

use anyhow::Result;

use crate::packages;
use crate::process::{command, output, run};
use crate::workspace;

const VERSION: &str = "3.0.12";

/// Makes the environment, once for each version, and gives the path of its Python.
pub(crate) fn install() -> Result<PathBuf> {
    let root = workspace::cache_dir()?.join("peers").join(format!("kafka-python-{VERSION}"));
    let python = root.join("bin/python");
    if !root.join("ready").is_file() {
        // Debian's Python comes without the module that puts pip into a new environment.
        if output(command("python3").args(["-c", "import ensurepip, venv"])).is_err() {
            packages::install(&["python3-venv"])?;
        }
        run(command("python3").args(["-m", "venv"]).arg(&root))?;
        let package = format!("kafka-python[lz4,snappy,zstd]=={VERSION}");
        run(command(&python).args(["-m", "pip", "install", "--quiet", &package]))?;
        std::fs::write(root.join("ready"), package)?;
    }
    Ok(python)
}
