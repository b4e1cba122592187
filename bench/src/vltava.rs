//! `vltava broker` as a subject. Like Kafka here, it answers before the disk has the bytes
//! (`log.flush.before.ack=false`); its own default, which waits for the disk, is the third subject
//! that a reader may want: `--row` and a config of one's own show it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::server::{Cluster, Plan, Server, Subject, free_ports};

/// Brokers that are started one by one, those that come later to the cluster of the first.
#[derive(Debug)]
pub(crate) struct Growing<'a> {
    vltava: &'a Vltava,
    folder: &'a Path,
    properties: String,
    /// Of Kafka's listener and of the admin port, by broker.
    ports: Vec<(u16, u16)>,
}

impl<'a> Growing<'a> {
    /// Room for so many brokers with their data in `folder`; those of the plan are there from the beginning, and vote.
    pub(crate) fn new(
        vltava: &'a Vltava,
        folder: &'a Path,
        plan: &Plan,
        brokers: usize,
    ) -> Result<Self> {
        let ports = free_ports(2 * brokers)?;
        let (ports, admin) = ports.split_at(brokers);
        let properties = Vltava::properties(plan, &ports[..plan.nodes]);
        let ports = ports.iter().copied().zip(admin.iter().copied()).collect();
        Ok(Self { vltava, folder, properties, ports })
    }

    /// Starts the brokers of these ids, which begin at 1.
    pub(crate) fn start(&self, ids: std::ops::RangeInclusive<usize>) -> Result<Vec<Server>> {
        ids.map(|id| {
            let (port, admin) = *self.ports.get(id - 1).context("no port for that broker")?;
            self.vltava.spawn(id as i32, port, Some(admin), (self.folder, &self.properties))
        })
        .collect()
    }

    /// Where the admin ports of all brokers are, also of those that have not been started.
    pub(crate) fn admin_addresses(&self) -> Vec<String> {
        self.ports.iter().map(|(_, admin)| format!("127.0.0.1:{admin}")).collect()
    }
}

#[derive(Debug)]
pub(crate) struct Vltava {
    binary: PathBuf,
}

/// Any id serves; the brokers of a cluster must agree on it.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";

impl Vltava {
    pub(crate) fn new(binary: &Path) -> Result<Self> {
        ensure!(
            binary.is_file(),
            "{} is missing: `cargo build --release -p vltava`",
            binary.display()
        );
        Ok(Self { binary: binary.to_path_buf() })
    }

    /// What the brokers of a cluster are told beyond `plan`.
    fn properties(plan: &Plan, ports: &[u16]) -> String {
        let mut text = format!("log.flush.before.ack=false\n{}", plan.properties());
        if plan.nodes > 1 {
            let voters = (1..).zip(ports).map(|(id, port)| format!("{id}@127.0.0.1:{port}"));
            let voters = voters.collect::<Vec<_>>().join(",");
            let replicas = plan.replicas();
            text.push_str(&format!(
                "controller.quorum.voters={voters}\ndefault.replication.factor={replicas}\n\
                 offsets.topic.replication.factor={replicas}\n"
            ));
        }
        text
    }

    /// Starts a broker with its data and its log in a folder of its own.
    fn spawn(
        &self,
        id: i32,
        port: u16,
        admin: Option<u16>,
        (folder, properties): (&Path, &str),
    ) -> Result<Server> {
        let folder = folder.join(id.to_string());
        std::fs::create_dir_all(&folder)?;
        let config = folder.join("broker.properties");
        std::fs::write(&config, properties)?;
        let log = std::fs::File::create(folder.join("vltava.out"))?;
        let mut command = Command::new(&self.binary);
        command
            .args(["broker", "--node-id", &id.to_string(), "--cluster-id", CLUSTER_ID])
            .args(["--listen", &format!("127.0.0.1:{port}"), "--data-dir"])
            .arg(folder.join("data"))
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some(admin) = admin {
            command.args(["--admin-listen", &format!("127.0.0.1:{admin}")]);
        }
        Server::spawn(id, command, port)
    }
}

impl Subject for Vltava {
    fn name(&self) -> &'static str {
        "Vltava"
    }

    fn start(&self, folder: &Path, plan: &Plan) -> Result<Cluster> {
        let ports = free_ports(plan.nodes)?;
        let properties = Self::properties(plan, &ports);
        let started = Instant::now();
        let mut servers = Vec::new();
        for (id, port) in (1..).zip(&ports) {
            servers.push(self.spawn(id, *port, None, (folder, &properties))?);
        }
        Ok(Cluster::new(servers, started))
    }
}
