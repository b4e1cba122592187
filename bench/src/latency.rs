//! Latency at half of what the brokers can take: of produce, and from end to end.
//!
//! First a producer as fast as it goes says what they can take. Then one at half of that rate runs in the background,
//! and beside it Kafka's `EndToEndLatency` sends a record, waits until it has read it, and sends the next one.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::driver::{Tools, before, words};
use crate::figures::Figures;
use crate::rows::PARTITIONS;
use crate::server::Cluster;

/// Producer settings of both loads.
const SETTINGS: [&str; 3] = ["acks=all", "batch.size=16384", "linger.ms=0"];
const RECORD_BYTES: u32 = 1024;
/// Records that find the saturation rate.
const SATURATION_RECORDS: u64 = 1_000_000;
/// How long the half rate is held.
const LOAD_SECONDS: u64 = 50;
const MIN_LOAD_SECONDS: u64 = 15;
/// Records that are timed from end to end. The tool has no warm-up: its first hundred or two are timed while its JVM compiles
/// them, and must be well below one in a hundred.
const PROBES: u64 = 10_000;
const MIN_PROBES: u64 = 500;
/// Until the background producer is under way, and compiled.
const HEAD_START: Duration = Duration::from_secs(6);

/// Measures brokers that are warm; lines go into `figures`.
pub(crate) fn measure(
    cluster: &Cluster,
    tools: &Tools,
    shrink: u64,
    (figures, subject): (&mut Figures, usize),
) -> Result<()> {
    tools.create_topic(cluster, "load", PARTITIONS)?;
    tools.create_topic(cluster, "probe", 1)?;
    let records = (SATURATION_RECORDS / shrink).max(50_000);
    let full = ("load", records, RECORD_BYTES);
    let output = tools.produce(cluster, full, -1, &SETTINGS)?.output()?;
    let rate = before(&output, " records/sec").context("no rate in the producer's output")? / 2.0;
    figures.add("half of the saturation rate", 1.0, 0, " records/s", subject, rate);

    let seconds = (LOAD_SECONDS / shrink).max(MIN_LOAD_SECONDS);
    let half = ("load", rate as u64 * seconds, RECORD_BYTES);
    let cpu = cluster.cpu_seconds()?;
    let load = tools.produce(cluster, half, rate as i64, &SETTINGS)?;
    std::thread::sleep(HEAD_START);
    let probes = (PROBES / shrink).max(MIN_PROBES);
    let arguments = words(&format!("{} probe {probes} all {RECORD_BYTES}", cluster.bootstrap));
    let probe = tools.start("org.apache.kafka.tools.EndToEndLatency", &arguments)?.output()?;
    let output = load.output()?;
    let used = cluster.cpu_seconds()? - cpu;
    let produce = before(&output, " ms 99th").context("no p99 in the producer's output")?;
    figures.add("produce, p99", 1.0, 0, " ms", subject, produce);
    for (name, percentile) in [("end to end, p50", "50th"), ("end to end, p99", "99th")] {
        let figure = after(&probe, percentile).context("no percentiles of the end-to-end tool")?;
        figures.add(name, 1.0, 0, " ms", subject, figure);
    }
    let cpu_percent = used / seconds as f64 * 100.0;
    figures.add("broker CPU at that rate (100 %: one core)", 1.0, 0, " %", subject, cpu_percent);
    Ok(())
}

/// The figure of `50th = 2, 99th = 5`.
fn after(output: &str, percentile: &str) -> Option<f64> {
    let line = output.lines().find(|line| line.starts_with("Percentiles"))?;
    let name = format!("{percentile} = ");
    let rest = line.split(name.as_str()).nth(1)?;
    rest.split([',', ' ']).next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_the_end_to_end_tool() {
        let output = "Avg latency: 2.5 ms\n\nPercentiles: 50th = 2, 99th = 5, 99.9th = 11\n";
        assert_eq!(after(output, "50th"), Some(2.0));
        assert_eq!(after(output, "99th"), Some(5.0));
        assert_eq!(after(output, "1st"), None);
    }
}
