//! Kafka's performance tools as the client of both brokers.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::rows::{Load, PARTITIONS, Row};
use crate::server::Cluster;

/// Where the tools' jars are.
#[derive(Debug)]
pub(crate) struct Tools {
    class_path: String,
}

/// What a row cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) records: u64,
    /// CPU seconds of the broker processes, user and system.
    pub(crate) cpu_seconds: f64,
    /// Seconds the whole row took, the tool's own start included.
    pub(crate) wall_seconds: f64,
    /// 99th percentile of the producer's latency in milliseconds, as the tool prints it.
    pub(crate) p99_ms: Option<f64>,
    /// Records a second, as the producer's tool prints it.
    pub(crate) rate: Option<f64>,
}

/// A run of one of the tools beside others.
#[derive(Debug)]
pub(crate) struct Running {
    class: &'static str,
    child: Child,
}

impl Running {
    /// Waits for its end and gives what it printed.
    pub(crate) fn output(self) -> Result<String> {
        let output = self.child.wait_with_output().context("failed to wait for java")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("{} failed: {text}{}", self.class, String::from_utf8_lossy(&output.stderr));
        }
        Ok(text)
    }
}

impl Tools {
    pub(crate) fn new(lib: &Path) -> Result<Self> {
        ensure!(lib.is_dir(), "{} is no folder", lib.display());
        Ok(Self { class_path: format!("{}/*", lib.display()) })
    }

    /// Starts one of the tools.
    pub(crate) fn start(&self, class: &'static str, arguments: &[String]) -> Result<Running> {
        let child = Command::new("java")
            .args(["-Xmx512m", "-cp", &self.class_path, class])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to run java")?;
        Ok(Running { class, child })
    }

    fn run(&self, class: &'static str, arguments: &[String]) -> Result<String> {
        self.start(class, arguments)?.output()
    }

    /// A topic with a replica on each broker, unless it is there.
    pub(crate) fn create_topic(
        &self,
        cluster: &Cluster,
        topic: &str,
        partitions: u32,
    ) -> Result<()> {
        let arguments = format!(
            "--bootstrap-server {} --create --if-not-exists --topic {topic} --partitions {partitions} \
             --replication-factor {}",
            cluster.bootstrap,
            cluster.servers.len()
        );
        self.run("org.apache.kafka.tools.TopicCommand", &words(&arguments)).map(drop)
    }

    /// Starts a producer of `records` to a topic, at most `throughput` a second.
    pub(crate) fn produce(
        &self,
        cluster: &Cluster,
        (topic, records, record_bytes): (&str, u64, u32),
        throughput: i64,
        settings: &[&str],
    ) -> Result<Running> {
        let mut arguments = words(&format!(
            "--topic {topic} --num-records {records} --record-size {record_bytes} \
             --throughput {throughput} --bootstrap-server {} --command-property",
            cluster.bootstrap
        ));
        arguments.extend(settings.iter().map(|setting| (*setting).to_owned()));
        self.start("org.apache.kafka.tools.ProducerPerformance", &arguments)
    }
}

pub(crate) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Runs one row against brokers that are already warm.
pub(crate) fn run(row: &Row, cluster: &Cluster, tools: &Tools) -> Result<Cost> {
    tools.create_topic(cluster, row.topic, PARTITIONS)?;
    let (cpu, started) = (cluster.cpu_seconds()?, Instant::now());
    let output = match row.load {
        Load::Produce { settings, throughput } => {
            let what = (row.topic, row.records, row.record_bytes);
            tools.produce(cluster, what, throughput, settings)?.output()?
        }
        Load::Consume { .. } => {
            let arguments = format!(
                "--topic {} --num-records {} --bootstrap-server {} --timeout 60000",
                row.topic, row.records, cluster.bootstrap
            );
            tools.run("org.apache.kafka.tools.ConsumerPerformance", &words(&arguments))?
        }
    };
    Ok(Cost {
        records: row.records,
        cpu_seconds: (cluster.cpu_seconds()? - cpu).max(0.01),
        wall_seconds: started.elapsed().as_secs_f64(),
        p99_ms: before(&output, " ms 99th"),
        rate: before(&output, " records/sec"),
    })
}

/// The figure before `unit` in the last line of a producer's output that has one.
pub(crate) fn before(output: &str, unit: &str) -> Option<f64> {
    // The summary alone has percentiles.
    let line = output.lines().rev().find(|line| line.contains("ms 99th"))?;
    line.split(unit).next()?.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_summary() {
        let output = "100 records sent, 20.0 records/sec (0.02 MB/sec), 1.1 ms avg latency, 9.0 ms max latency.\n\
                      500 records sent, 99.5 records/sec (0.10 MB/sec), 1.0 ms avg latency, 9.00 ms max latency, \
                      1 ms 50th, 3 ms 95th, 7 ms 99th, 9 ms 99.9th.\n";
        assert_eq!(before(output, " ms 99th"), Some(7.0));
        assert_eq!(before(output, " records/sec"), Some(99.5));
        assert_eq!(before("nothing", " ms 99th"), None);
    }
}
