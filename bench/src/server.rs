//! Broker processes under test: one, or a cluster of several on this host.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Something that can be measured.
pub(crate) trait Subject {
    /// Name in the table.
    fn name(&self) -> &'static str;
    /// Starts fresh brokers with their data in `folder`; returns once the processes exist.
    fn start(&self, folder: &Path, plan: &Plan) -> Result<Cluster>;
}

/// Which brokers are started. Their ids are 1, 2, 3 and so on.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    /// Broker settings that both subjects get.
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl Plan {
    /// One broker as it is shipped.
    pub(crate) fn single() -> Self {
        Self { nodes: 1, settings: Vec::new() }
    }

    /// Three brokers, each of them a voter of the quorum.
    pub(crate) fn three() -> Self {
        Self { nodes: 3, settings: vec![("min.insync.replicas", "2".to_owned())] }
    }

    /// Replicas of every topic.
    pub(crate) fn replicas(&self) -> usize {
        self.nodes
    }

    /// The broker settings as lines of a properties file.
    pub(crate) fn properties(&self) -> String {
        let line = |(key, value): &(&str, String)| format!("{key}={value}\n");
        self.settings.iter().map(line).collect()
    }
}

/// A broker process.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) id: i32,
    /// `host:port` of its Kafka listener.
    pub(crate) address: String,
    command: Command,
    child: Child,
}

/// How long a broker may take to end after SIGTERM before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

impl Server {
    pub(crate) fn spawn(id: i32, mut command: Command, port: u16) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("failed to start {command:?}"))?;
        Ok(Self { id, address: format!("127.0.0.1:{port}"), command, child })
    }

    /// Starts the process again over its old data.
    fn respawn(&mut self) -> Result<()> {
        self.child = self.command.spawn().context("failed to start a broker again")?;
        Ok(())
    }

    fn cpu_seconds(&self) -> Result<f64> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat =
            std::fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
        // The command's name may hold spaces; the fields that count follow its closing parenthesis.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |index: usize| -> Result<f64> {
            Ok(fields.get(index).context("a short /proc stat line")?.parse::<f64>()?)
        };
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        Ok((ticks(11)? + ticks(12)?) / per_second)
    }

    fn rss_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status =
            std::fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
        let line =
            status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS line")?;
        let kib: u64 = line.split_whitespace().nth(1).context("no figure in VmRSS")?.parse()?;
        Ok(kib * 1024)
    }

    fn ask_to_end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        Ok(())
    }

    fn wait_for_end(&mut self) -> Result<()> {
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > STOP_TIMEOUT {
                return self.kill();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A failed row must not leave a broker behind.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Running brokers that make a cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
    /// Where clients begin: all of them.
    pub(crate) bootstrap: String,
    /// When the first process was started.
    pub(crate) started: Instant,
}

impl Cluster {
    pub(crate) fn new(servers: Vec<Server>, started: Instant) -> Self {
        let addresses: Vec<_> = servers.iter().map(|server| server.address.as_str()).collect();
        Self { bootstrap: addresses.join(","), servers, started }
    }

    /// CPU seconds, user and system, that all processes have used up to now (`/proc/PID/stat`).
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        self.servers.iter().map(Server::cpu_seconds).sum()
    }

    /// Resident memory of all processes now, in bytes.
    pub(crate) fn rss_bytes(&self) -> Result<u64> {
        self.servers.iter().map(Server::rss_bytes).sum()
    }

    /// Fails when a process has ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        for server in &mut self.servers {
            if let Some(status) = server.child.try_wait()? {
                bail!("broker {} ended by itself: {status}", server.id);
            }
        }
        Ok(())
    }

    /// Asks the processes to end, and kills those that do not.
    pub(crate) fn stop(&mut self) -> Result<()> {
        // The last two have nobody to give leaderships to: asking one after the other would only wait for that.
        self.servers.iter_mut().try_for_each(Server::ask_to_end)?;
        self.servers.iter_mut().try_for_each(Server::wait_for_end)
    }

    /// Stops all and starts them again over their data.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.started = Instant::now();
        self.servers.iter_mut().try_for_each(Server::respawn)
    }
}

/// Ports that were free a moment ago, each another one.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>> {
    let held: std::io::Result<Vec<_>> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
    let held = held.context("no free port")?;
    let ports: std::io::Result<Vec<_>> =
        held.iter().map(|listener| listener.local_addr().map(|addr| addr.port())).collect();
    let ports = ports?;
    ensure!(ports.len() == count, "too few free ports");
    Ok(ports)
}
