//! Runs any number of seeds: `cargo run --release -p sim -- [quorum | cluster --scenario NAME] --seeds 10000 [--first N]`. One
//! seed again: `--first N --seeds 1`; `--trace` then tells everything that happened in a quorum or a cluster, `--bug NAME` plants a
//! known mistake.
#![allow(clippy::print_stdout)] // a command line tool

use std::process::ExitCode;

use sim::cluster::{self, Scenario};
use sim::many::{self, What};
use sim::{Violation, log_crash, metadata_crash, quorum};

const STEPS: u32 = 500;
const METADATA_STEPS: u32 = 100;

const USAGE: &str = "usage: sim [quorum | cluster | all | bugs] [--scenario NAME] [--first SEED] [--seeds COUNT] [--trace] [--bug NAME]";

/// What is run.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum World {
    #[default]
    Logs,
    Quorum,
    Cluster,
    /// The quorum and all scenarios of a cluster, over all cores.
    All,
    /// Every bug that is planted in a cluster: in how many seeds it is found.
    Bugs,
}

/// What was asked for.
#[derive(Default)]
struct Arguments {
    world: World,
    scenario: Option<What>,
    first: u64,
    seeds: u64,
    trace: bool,
    bug: Option<String>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => return refuse(&message),
    };
    let result = match arguments.world {
        World::Logs => Ok(logs(&arguments)),
        World::Quorum => run_quorum(&arguments),
        World::Cluster => run_cluster(&arguments),
        World::All => return all(&arguments),
        World::Bugs => return bugs(&arguments),
    };
    match result {
        Err(message) => refuse(&message),
        Ok(Ok(summary)) => {
            println!("{} seeds from {}: {summary}", arguments.seeds, arguments.first);
            ExitCode::SUCCESS
        }
        Ok(Err(violation)) => {
            println!("FAILED {violation}\nagain: {}", arguments.again(violation.seed));
            ExitCode::FAILURE
        }
    }
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("{message}\n{USAGE}");
    ExitCode::from(2)
}

type Outcome = Result<String, Violation>;

fn logs(arguments: &Arguments) -> Outcome {
    let mut crashes = 0_u64;
    for seed in arguments.range() {
        let log = log_crash::run(seed, STEPS, None)?;
        let metadata = metadata_crash::run(seed, METADATA_STEPS, None)?;
        crashes += u64::from(log.crashes + metadata.crashes);
    }
    Ok(format!("{crashes} crashes survived, nothing acknowledged lost"))
}

fn run_quorum(arguments: &Arguments) -> Result<Outcome, String> {
    let all = quorum::Bug::ALL.into_iter().map(|bug| (format!("{bug:?}"), bug));
    let bug = arguments.bug_of(all.collect())?;
    let mut total = quorum::Report::default();
    for seed in arguments.range() {
        match quorum::run(seed, bug, arguments.trace) {
            Ok(report) => total.add(&report),
            Err(violation) => return Ok(Err(violation)),
        }
    }
    Ok(Ok(format!("nothing promised was broken; {total:?}")))
}

fn run_cluster(arguments: &Arguments) -> Result<Outcome, String> {
    let Some(What::Cluster(scenario)) = arguments.scenario else {
        let names = Scenario::ALL.map(Scenario::name);
        return Err(format!("a cluster needs a --scenario: {names:?}"));
    };
    let all = cluster::Bug::all().into_iter().map(|bug| (bug.name(), bug));
    let bug = arguments.bug_of(all.collect())?;
    let mut total = cluster::Report::default();
    for seed in arguments.range() {
        match cluster::run(scenario, seed, bug, arguments.trace) {
            Ok(report) => total.add(&report),
            Err(violation) => return Ok(Err(violation)),
        }
    }
    Ok(Ok(format!("nothing promised was broken; {total:?}")))
}

fn bugs(arguments: &Arguments) -> ExitCode {
    let mut missed = false;
    for (bug, found) in many::find_bugs(&cluster::Bug::all(), arguments.seeds) {
        let (name, scenario) = (bug.name(), bug.scenario().name());
        match found {
            Some(found) => {
                println!("{name} after {} seeds of {scenario}: {}", found.seed + 1, found.what);
            }
            None => {
                missed = true;
                println!("{name} was NOT FOUND in {} seeds of {scenario}", arguments.seeds);
            }
        }
    }
    if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn all(arguments: &Arguments) -> ExitCode {
    let all = arguments.scenario.map_or_else(What::all, |only| vec![only]);
    let mut failed = false;
    println!("{:<18} {:>8} {:>10} {:>16}", "scenario", "seeds", "seconds", "simulated hours");
    for what in all {
        let row = many::run(what, arguments.first, arguments.seeds);
        let (wall, hours) = (row.wall.as_secs_f64(), row.simulated.as_secs_f64() / 3600.0);
        println!("{:<18} {:>8} {wall:>10.1} {hours:>16.2}", row.name, row.seeds);
        if let Some(violation) = row.failed {
            failed = true;
            println!("FAILED {violation}\nagain: {}", what.again(violation.seed));
        }
    }
    println!("seeds from {}", arguments.first);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

impl Arguments {
    fn range(&self) -> std::ops::Range<u64> {
        self.first..self.first.saturating_add(self.seeds)
    }

    fn bug_of<B: Copy>(&self, all: Vec<(String, B)>) -> Result<Option<B>, String> {
        let Some(wanted) = &self.bug else { return Ok(None) };
        let names: Vec<&String> = all.iter().map(|(name, _)| name).collect();
        let found = all.iter().find(|(name, _)| name == wanted);
        found.map(|(_, bug)| Some(*bug)).ok_or_else(|| format!("no bug '{wanted}': {names:?}"))
    }

    /// The command that runs one seed again.
    fn again(&self, seed: u64) -> String {
        let world = match self.world {
            World::Logs | World::All | World::Bugs => String::new(),
            World::Quorum => "quorum ".to_owned(),
            World::Cluster => {
                format!("cluster --scenario {} ", self.scenario.map_or("", What::name))
            }
        };
        let bug = self.bug.as_ref().map(|bug| format!(" --bug {bug}")).unwrap_or_default();
        format!("cargo run --release -p sim -- {world}--first {seed} --seeds 1{bug} --trace")
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { seeds: 100, ..Arguments::default() };
    while let Some(name) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{name} needs a value"));
        let number =
            |text: String| text.parse::<u64>().map_err(|_| format!("'{text}' is no number"));
        match name.as_str() {
            "quorum" => arguments.world = World::Quorum,
            "bugs" => arguments.world = World::Bugs,
            "all" => arguments.world = World::All,
            "cluster" => arguments.world = World::Cluster,
            "--trace" => arguments.trace = true,
            "--first" => arguments.first = number(value()?)?,
            "--seeds" => arguments.seeds = number(value()?)?,
            "--bug" => arguments.bug = Some(value()?),
            "--scenario" => {
                let wanted = value()?;
                let all = What::all();
                let known = all.iter().find(|of| of.name() == wanted).copied();
                let names: Vec<_> = all.iter().map(|of| of.name()).collect();
                arguments.scenario =
                    Some(known.ok_or_else(|| format!("no scenario '{wanted}': {names:?}"))?);
            }
            other => return Err(format!("unknown argument '{other}'")),
        }
    }
    Ok(arguments)
}
