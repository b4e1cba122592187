//! The command line of a broker of the cluster: all that the harness knows of it lies here.

use std::path::Path;
use std::process::Command;

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

/// `vltava broker` number `id` of `brokers`, with its data in `data`.
pub(crate) fn broker(binary: &Path, id: usize, brokers: usize, data: &Path) -> Command {
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
