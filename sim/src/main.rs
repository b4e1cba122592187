//! Runs any number of seeds: `cargo run --release -p sim -- --seeds 10000 [--first N]`. One seed again: `--first N --seeds 1`.
#![allow(clippy::print_stdout)] // a command line tool

use std::process::ExitCode;

use sim::{Violation, log_crash, metadata_crash};

const STEPS: u32 = 500;
const METADATA_STEPS: u32 = 100;

fn main() -> ExitCode {
    let (first, seeds) = match parse(std::env::args().skip(1)) {
        Ok(range) => range,
        Err(message) => {
            eprintln!("{message}\nusage: sim [--first SEED] [--seeds COUNT]");
            return ExitCode::from(2);
        }
    };
    let mut crashes = 0_u64;
    for seed in first..first.saturating_add(seeds) {
        match both(seed) {
            Ok(survived) => crashes += u64::from(survived),
            Err(violation) => {
                println!("FAILED {violation}\nagain: --first {seed} --seeds 1");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{seeds} seeds from {first}: {crashes} crashes survived, nothing acknowledged lost");
    ExitCode::SUCCESS
}

fn both(seed: u64) -> Result<u32, Violation> {
    let log = log_crash::run(seed, STEPS, None)?;
    let metadata = metadata_crash::run(seed, METADATA_STEPS, None)?;
    Ok(log.crashes + metadata.crashes)
}

/// First seed and how many.
fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(u64, u64), String> {
    let (mut first, mut seeds) = (0, 100);
    while let Some(name) = arguments.next() {
        let target = match name.as_str() {
            "--first" => &mut first,
            "--seeds" => &mut seeds,
            other => return Err(format!("unknown argument '{other}'")),
        };
        let value = arguments.next().ok_or_else(|| format!("{name} needs a number"))?;
        *target = value.parse().map_err(|_| format!("'{value}' is no number"))?;
    }
    Ok((first, seeds))
}
