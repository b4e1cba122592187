//! Python clients, each in a virtual environment of its own: kafka-python, which does not build on librdkafka, and
//! confluent-kafka, which is librdkafka.

use std::path::PathBuf;

use anyhow::Result;

use crate::packages;
use crate::process::{command, output, run};
use crate::workspace;

const VERSION: &str = "3.0.12";
const LIBRDKAFKA_VERSION: &str = "2.16.1";

/// Makes the environment with kafka-python and gives the path of its Python.
pub(crate) fn install() -> Result<PathBuf> {
    environment("kafka-python", "[lz4,snappy,zstd]", VERSION)
}

/// The same with confluent-kafka, which brings its librdkafka.
pub(crate) fn install_librdkafka() -> Result<PathBuf> {
    environment("confluent-kafka", "", LIBRDKAFKA_VERSION)
}

/// Made once for each version.
fn environment(name: &str, extras: &str, version: &str) -> Result<PathBuf> {
    let root = workspace::cache_dir()?.join("peers").join(format!("{name}-{version}"));
    let python = root.join("bin/python");
    if !root.join("ready").is_file() {
        // Debian's Python comes without the module that puts pip into a new environment.
        if output(command("python3").args(["-c", "import ensurepip, venv"])).is_err() {
            packages::install(&["python3-venv"])?;
        }
        run(command("python3").args(["-m", "venv"]).arg(&root))?;
        let package = format!("{name}{extras}=={version}");
        run(command(&python).args(["-m", "pip", "install", "--quiet", &package]))?;
        std::fs::write(root.join("ready"), package)?;
    }
    Ok(python)
}
