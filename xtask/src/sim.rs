//! `cargo xtask sim`: quorums and whole clusters from any number of seeds, over all cores.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::process::{cargo, run};

/// Runs between two choices of a first seed do not overlap, unless more than this many seeds are asked for a second.
const SEEDS_A_SECOND: u64 = 1_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seeds of each scenario
    #[arg(long, value_name = "N", default_value_t = 100)]
    seeds: u64,
    /// The first seed; fresh ones when absent
    #[arg(long, value_name = "SEED")]
    first: Option<u64>,
    /// Only this scenario; `quorum` is one, too
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Look for the bugs that are planted on purpose instead, each in as many seeds
    #[arg(long)]
    bugs: bool,
}

pub(crate) fn run_sim(args: &Args) -> Result<()> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let first = args.first.unwrap_or(since.as_secs() * SEEDS_A_SECOND);
    let mut command = cargo();
    command.args(["run", "--locked", "--quiet", "--release", "--package", "sim", "--"]);
    command.arg(if args.bugs { "bugs" } else { "all" });
    command.args(["--seeds", &args.seeds.to_string(), "--first", &first.to_string()]);
    if let Some(scenario) = &args.scenario {
        command.args(["--scenario", scenario]);
    }
    run(&mut command)
}
