//! `cargo xtask bench`: figures beside Apache Kafka in the same run. A command of its own, never part of `test`:
//! figures are read, not asserted.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::dist;
use crate::peers;
use crate::process::{cargo, command, run};
use crate::workspace;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Counted runs of each row and broker
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only these parts: single, three, latency, many, failover, move
    #[arg(long, value_delimiter = ',')]
    part: Vec<String>,
    /// Only rows whose name contains this
    #[arg(long)]
    row: Option<String>,
    /// Divide the number of records of every row (to try the harness itself)
    #[arg(long, default_value_t = 1)]
    shrink: u64,
    /// A sentence about the image's size for the report, such as "21 MB (distroless base and binary)"
    #[arg(long)]
    image_size: Option<String>,
    /// Where the report goes
    #[arg(long, default_value = "docs/performance.md")]
    out: PathBuf,
}

pub(crate) fn run_bench(args: &Args) -> Result<()> {
    let kafka = peers::kafka::install()?;
    let vltava = dist::binary()?;
    run(cargo().args(["build", "--locked", "--release", "--package", "bench"]))?;
    if args.runs == 0 {
        bail!("--runs 0 measures nothing");
    }
    let mut bench = command(workspace::target_dir().join("release/bench"));
    bench
        .arg("--kafka-lib")
        .arg(kafka.jars())
        .arg("--vltava")
        .arg(vltava)
        .args(["--runs", &args.runs.to_string(), "--shrink", &args.shrink.to_string()])
        .arg("--out")
        .arg(workspace::root().join(&args.out));
    if !args.part.is_empty() {
        bench.args(["--part", &args.part.join(",")]);
    }
    if let Some(row) = &args.row {
        bench.args(["--row", row]);
    }
    if let Some(size) = &args.image_size {
        bench.args(["--image-size", size]);
    }
    run(&mut bench)
}
