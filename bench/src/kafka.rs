//! Apache Kafka as a subject: processes that are broker and controller in one, everything that a plan
//! does not say as shipped. One broker has the 1 GiB of heap that its own start script gives it, each
//! of several 512 MiB, so that three and their clients fit on a small machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::server::{Cluster, Plan, Server, Subject, free_ports};

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

    /// The flags of Kafka's own start script.
    fn broker(&self, config: &Path, nodes: usize) -> Command {
        let heap = if nodes == 1 { ["-Xmx1G", "-Xms1G"] } else { ["-Xmx512m", "-Xms512m"] };
        let mut command = self.java(&heap);
        command
            .args(["-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"])
            .args(["-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"])
            .arg("kafka.Kafka")
            .arg(config);
        command
    }
}

impl Subject for Kafka {
    fn name(&self) -> &'static str {
        "Apache Kafka 4.3.1"
    }

    fn start(&self, folder: &Path, plan: &Plan) -> Result<Cluster> {
        let ports = free_ports(2 * plan.nodes)?;
        let (ports, controllers) = ports.split_at(plan.nodes);
        let mut prepared = Vec::new();
        for (id, (port, controller)) in (1..).zip(ports.iter().zip(controllers)) {
            let folder = folder.join(id.to_string());
            std::fs::create_dir_all(&folder)?;
            let config: PathBuf = folder.join("server.properties");
            let data = folder.join("data");
            let text = properties(id, (*port, *controller), controllers, plan);
            std::fs::write(&config, format!("{text}log.dirs={}\n", data.display()))?;
            let log = std::fs::File::create(folder.join("kafka.out"))?;
            let standalone: &[&str] = if plan.nodes == 1 { &["--standalone"] } else { &[] };
            let formatted = self
                .java(&[])
                .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
                .arg(&config)
                .args(standalone)
                .stdout(log.try_clone()?)
                .stderr(log.try_clone()?)
                .status()
                .context("failed to run java")?;
            ensure!(formatted.success(), "Kafka's format step failed: {formatted}");
            let mut command = self.broker(&config, plan.nodes);
            command.stdout(log.try_clone()?).stderr(log);
            prepared.push((id, command, *port));
        }
        // The format step is no part of a start.
        let started = Instant::now();
        let servers: Result<Vec<_>> = prepared
            .into_iter()
            .map(|(id, command, port)| Server::spawn(id, command, port))
            .collect();
        Ok(Cluster::new(servers?, started))
    }
}

/// A broker's file, but for its folder.
fn properties(id: i32, (port, controller): (u16, u16), controllers: &[u16], plan: &Plan) -> String {
    let quorum = if let [only] = controllers {
        format!("controller.quorum.bootstrap.servers=127.0.0.1:{only}")
    } else {
        let voters = (1..).zip(controllers).map(|(id, port)| format!("{id}@127.0.0.1:{port}"));
        format!("controller.quorum.voters={}", voters.collect::<Vec<_>>().join(","))
    };
    let replicas = plan.replicas();
    format!(
        "process.roles=broker,controller\nnode.id={id}\n{quorum}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         default.replication.factor={replicas}\noffsets.topic.replication.factor={replicas}\n\
         transaction.state.log.replication.factor={replicas}\n\
         transaction.state.log.min.isr=1\n{}",
        plan.properties()
    )
}
