//! kcat, and with it librdkafka, on which most clients that are not Java's are built.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use e2e::process;

use crate::client::{Client, Record, from_lines, to_lines};

pub(crate) struct Kcat;

/// kcat's way to write records as our lines.
pub(crate) const FORMAT: &str = "%k\t%s\n";

pub(crate) fn command(broker: SocketAddr) -> Command {
    let mut command = Command::new("kcat");
    command.args(["-b", &broker.to_string()]);
    command
}

impl Client for Kcat {
    fn name(&self) -> &'static str {
        "kcat"
    }

    fn produce(
        &self,
        broker: SocketAddr,
        topic: &str,
        codec: &str,
        records: &[Record],
    ) -> Result<()> {
        let mut command = command(broker);
        command.args(["-P", "-t", topic, "-K", "\t", "-z", codec]);
        // Kafka's own partitioner, and its exactly-once producer.
        command.args(["-X", "partitioner=murmur2_random", "-X", "enable.idempotence=true"]);
        process::run(&mut command, &to_lines(records)).map(drop)
    }

    fn consume(
        &self,
        broker: SocketAddr,
        topic: &str,
        group: &str,
        count: usize,
    ) -> Result<Vec<Record>> {
        let mut command = command(broker);
        command.args(["-f", FORMAT, "-c", &count.to_string(), "-X", "auto.offset.reset=earliest"]);
        command.args(["-G", group, topic]);
        process::run(&mut command, "").map(|text| from_lines(&text))
    }
}
