//! Kafka's own console producer and consumer, from the jars that `$KAFKA_CLASSPATH` names.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result};
use e2e::process;

use crate::client::{Client, Record, from_lines, to_lines};

pub(crate) struct Java {
    classpath: String,
}

impl Java {
    pub(crate) fn from_environment() -> Result<Self> {
        let classpath = std::env::var("KAFKA_CLASSPATH")
            .context("KAFKA_CLASSPATH names no jars: run `cargo xtask test`")?;
        Ok(Self { classpath })
    }

    fn command(&self, class: &str, broker: SocketAddr, topic: &str) -> Command {
        let mut command = Command::new("java");
        // A short life: the quick compiler alone, and a small heap.
        command.args(["-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", &self.classpath, class]);
        command.args(["--bootstrap-server", &broker.to_string(), "--topic", topic]);
        command
    }
}

impl Client for Java {
    fn name(&self) -> &'static str {
        "java"
    }

    fn produce(
        &self,
        broker: SocketAddr,
        topic: &str,
        codec: &str,
        records: &[Record],
    ) -> Result<()> {
        let mut command = self.command("org.apache.kafka.tools.ConsoleProducer", broker, topic);
        command.args(["--compression-codec", codec, "--reader-property", "parse.key=true"]);
        // It reports a record that could not be sent, and ends with success all the same.
        let finished = process::try_run(&mut command, &to_lines(records))?;
        let output = finished.stdout + &finished.stderr;
        anyhow::ensure!(
            finished.status.success() && !output.contains("ERROR"),
            "the console producer failed ({}):\n{output}",
            finished.status
        );
        Ok(())
    }

    fn consume(
        &self,
        broker: SocketAddr,
        topic: &str,
        group: &str,
        count: usize,
    ) -> Result<Vec<Record>> {
        let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
        let mut command = self.command(class, broker, topic);
        command.args(["--group", group, "--from-beginning", "--max-messages", &count.to_string()]);
        command.args(["--timeout-ms", "60000", "--formatter-property", "print.key=true"]);
        process::run(&mut command, "").map(|text| from_lines(&text))
    }
}

/// Kafka's administrative tools.
pub(crate) struct Tools {
    classpath: String,
    broker: SocketAddr,
}

impl Tools {
    pub(crate) fn from_environment(broker: SocketAddr) -> Result<Self> {
        Ok(Self { classpath: Java::from_environment()?.classpath, broker })
    }

    /// Runs a tool of `org.apache.kafka.tools`; gives what it printed.
    pub(crate) fn run(&self, class: &str, args: &[&str]) -> Result<String> {
        process::run(&mut self.command(class, args), "")
    }

    /// Runs a tool that asks a controller instead of a broker.
    pub(crate) fn ask_controller(&self, class: &str, at: &str, args: &[&str]) -> Result<String> {
        let command = self.java(class);
        process::run(&mut with(command, &["--bootstrap-controller", at], args), "")
    }

    /// As [`Tools::run`], whatever its exit status; gives all that it printed.
    pub(crate) fn try_run(&self, class: &str, args: &[&str]) -> Result<String> {
        let finished = process::try_run(&mut self.command(class, args), "")?;
        Ok(finished.stdout + &finished.stderr)
    }

    fn java(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", &self.classpath]);
        command.arg(format!("org.apache.kafka.tools.{class}"));
        command
    }

    fn command(&self, class: &str, args: &[&str]) -> Command {
        let command = self.java(class);
        let broker = self.broker.to_string();
        // Tools with sub-commands want the address before or after; all take it at the end but one.
        if class == "MetadataQuorumCommand" || class == "FeatureCommand" {
            return with(command, &["--bootstrap-server", &broker], args);
        }
        with(command, args, &["--bootstrap-server", &broker])
    }
}

fn with(mut command: Command, first: &[&str], then: &[&str]) -> Command {
    command.args(first).args(then);
    command
}
