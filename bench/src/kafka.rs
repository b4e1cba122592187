//! Apache Kafka as a subject: one process, broker and controller combined, 1 GiB of heap as its own
//! start script gives it, everything else as shipped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::server::{Server, Subject, free_port};

#[derive(Debug)]
pub(crate) struct Kafka {
    class_path: String,
}

/// Any valid cluster id serves.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";

impl Kafka {
    pub(crate) fn new(lib: &Path) -> Result<Self> {
        ensure!(lib.is_dir(), "{} is no folder: `cargo xtask bench` fills it", lib.display());
        Ok(Self { class_path: format!("{}/*", lib.display()) })
    }

    fn java(&self, heap: &[&str]) -> Command {
        let mut command = Command::new("java");
        command.args(heap).arg("-cp").arg(&self.class_path).stdin(Stdio::null());
        command
    }
}

impl Subject for Kafka {
    fn name(&self) -> &'static str {
        "Apache Kafka 4.3.1"
    }

    fn start(&self, folder: &Path) -> Result<Server> {
        std::fs::create_dir_all(folder)?;
        let (port, controller) = (free_port()?, free_port()?);
        let config: PathBuf = folder.join("server.properties");
        std::fs::write(
            &config,
            format!(
                "process.roles=broker,controller\nnode.id=1\n\
             controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.listener.names=CONTROLLER\n\
             log.dirs={}\noffsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n",
                folder.join("data").display()
            ),
        )?;
        let log = std::fs::File::create(folder.join("kafka.out"))?;
        let formatted = self
            .java(&[])
            .args(["kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID, "-c"])
            .arg(&config)
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .status()
            .context("failed to run java")?;
        ensure!(formatted.success(), "Kafka's format step failed: {formatted}");
        // The flags of Kafka's own start script.
        let mut command = self.java(&[
            "-Xmx1G",
            "-Xms1G",
            "-server",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
            "-XX:InitiatingHeapOccupancyPercent=35",
            "-XX:+ExplicitGCInvokesConcurrent",
        ]);
        command.arg("kafka.Kafka").arg(&config).stdout(log.try_clone()?).stderr(log);
        Server::spawn(command, port)
    }
}
