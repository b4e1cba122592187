//! Runs any number of seeds: `cargo run --release -p sim -- [quorum] --seeds 10000 [--first N]`. One seed again:
//! `--first N --seeds 1`; `--trace` then tells everything that happened in a quorum, `--bug NAME` plants a known mistake.
#![allow(clippy::print_stdout)] // a command line tool

use std::process::ExitCode;

use sim::quorum::Bug;
use sim::{Violation, log_crash, metadata_crash};

const STEPS: u32 = 500;
const METADATA_STEPS: u32 = 100;

const USAGE: &str = "usage: sim [quorum] [--first SEED] [--seeds COUNT] [--trace] [--bug NAME]";

/// What was asked for.
#[derive(Default)]
struct Arguments {
    quorum: bool,
    first: u64,
    seeds: u64,
    trace: bool,
    bug: Option<Bug>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let result = if arguments.quorum { quorum(&arguments) } else { logs(&arguments) };
    match result {
        Ok(summary) => {
            println!("{} seeds from {}: {summary}", arguments.seeds, arguments.first);
            ExitCode::SUCCESS
        }
        Err(violation) => {
            let name = if arguments.quorum { "quorum " } else { "" };
            let bug = arguments.bug.map(|bug| format!(" --bug {bug:?}")).unwrap_or_default();
            println!("FAILED {violation}\nagain: {name}--first {} --seeds 1{bug}", violation.seed);
            ExitCode::FAILURE
        }
    }
}

fn logs(arguments: &Arguments) -> Result<String, Violation> {
    let mut crashes = 0_u64;
    for seed in arguments.range() {
        let log = log_crash::run(seed, STEPS, None)?;
        let metadata = metadata_crash::run(seed, METADATA_STEPS, None)?;
        crashes += u64::from(log.crashes + metadata.crashes);
    }
    Ok(format!("{crashes} crashes survived, nothing acknowledged lost"))
}

fn quorum(arguments: &Arguments) -> Result<String, Violation> {
    let mut total = sim::quorum::Report::default();
    for seed in arguments.range() {
        total.add(&sim::quorum::run(seed, arguments.bug, arguments.trace)?);
    }
    Ok(format!("nothing promised was broken; {total:?}"))
}

impl Arguments {
    fn range(&self) -> std::ops::Range<u64> {
        self.first..self.first.saturating_add(self.seeds)
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { seeds: 100, ..Arguments::default() };
    while let Some(name) = words.next() {
        let mut number = || {
            let value = words.next().ok_or_else(|| format!("{name} needs a number"))?;
            value.parse::<u64>().map_err(|_| format!("'{value}' is no number"))
        };
        match name.as_str() {
            "quorum" => arguments.quorum = true,
            "--trace" => arguments.trace = true,
            "--first" => arguments.first = number()?,
            "--seeds" => arguments.seeds = number()?,
            "--bug" => {
                let value = words.next().ok_or("--bug needs a name")?;
                let known = Bug::ALL.into_iter().find(|bug| format!("{bug:?}") == value);
                arguments.bug =
                    Some(known.ok_or_else(|| format!("no bug '{value}': {:?}", Bug::ALL))?);
            }
            other => return Err(format!("unknown argument '{other}'")),
        }
    }
    Ok(arguments)
}
