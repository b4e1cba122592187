//! The command line of a broker of the cluster: all that the harness knows of it lies here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::network::{ADMIN_PORT, KAFKA_PORT, broker_address};

/// Any valid cluster id serves.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// Settings that all brokers share, beyond what follows from their number. They are quoted in the report.
pub(crate) const SETTINGS: &[&str] = &[
    // Groups settle quickly, so that a scenario shows the fault and not this delay.
    "group.initial.rebalance.delay.ms=0",
    "offsets.topic.num.partitions=4",
];

/// Topics have this many replicas with so many brokers.
pub(crate) fn replication_factor(brokers: usize) -> i16 {
    if brokers >= 3 { 3 } else { 1 }
}

/// How many of them a write with acks=all waits for at least.
pub(crate) fn min_insync_replicas(brokers: usize) -> i16 {
    if brokers >= 3 { 2 } else { 1 }
}

/// What is put under faults.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// The `vltava` binary.
    Vltava(PathBuf),
    /// Apache Kafka by its class path: a second opinion on the harness itself.
    Kafka(String),
}

impl Subject {
    /// The status with which a broker ends that was asked to.
    pub(crate) fn exit_status(&self) -> i32 {
        match self {
            Self::Vltava(_) => 0,
            // Java's way to say SIGTERM.
            Self::Kafka(_) => 143,
        }
    }

    /// The command of broker number `id` of `brokers`, with its data in `data`.
    pub(crate) fn broker(&self, id: usize, brokers: usize, data: &Path) -> Result<Command> {
        match self {
            Self::Vltava(binary) => Ok(vltava(binary, id, brokers, data)),
            Self::Kafka(class_path) => kafka(class_path, id, brokers, data),
        }
    }
}

/// `vltava broker` number `id` of `brokers`, with its data in `data`.
fn vltava(binary: &Path, id: usize, brokers: usize, data: &Path) -> Command {
    let address = broker_address(id);
    let mut command = Command::new(binary);
    command.args(["broker", "--node-id", &id.to_string(), "--cluster-id", CLUSTER_ID]);
    command.arg("--data-dir").arg(data);
    command.args(["--listen", &format!("{address}:{KAFKA_PORT}")]);
    command.args(["--advertise", &format!("{address}:{KAFKA_PORT}")]);
    command.args(["--admin-listen", &format!("{address}:{ADMIN_PORT}")]);
    for setting in settings(brokers) {
        command.args(["--set", &setting]);
    }
    command
}

/// Kafka wants a port of its own for its controllers.
const CONTROLLER_PORT: u16 = 9093;

fn kafka(class_path: &str, id: usize, brokers: usize, data: &Path) -> Result<Command> {
    let address = broker_address(id);
    let mut settings: Vec<String> = settings(brokers)
        .into_iter()
        .filter(|setting| !setting.starts_with("controller.quorum.voters"))
        .collect();
    let voters: Vec<String> =
        (0..brokers).map(|id| format!("{id}@{}:{CONTROLLER_PORT}", broker_address(id))).collect();
    settings.extend([
        "process.roles=broker,controller".into(),
        format!("node.id={id}"),
        format!("controller.quorum.voters={}", voters.join(",")),
        format!(
            "listeners=PLAINTEXT://{address}:{KAFKA_PORT},CONTROLLER://{address}:{CONTROLLER_PORT}"
        ),
        "controller.listener.names=CONTROLLER".into(),
        format!("log.dirs={}", data.display()),
    ]);
    let file = data.with_extension("properties");
    std::fs::write(&file, settings.join("\n"))?;
    // A fresh disk is formatted; `exec` keeps the process id.
    let script = "test -f \"$1/meta.properties\" || \
         java -cp \"$2\" kafka.tools.StorageTool format -t \"$3\" -c \"$4\" || exit 1; \
         exec java -Xmx400m -cp \"$2\" kafka.Kafka \"$4\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(data).args([class_path, CLUSTER_ID]).arg(file);
    Ok(command)
}

/// The broker settings of a cluster of this size.
pub(crate) fn settings(brokers: usize) -> Vec<String> {
    let mut settings: Vec<String> = SETTINGS.iter().map(|setting| (*setting).to_owned()).collect();
    settings.push(format!("offsets.topic.replication.factor={}", replication_factor(brokers)));
    settings.push(format!("min.insync.replicas={}", min_insync_replicas(brokers)));
    if brokers > 1 {
        let voters: Vec<String> =
            (0..brokers).map(|id| format!("{id}@{}:{KAFKA_PORT}", broker_address(id))).collect();
        settings.push(format!("controller.quorum.voters={}", voters.join(",")));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broker_of_a_cluster_knows_all_voters() {
        let settings = settings(3);
        let voters = settings.iter().find(|setting| setting.starts_with("controller.quorum"));
        let voters = voters.expect("no voters");
        assert_eq!(voters.matches('@').count(), 3, "{voters}");
        assert!(self::settings(1).iter().all(|setting| !setting.contains("voters")));
    }
}
