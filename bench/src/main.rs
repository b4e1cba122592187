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
//! | `server` | broker processes under test, one or three: start, first answer, CPU, memory, stop |
//! | `kafka`, `vltava` | how each of the two is started |
//! | `wire`, `first` | a small client of our own; the first acknowledged record |
//! | `driver` | Kafka's performance tools as the client |
//! | `latency`, `many`, `failover` | half of the saturation rate; 1,000 and 10,000 partitions; a killed leader |
//! | `moves`, `admin` | what growing and shrinking copies, beside the least; the brokers' admin ports |
//! | `stats`, `figures` | medians, spreads, ratios pair by pair; tables of them |
//! | `report` | the Markdown that goes into `docs/performance.md` |
#![allow(clippy::print_stdout)] // a command line tool

mod admin;
mod driver;
mod failover;
mod figures;
mod first;
mod kafka;
mod latency;
mod many;
mod moves;
mod report;
mod rows;
mod server;
mod stats;
mod vltava;
mod wire;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use failover::Victim;
use figures::Figures;
use report::{Report, Results};
use rows::Row;
use server::{Cluster, Plan, Subject};

/// Compares `vltava broker` with Apache Kafka, row by row.
#[derive(Debug, Parser)]
struct Options {
    /// Folder with the jars of Apache Kafka (kafka_2.13 and kafka-tools with all they need).
    #[arg(long)]
    kafka_lib: PathBuf,
    /// The `vltava` binary, built with `--release`.
    #[arg(long)]
    vltava: PathBuf,
    /// Counted runs of each row and subject.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only these parts; all when absent.
    #[arg(long, value_delimiter = ',')]
    part: Vec<Part>,
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

/// A part of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The rows against one broker.
    Single,
    /// The rows against three brokers.
    Three,
    /// Latency at half of the saturation rate, three brokers.
    Latency,
    /// 1,000 and 10,000 partitions.
    Many,
    /// A killed leader of 1,000 partitions.
    Failover,
    /// Bytes that growing and shrinking copies.
    Move,
}

/// Brokers and partitions that part `many` measures.
const MANY: [(usize, i32); 3] = [(1, 1_000), (1, 10_000), (3, 1_000)];
/// Three brokers do three times the work for a record.
const THREE_SHRINK: u64 = 2;
/// A row of fewer records says nothing.
const MIN_RECORDS: u64 = 1_000;

/// A JVM that has not compiled its hot paths yet is not what anybody runs.
const MIN_WARM_UP: u64 = 200_000;

struct Bench {
    options: Options,
    work: tempfile::TempDir,
    tools: driver::Tools,
    report: Report,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let work = tempfile::tempdir().context("failed to make a work folder")?;
    let tools = driver::Tools::new(&options.kafka_lib)?;
    let subjects: [Box<dyn Subject>; figures::SUBJECTS] = [
        Box::new(vltava::Vltava::new(&options.vltava)?),
        Box::new(kafka::Kafka::new(&options.kafka_lib)?),
    ];
    let rows = |shrink: u64| -> Vec<Row> {
        let only = |row: &Row| options.row.as_ref().is_none_or(|only| row.name.contains(only));
        let shrunk = |row: Row| Row { records: (row.records / shrink).max(MIN_RECORDS), ..row };
        rows::all().into_iter().filter(only).map(shrunk).collect()
    };
    let report = Report {
        runs: options.runs,
        image_size: options.image_size.clone(),
        single: Results::new(&rows(options.shrink)),
        three: Results::new(&rows(options.shrink * THREE_SHRINK)),
        latency: Figures::default(),
        many: Figures::default(),
        failover: Figures::default(),
        moves: Figures::default(),
    };
    let mut bench = Bench { options, work, tools, report };
    for run in 0..bench.options.runs {
        // A B A B: the machine drifts, and two runs beside each other drift together.
        for part in Part::value_variants() {
            for (number, subject) in subjects.iter().enumerate() {
                if bench.options.part.is_empty() || bench.options.part.contains(part) {
                    let runs = bench.options.runs;
                    eprintln!("run {} of {runs}: {part:?}, {}", run + 1, subject.name());
                    bench
                        .run(*part, &**subject, number)
                        .with_context(|| format!("{part:?} of {}", subject.name()))?;
                }
            }
        }
    }
    let text = report::markdown(&bench.report);
    match bench.options.out {
        Some(path) => std::fs::write(&path, text)
            .with_context(|| format!("failed to write {}", path.display()))?,
        None => println!("{text}"),
    }
    Ok(())
}

impl Bench {
    fn run(&mut self, part: Part, subject: &dyn Subject, number: usize) -> Result<()> {
        let shrink = self.options.shrink;
        match part {
            Part::Single => self.on(subject, &Plan::single(), |bench, cluster| {
                let results = &mut bench.report.single;
                all_rows(cluster, &bench.tools, shrink, (results, number))
            }),
            Part::Three => self.on(subject, &Plan::three(), |bench, cluster| {
                let results = &mut bench.report.three;
                all_rows(cluster, &bench.tools, shrink * THREE_SHRINK, (results, number))
            }),
            Part::Latency => self.on(subject, &Plan::three(), |bench, cluster| {
                first::acknowledged(cluster)?;
                warm_up(cluster, &bench.tools, shrink * THREE_SHRINK)?;
                let figures = &mut bench.report.latency;
                latency::measure(cluster, &bench.tools, shrink, (figures, number))
            }),
            Part::Many => {
                for (nodes, partitions) in MANY {
                    let plan = if nodes == 1 { Plan::single() } else { Plan::three() };
                    let measured = self.on(subject, &plan, |bench, cluster| {
                        many::measure(cluster, partitions, (&mut bench.report.many, number))
                    });
                    // A machine may have too few descriptors for one of them: that is a result as well.
                    if let Err(error) = measured {
                        let what = format!("{nodes} × {partitions} partitions");
                        self.report.many.failed(&what, subject.name(), &error);
                    }
                }
                Ok(())
            }
            Part::Failover => [Victim::Broker, Victim::Controller].into_iter().try_for_each(|v| {
                self.on(subject, &failover::plan(), |bench, cluster| {
                    failover::measure(cluster, v, (&mut bench.report.failover, number))
                })
            }),
            // Kafka's side of it is what its tool proposes for our brokers.
            Part::Move if number > 0 => Ok(()),
            Part::Move => self.moves(),
        }
    }

    fn moves(&mut self) -> Result<()> {
        let folder = self.work.path().join("cluster");
        let vltava = vltava::Vltava::new(&self.options.vltava)?;
        moves::REPLICAS.into_iter().try_for_each(|replicas| {
            let (place, figures) = ((&*folder, self.options.shrink), &mut self.report.moves);
            Self::clean(&folder, moves::measure(&vltava, &self.tools, place, replicas, figures))
        })
    }

    /// Does something with fresh brokers.
    fn on(
        &mut self,
        subject: &dyn Subject,
        plan: &Plan,
        measure: impl FnOnce(&mut Self, &mut Cluster) -> Result<()>,
    ) -> Result<()> {
        let folder = self.work.path().join("cluster");
        let mut cluster = subject.start(&folder, plan)?;
        let measured = measure(self, &mut cluster);
        let stopped = cluster.stop();
        drop(cluster);
        Self::clean(&folder, measured.and(stopped))
    }

    /// A run's data is of no use to the next one, and may be gigabytes.
    fn clean(folder: &Path, measured: Result<()>) -> Result<()> {
        if let Err(error) = &measured {
            show_logs(folder);
            eprintln!("{error:#}");
        }
        std::fs::remove_dir_all(folder).ok();
        measured
    }
}

/// The ends of what the brokers have printed: their folder is gone when somebody reads of the failure.
fn show_logs(folder: &Path) {
    for log in ["1", "2", "3", "4", "5"]
        .iter()
        .flat_map(|id| ["kafka.out", "vltava.out"].map(|log| format!("{id}/{log}")))
    {
        if let Ok(text) = std::fs::read_to_string(folder.join(&log)) {
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.len().saturating_sub(20);
            eprintln!("{log}:\n{}", lines[last..].join("\n"));
        }
    }
}

fn warm_up(cluster: &Cluster, tools: &driver::Tools, shrink: u64) -> Result<()> {
    for row in rows::warm_up() {
        let records = (row.records / shrink).max(MIN_WARM_UP);
        driver::run(&Row { records, ..row }, cluster, tools)?;
    }
    Ok(())
}

fn all_rows(
    cluster: &mut Cluster,
    tools: &driver::Tools,
    shrink: u64,
    (results, subject): (&mut Results, usize),
) -> Result<()> {
    let start = first::acknowledged(cluster)?;
    results.start(subject, start, cluster.rss_bytes()?);
    warm_up(cluster, tools, shrink)?;
    for number in 0..results.rows().len() {
        let row = results.rows()[number].clone();
        let cost =
            driver::run(&row, cluster, tools).with_context(|| format!("row '{}'", row.name))?;
        let (cpu, wall, rate) = (cost.cpu_seconds, cost.wall_seconds, cost.rate.unwrap_or(0.0));
        eprintln!("  {}: {cpu:.3} CPU s, {wall:.3} s, {rate:.0} records/s", row.name);
        results.row(number, subject, cost);
    }
    results.end(subject, cluster.rss_bytes()?);
    Ok(())
}
