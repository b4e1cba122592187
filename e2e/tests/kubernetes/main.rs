//! The operator and the examples on a real cluster: kubelets, pods, volumes. `cargo xtask test` makes the
//! cluster, loads the image that `$VLTAVA_IMAGE` names, and runs these one after the other.

mod node_drain;
mod operator;
mod pipeline;
mod pods_killed;
mod reads_well;
mod refused;
mod scenarios;
mod three_brokers;

/// The example's files on the Connect worker's volume.
const LINES: &str = "/var/lib/vltava/files/lines.txt";
const COUNTS: &str = "/var/lib/vltava/files/counts.txt";
