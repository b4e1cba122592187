//! Many seeds over all cores, scenario by scenario.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::cluster::{self, Bug, Scenario};
use crate::{Violation, quorum};

/// What many seeds of one scenario gave.
#[derive(Debug)]
pub struct Row {
    /// The scenario, as the command line calls it.
    pub name: &'static str,
    /// Seeds that were run.
    pub seeds: u64,
    /// How long that took.
    pub wall: Duration,
    /// How long the runs were by their own time.
    pub simulated: Duration,
    /// The failed seed that is the first of all, if one failed.
    pub failed: Option<Violation>,
}

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The metadata quorum by itself.
    Quorum,
    /// A whole cluster.
    Cluster(Scenario),
}

impl What {
    /// The quorum, and the cluster's scenarios.
    pub fn all() -> Vec<What> {
        let clusters = Scenario::ALL.into_iter().map(What::Cluster);
        std::iter::once(What::Quorum).chain(clusters).collect()
    }

    /// As the command line calls it.
    pub fn name(self) -> &'static str {
        match self {
            What::Quorum => "quorum",
            What::Cluster(scenario) => scenario.name(),
        }
    }

    /// The command that runs a seed again.
    pub fn again(self, seed: u64) -> String {
        let what = match self {
            What::Quorum => "quorum".to_owned(),
            What::Cluster(scenario) => format!("cluster --scenario {}", scenario.name()),
        };
        format!("cargo run --release -p sim -- {what} --first {seed} --seeds 1 --trace")
    }

    /// Runs one seed; gives the simulated milliseconds.
    fn run(self, seed: u64) -> Result<u64, Violation> {
        match self {
            What::Quorum => quorum::run(seed, None, false).map(|report| report.simulated_ms),
            What::Cluster(scenario) => {
                cluster::run(scenario, seed, None, false).map(|report| report.simulated_ms)
            }
        }
    }
}

/// Looks for each planted bug in its scenario, on all cores; gives it with the first seed that shows it, if one of `seeds` does.
pub fn find_bugs(bugs: &[Bug], seeds: u64) -> Vec<(Bug, Option<Violation>)> {
    let (next, found) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            let run = |seed| cluster::run(bug.scenario(), seed, Some(*bug), false).err();
            let first = (0..seeds).find_map(run);
            if let Ok(mut found) = found.lock() {
                found.push((*bug, first));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    found.into_inner().unwrap_or_default()
}

/// Runs seeds on as many threads as there are processors. After a failed seed no more are begun.
pub fn run(what: What, first: u64, seeds: u64) -> Row {
    let begun = Instant::now();
    let (next, done, simulated) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (stop, failed) = (AtomicBool::new(false), Mutex::new(None::<Violation>));
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= seeds {
                return;
            }
            done.fetch_add(1, Ordering::Relaxed);
            match what.run(first.wrapping_add(number)) {
                Ok(ms) => {
                    simulated.fetch_add(ms, Ordering::Relaxed);
                }
                Err(violation) => {
                    stop.store(true, Ordering::Relaxed);
                    if let Ok(mut failed) = failed.lock()
                        && failed.as_ref().is_none_or(|known| violation.seed < known.seed)
                    {
                        *failed = Some(violation);
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    Row {
        name: what.name(),
        seeds: done.into_inner(),
        wall: begun.elapsed(),
        simulated: Duration::from_millis(simulated.into_inner()),
        failed: failed.into_inner().unwrap_or_default(),
    }
}
