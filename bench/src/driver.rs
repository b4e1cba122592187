//! Kafka's performance tools as the client of both brokers.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::rows::{Load, PARTITIONS, Row};
use crate::server::Server;

/// Where the tools' jars are.
#[derive(Debug)]
pub(crate) struct Tools {
    class_path: String,
}

/// What a row cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) records: u64,
    /// CPU seconds of the broker process, user and system.
    pub(crate) cpu_seconds: f64,
    /// Seconds the whole row took, the tool's own start included.
    pub(crate) wall_seconds: f64,
    /// 99th percentile of the producer's latency in milliseconds, as the tool prints it.
    pub(crate) p99_ms: Option<f64>,
}

impl Tools {
    pub(crate) fn new(lib: &Path) -> Result<Self> {
        ensure!(lib.is_dir(), "{} is no folder", lib.display());
        Ok(Self { class_path: format!("{}/*", lib.display()) })
    }

    fn run(&self, class: &str, arguments: &[String]) -> Result<String> {
        let output = Command::new("java")
            .args(["-Xmx512m", "-cp", &self.class_path, class])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .context("failed to run java")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("{class} failed: {text}{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(text)
    }

    fn create_topic(&self, server: &Server, topic: &str, partitions: u32) -> Result<()> {
        let arguments = format!(
            "--bootstrap-server {} --create --if-not-exists --topic {topic} --partitions {partitions} \
             --replication-factor 1",
            server.bootstrap
        );
        self.run("org.apache.kafka.tools.TopicCommand", &words(&arguments)).map(drop)
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Runs one row against a broker that is already warm.
pub(crate) fn run(row: &Row, server: &Server, tools: &Tools) -> Result<Cost> {
    tools.create_topic(server, row.topic, PARTITIONS)?;
    let (cpu, started) = (server.cpu_seconds()?, Instant::now());
    let output = match row.load {
        Load::Produce { settings, throughput } => {
            let mut arguments = words(&format!(
                "--topic {} --num-records {} --record-size {} --throughput {throughput} \
                 --bootstrap-server {} --command-property",
                row.topic, row.records, row.record_bytes, server.bootstrap
            ));
            arguments.extend(settings.iter().map(|setting| (*setting).to_owned()));
            tools.run("org.apache.kafka.tools.ProducerPerformance", &arguments)?
        }
        Load::Consume { .. } => {
            let arguments = format!(
                "--topic {} --num-records {} --bootstrap-server {} --timeout 60000",
                row.topic, row.records, server.bootstrap
            );
            tools.run("org.apache.kafka.tools.ConsumerPerformance", &words(&arguments))?
        }
    };
    Ok(Cost {
        records: row.records,
        cpu_seconds: (server.cpu_seconds()? - cpu).max(0.01),
        wall_seconds: started.elapsed().as_secs_f64(),
        p99_ms: p99(&output),
    })
}

/// The figure before `ms 99th` in the producer tool's last line.
fn p99(output: &str) -> Option<f64> {
    let line = output.lines().rev().find(|line| line.contains("ms 99th"))?;
    line.split("ms 99th").next()?.split_whitespace().last()?.parse().ok()
}
