//! What many partitions cost: to make, to keep without any load, to start with.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::figures::Figures;
use crate::first;
use crate::server::Cluster;
use crate::wire::Wire;

/// Partitions of one topic: Kafka's controller refuses a request for 10,000 at once.
const PARTITIONS_PER_TOPIC: i32 = 2_000;
/// Longest wait until all partitions have a leader.
const TIMEOUT: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(20);
/// Until what the creation and the start have set off is over.
const SETTLE: Duration = Duration::from_secs(8);
/// How long the idle brokers' CPU is counted.
const IDLE: Duration = Duration::from_secs(10);

const MIB: f64 = 1024.0 * 1024.0;

/// Measures brokers that have no topics of their own yet.
pub(crate) fn measure(
    cluster: &mut Cluster,
    partitions: i32,
    (figures, subject): (&mut Figures, usize),
) -> Result<()> {
    let brokers = cluster.servers.len();
    let of = format!("{} × {partitions} partitions", brokers);
    let mut add = |name: &str, factor, digits, unit, figure| {
        figures.add(format!("{of}: {name}"), factor, digits, unit, subject, figure);
    };
    first::acknowledged(cluster)?;
    let asked = Instant::now();
    let mut wire = Wire::connect(&cluster.servers[0].address)?;
    let topics = topics(partitions);
    for (topic, count) in &topics {
        let code = wire.create_anywhere(topic, *count, brokers)?;
        ensure!(code == 0, "the topic {topic} was refused: {code}");
    }
    for server in &cluster.servers {
        for (topic, count) in &topics {
            wait_for_leaders(&server.address, topic, *count)?;
        }
    }
    add("created, known to every broker", 1e3, 0, " ms", asked.elapsed().as_secs_f64());
    std::thread::sleep(SETTLE);
    add("RSS without load", 1.0 / MIB, 1, " MiB", cluster.rss_bytes()? as f64);
    add("CPU without load (100 %: one core)", 100.0, 2, " %", idle_cpu(cluster)?);
    cluster.restart()?;
    let (last, count) = topics.last().context("no partitions to make")?;
    let taken = first::acknowledged_again(cluster, last, count - 1)?;
    add("restart to first acknowledged record", 1e3, 0, " ms", taken);
    std::thread::sleep(SETTLE);
    add("RSS after the restart", 1.0 / MIB, 1, " MiB", cluster.rss_bytes()? as f64);
    Ok(())
}

/// The share of a core that brokers use which nobody asks anything.
fn idle_cpu(cluster: &Cluster) -> Result<f64> {
    let (cpu, began) = (cluster.cpu_seconds()?, Instant::now());
    std::thread::sleep(IDLE);
    Ok((cluster.cpu_seconds()? - cpu) / began.elapsed().as_secs_f64())
}

/// Names of topics that have so many partitions together, with the partitions of each.
fn topics(partitions: i32) -> Vec<(String, i32)> {
    let first = (0..partitions).step_by(PARTITIONS_PER_TOPIC as usize);
    first
        .map(|first| (format!("many-{first}"), (partitions - first).min(PARTITIONS_PER_TOPIC)))
        .collect()
}

fn wait_for_leaders(address: &str, topic: &str, partitions: i32) -> Result<()> {
    let began = Instant::now();
    let mut wire = Wire::connect(address)?;
    loop {
        let known = wire.partitions(topic)?;
        if known.len() == partitions as usize && known.iter().all(|p| p.leader_id >= 0) {
            return Ok(());
        }
        ensure!(began.elapsed() < TIMEOUT, "not all partitions have a leader after {TIMEOUT:?}");
        std::thread::sleep(POLL);
    }
}
