//! Real broker processes under faults, with a checker.
//!
//! | file | what it holds |
//! |---|---|
//! | `command` | the command line of a broker, all that is known of it |
//! | `network`, `disk`, `broker`, `cluster` | what a cluster is made of, and how it is hurt |
//! | `ask` | who leads, coordinates, controls |
//! | `load`, `drivers/` | clients under test: librdkafka and Java |
//! | `scenario` | what happens, one file a family |
//! | `run` | one scenario from an empty cluster to its verdict |
//! | `history`, `check` | what clients did and saw, and the rules that judge it |
//! | `report` | `docs/failure-modes.md` |
//!
//! It must not know the broker's code: what it sees is what a user sees, over the network.
#![allow(clippy::print_stdout)] // a command line tool

mod ask;
mod broker;
mod check;
mod cluster;
mod command;
mod disk;
mod history;
mod load;
mod network;
mod report;
mod run;
mod scenario;
mod tool;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::command::Subject;
use crate::load::Drivers;
use crate::report::Row;
use crate::run::{Run, Setup};
use crate::scenario::Scenario;

#[derive(Debug, Parser)]
#[command(about = "Hurts real broker processes under load, and judges what their clients saw")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios
    Run(Options),
    /// The names of all scenarios
    List,
    /// Ask a broker something (the harness runs itself so, inside a network namespace)
    #[command(hide = true)]
    Ask {
        address: String,
        #[command(subcommand)]
        question: ask::Question,
    },
}

#[derive(Debug, Args)]
struct Options {
    /// The `vltava` binary
    #[arg(long)]
    vltava: PathBuf,
    /// Class path of Kafka's clients
    #[arg(long)]
    kafka_classpath: String,
    /// A Python that has confluent-kafka
    #[arg(long)]
    python: PathBuf,
    /// Folder for the brokers' data and logs; those of runs that went well are removed
    #[arg(long)]
    work: PathBuf,
    /// Scenarios by name; without it those of the set
    #[arg(long)]
    scenario: Vec<String>,
    /// Which scenarios
    #[arg(long, value_enum, default_value_t = Set::Long)]
    set: Set,
    /// Brokers of the cluster; may be given several times
    #[arg(long, default_value = "3")]
    brokers: Vec<usize>,
    /// What the choice of victims follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the report goes; standard output when absent
    #[arg(long)]
    out: Option<PathBuf>,
    /// Put Apache Kafka under the same faults instead: a second opinion on the harness
    #[arg(long)]
    against_kafka: bool,
    /// Run what is broken on purpose: the checker has to find it
    #[arg(long)]
    control: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Set {
    Short,
    Long,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run(options) => run_all(&options),
        Command::List => {
            for scenario in scenario::all().iter().chain(&scenario::controls()) {
                println!("{:<24} {}", scenario.name, scenario.story);
            }
            Ok(())
        }
        Command::Ask { address, question } => {
            println!("{}", ask::answer(&address, &question)?);
            Ok(())
        }
    }
}

fn run_all(options: &Options) -> Result<()> {
    let chosen = choose(options)?;
    std::fs::create_dir_all(&options.work)?;
    let work = options.work.canonicalize()?;
    network::sweep()?;
    disk::sweep(&work)?;
    let subject = if options.against_kafka {
        Subject::Kafka(options.kafka_classpath.clone())
    } else {
        Subject::Vltava(binary(options)?)
    };
    let drivers = Drivers::new(&options.python, &options.kafka_classpath, &work)?;
    let mut rows = Vec::new();
    for &brokers in &options.brokers {
        ensure!(brokers == 1 || brokers >= 3, "--brokers {brokers}: 1, or at least 3");
        let setup = Setup {
            subject: subject.clone(),
            drivers: drivers.clone(),
            brokers,
            seed: options.seed,
        };
        for &scenario in chosen.iter().filter(|scenario| scenario.least_brokers <= brokers) {
            rows.push(run_one(scenario, &setup, &work)?);
        }
    }
    ensure!(!rows.is_empty(), "none of these scenarios is for so few brokers");
    let text = report::markdown(&rows, options.seed);
    match &options.out {
        Some(path) => std::fs::write(path, text)
            .with_context(|| format!("cannot write {}", path.display()))?,
        None => println!("{text}"),
    }
    let bad: Vec<&str> =
        rows.iter().filter(|row| !row.is_good()).map(|row| row.scenario.name).collect();
    println!("scenarios: {} good, {} bad", rows.len() - bad.len(), bad.len());
    if !bad.is_empty() {
        bail!("not as it should be: {}; files in {}", bad.join(", "), work.display());
    }
    Ok(())
}

/// Absolute, because brokers are started from elsewhere.
fn binary(options: &Options) -> Result<PathBuf> {
    options.vltava.canonicalize().with_context(|| {
        format!("{} is missing: `cargo build -p vltava`", options.vltava.display())
    })
}

fn run_one(scenario: Scenario, setup: &Setup, work: &Path) -> Result<Row> {
    let folder = work.join(format!("{}-{}", scenario.name, setup.brokers));
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    println!("{} on {} brokers …", scenario.name, setup.brokers);
    let started = Instant::now();
    let outcome = Run::of(&scenario, setup, &folder).map_err(|error| format!("{error:#}"));
    let row = Row { scenario, brokers: setup.brokers, outcome };
    println!("{:.0} s, {}", started.elapsed().as_secs_f64(), row.summary());
    if row.is_good() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(row)
}

fn choose(options: &Options) -> Result<Vec<Scenario>> {
    let all = if options.control { scenario::controls() } else { scenario::all() };
    if options.scenario.is_empty() {
        let wanted =
            |scenario: &Scenario| options.control || options.set == Set::Long || scenario.short;
        return Ok(all.into_iter().filter(wanted).collect());
    }
    let find = |name: &String| {
        all.iter()
            .find(|scenario| scenario.name == name)
            .copied()
            .with_context(|| format!("no scenario is called {name}: `faults list` names them"))
    };
    options.scenario.iter().map(find).collect()
}
