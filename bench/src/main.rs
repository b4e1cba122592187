//! Side-by-side figures: the same client, the same rows, the same machine, in turn A B A B.
//!
//! Both brokers are driven by Apache Kafka's own performance tools, so that neither is helped by a
//! client written for it. What is compared is the work of the *broker process*: its CPU seconds, read
//! from the kernel before and after each row. On a machine that the client shares, wall time says more
//! about the client.
//!
//! | file | what it holds |
//! |---|---|
//! | `rows` | what is measured, with all settings |
//! | `server` | a broker process under test: start, first answer, CPU, memory, stop |
//! | `kafka`, `vltava` | how each of the two is started |
//! | `first` | the first acknowledged record |
//! | `driver` | Kafka's performance tools as the client |
//! | `stats` | medians, spreads, ratios pair by pair |
//! | `report` | the Markdown that goes into `docs/performance.md` |
#![allow(clippy::print_stdout)] // a command line tool

mod driver;
mod first;
mod kafka;
mod report;
mod rows;
mod server;
mod stats;
mod vltava;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

/// Compares `vltava broker` with Apache Kafka, row by row.
#[derive(Debug, Parser)]
struct Options {
    /// Folder with the jars of Apache Kafka (kafka_2.13 and kafka-tools with all they need).
    #[arg(long)]
    kafka_lib: PathBuf,
    /// The `vltava` binary, built with `--release`.
    #[arg(long)]
    vltava: PathBuf,
    /// Counted runs of each row and broker.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only rows whose name contains this.
    #[arg(long)]
    row: Option<String>,
    /// Divides the number of records of every row (for trying the harness itself).
    #[arg(long, default_value_t = 1)]
    shrink: u64,
    /// Where the Markdown goes; standard output when absent.
    #[arg(long)]
    out: Option<PathBuf>,
    /// A sentence about the image size, measured elsewhere, to be quoted in the report.
    #[arg(long)]
    image_size: Option<String>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let work = tempfile::tempdir().context("failed to make a work folder")?;
    let tools = driver::Tools::new(&options.kafka_lib)?;
    let subjects: Vec<Box<dyn server::Subject>> = vec![
        Box::new(vltava::Vltava::new(&options.vltava)?),
        Box::new(kafka::Kafka::new(&options.kafka_lib)?),
    ];

    let mut rows = rows::all();
    if let Some(only) = &options.row {
        rows.retain(|row| row.name.contains(only.as_str()));
    }
    for row in &mut rows {
        row.records = (row.records / options.shrink).max(1_000);
    }

    let mut results = report::Results::new(&rows, subjects.len());
    for run in 0..options.runs {
        for (index, subject) in subjects.iter().enumerate() {
            let folder = work.path().join(format!("{}-{run}", subject.name()));
            eprintln!("run {} of {}: {}", run + 1, options.runs, subject.name());
            let mut server = subject.start(&folder)?;
            let start = first::acknowledged(&mut server)?;
            results.start(index, start, server.rss_bytes()?);
            for row in &rows::warm_up() {
                let row = rows::Row { records: row.records / options.shrink, ..row.clone() };
                driver::run(&row, &server, &tools)?;
            }
            for (number, row) in rows.iter().enumerate() {
                let cost = driver::run(row, &server, &tools)
                    .with_context(|| format!("row '{}' on {}", row.name, subject.name()))?;
                eprintln!(
                    "  {}: {:.3} CPU s, {:.3} s",
                    row.name, cost.cpu_seconds, cost.wall_seconds
                );
                results.row(number, index, cost);
            }
            results.end(index, server.rss_bytes()?);
            server.stop()?;
            // A run's data is of no use to the next one, and may be gigabytes.
            std::fs::remove_dir_all(&folder).ok();
        }
    }

    let text = report::markdown(&results, &rows, &options.image_size);
    match options.out {
        Some(path) => std::fs::write(&path, text)
            .with_context(|| format!("failed to write {}", path.display()))?,
        None => println!("{text}"),
    }
    Ok(())
}
