//! The load: producers and consumers as processes of their own, librdkafka's and Java's.

mod settings;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::check;
use crate::cluster::{Cluster, GROUP, PARTITIONS, TOPIC};
use crate::history::{Client, Event, History};
use crate::tool;

pub(crate) use settings::{Care, quoted};
use settings::{
    DELIVERY_TIMEOUT_MS, PER_SECOND, java_consumes, java_produces, librdkafka_consumes,
    librdkafka_produces,
};

const PYTHON_DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers/load.py");
const JAVA_DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers/Load.java");

const SIMPLE_LOG: &str = "org.apache.logging.log4j.simple.SimpleLoggerContextFactory";

/// A client that ends by waiting for its last answers may take so long.
const END_TIMEOUT: Duration = Duration::from_millis(DELIVERY_TIMEOUT_MS as u64 + 30_000);
/// The group may take so long to read what is left; a session timeout may come before.
const READ_TIMEOUT: Duration = Duration::from_secs(45);
const FIRST_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The clients' programs, ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Drivers {
    python: PathBuf,
    class_path: String,
}

impl Drivers {
    /// Compiles the Java driver into `folder`; `python` has confluent-kafka.
    pub(crate) fn new(python: &Path, kafka_class_path: &str, folder: &Path) -> Result<Self> {
        let classes = folder.join("classes");
        tool::run_command(
            Command::new("javac")
                .args(["-cp", kafka_class_path, "-d"])
                .arg(&classes)
                .arg(JAVA_DRIVER),
            "",
        )
        .context("the Java load needs a JDK: Debian's package default-jdk-headless")?;
        let class_path = format!("{}:{kafka_class_path}", classes.display());
        Ok(Self { python: python.to_owned(), class_path })
    }

    fn python(&self, cluster: &Cluster) -> Command {
        let mut command = cluster.network.in_clients();
        command.arg(&self.python).arg(PYTHON_DRIVER);
        command
    }

    fn java(&self, cluster: &Cluster) -> Command {
        let mut command = cluster.network.in_clients();
        command.args(["java", "-XX:TieredStopAtLevel=1", "-Xmx128m", "-XX:+UseSerialGC"]);
        // Kafka's log goes to standard error, without a file that says so.
        command.arg(format!("-Dlog4j2.loggerContextFactory={SIMPLE_LOG}"));
        command.arg("-Dorg.apache.logging.log4j.simplelog.level=WARN");
        command.args(["-cp", &self.class_path, "Load"]);
        command
    }
}

/// A driver that runs until its input ends, at the latest when this is dropped.
#[derive(Debug)]
struct Process {
    name: String,
    child: Child,
    folder: PathBuf,
}

/// All clients of a run.
#[derive(Debug)]
pub(crate) struct Load {
    drivers: Drivers,
    folder: PathBuf,
    producers: Vec<Process>,
    consumers: Vec<Process>,
}

impl Load {
    /// Starts them, and waits until each producer was acknowledged and each consumer has read.
    pub(crate) fn start(
        cluster: &Cluster,
        drivers: &Drivers,
        folder: &Path,
        care: Care,
    ) -> Result<Self> {
        let mut load = Self {
            drivers: drivers.clone(),
            folder: folder.to_owned(),
            producers: Vec::new(),
            consumers: Vec::new(),
        };
        let (count, rate, all) =
            (PARTITIONS.to_string(), PER_SECOND.to_string(), cluster.bootstrap());
        for (name, settings) in [("librdkafka", librdkafka_produces()), ("java", java_produces())] {
            let mut command = load.driver(cluster, name);
            command.args(["produce", name, &all, TOPIC, &count, &rate]);
            command.args(settings).args(care.settings());
            load.producers.push(Process::start(name, command, folder)?);
        }
        for (name, settings) in [("librdkafka", librdkafka_consumes()), ("java", java_consumes())] {
            let mut command = load.driver(cluster, name);
            let name = format!("{name}-reader");
            command.args(["consume", &name, &all, TOPIC, GROUP]).args(settings);
            load.consumers.push(Process::start(&name, command, folder)?);
        }
        load.wait_until_all_work()?;
        Ok(load)
    }

    fn driver(&self, cluster: &Cluster, name: &str) -> Command {
        if name == "java" { self.drivers.java(cluster) } else { self.drivers.python(cluster) }
    }

    fn wait_until_all_work(&mut self) -> Result<()> {
        let end = Instant::now() + FIRST_TIMEOUT;
        let works = |client: &Client| {
            client
                .events
                .iter()
                .any(|(_, event)| matches!(event, Event::Acknowledged { .. } | Event::Read { .. }))
        };
        loop {
            let history = self.history()?;
            let waiting: Vec<&str> = history
                .producers
                .iter()
                .chain(&history.consumers)
                .filter(|client| !works(client))
                .map(|client| client.name.as_str())
                .collect();
            if waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("before any fault, {waiting:?} got nothing done in {FIRST_TIMEOUT:?}");
            }
            self.check_alive()?;
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Fails if a client ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        for process in self.producers.iter_mut().chain(&mut self.consumers) {
            if let Some(status) = process.child.try_wait()? {
                bail!("{} ended by itself ({status}): {}", process.name, process.errors());
            }
        }
        Ok(())
    }

    /// What the clients have written down so far.
    pub(crate) fn history(&self) -> Result<History> {
        let read = |all: &[Process]| all.iter().map(Process::client).collect::<Result<Vec<_>>>();
        let (producers, consumers) = (read(&self.producers)?, read(&self.consumers)?);
        Ok(History { producers, consumers, ..Default::default() })
    }

    /// Ends the producers, waits until the group has read what was acknowledged (or does not get on), ends the
    /// consumers, and reads the whole log.
    pub(crate) fn finish(mut self, cluster: &Cluster) -> Result<History> {
        for producer in &mut self.producers {
            drop(producer.child.stdin.take());
        }
        for producer in &mut self.producers {
            producer.wait_for_end()?;
        }
        let end = Instant::now() + READ_TIMEOUT;
        while check::unseen(&self.history()?) > 0 && Instant::now() < end {
            std::thread::sleep(POLL_INTERVAL);
        }
        for consumer in &mut self.consumers {
            drop(consumer.child.stdin.take());
        }
        for consumer in &mut self.consumers {
            consumer.wait_for_end()?;
        }
        let mut history = self.history()?;
        history.last_read = self.read_all(cluster)?;
        history.group_offsets = history
            .last_read
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::Committed { partition, offset } => Some((*partition, *offset)),
                _ => None,
            })
            .collect();
        Ok(history)
    }

    fn read_all(&self, cluster: &Cluster) -> Result<Client> {
        let mut command = self.drivers.python(cluster);
        command.args(["read", "last-reader", &cluster.bootstrap(), TOPIC, GROUP]);
        let mut process = Process::start("last-reader", command, &self.folder)?;
        process.wait_for_end()?;
        let client = process.client()?;
        ensure!(
            client.events.iter().any(|(_, event)| *event == Event::End),
            "the log could not be read to its end: {}",
            process.errors()
        );
        Ok(client)
    }
}

impl Process {
    fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self> {
        let child = command
            .stdin(Stdio::piped())
            .stdout(File::create(folder.join(format!("{name}.lines")))?)
            .stderr(File::create(folder.join(format!("{name}.errors")))?)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { name: name.to_owned(), child, folder: folder.to_owned() })
    }

    fn client(&self) -> Result<Client> {
        let text = std::fs::read_to_string(self.folder.join(format!("{}.lines", self.name)))?;
        Client::parse(&self.name, &text)
    }

    /// The end of what it complained of.
    fn errors(&self) -> String {
        let path = self.folder.join(format!("{}.errors", self.name));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    fn wait_for_end(&mut self) -> Result<()> {
        let end = Instant::now() + END_TIMEOUT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                bail!("{} did not end: {}", self.name, self.errors());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
