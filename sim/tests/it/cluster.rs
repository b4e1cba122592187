//! Whole clusters from fixed seeds. More: `cargo xtask sim --seeds N`.
#![allow(clippy::print_stdout)] // how many seeds a bug takes is worth knowing

use std::sync::atomic::{AtomicUsize, Ordering};

use sim::cluster::{Bug, Report, Scenario, run};

/// Of each scenario.
const SEEDS: u64 = 8;
/// A planted bug must be found within so many seeds of its scenario.
const BUG_SEEDS: u64 = 400;

#[test]
fn clusters_keep_their_promises() {
    let totals: Vec<Report> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            Scenario::ALL.into_iter().map(|scenario| scope.spawn(move || runs(scenario))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panic!())).collect()
    });
    let mut total = Report::default();
    totals.iter().for_each(|report| total.add(report));
    // A simulation in which nothing happens shows nothing.
    assert!(total.acknowledged > 5_000, "{total:?}");
    assert!(total.elections > 300 && total.deaths > 300 && total.stops > 50, "{total:?}");
    assert!(total.lost_disks > 3 && total.truncations > 50, "{total:?}");
}

fn runs(scenario: Scenario) -> Report {
    let mut total = Report::default();
    for seed in 0..SEEDS {
        let report = run(scenario, seed, None, false);
        let again = format!("cluster --scenario {} --first {seed} --seeds 1", scenario.name());
        total.add(&report.unwrap_or_else(|violation| panic!("{violation}; again: {again}")));
    }
    total
}

#[test]
fn every_planted_bug_is_found() {
    let bugs = Bug::all();
    let next = AtomicUsize::new(0);
    let missed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !is_found(*bug)
                        && let Ok(mut missed) = missed.lock()
                    {
                        missed.push(bug.name());
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap_or_default();
    assert!(missed.is_empty(), "not found in {BUG_SEEDS} seeds: {missed:?}");
}

fn is_found(bug: Bug) -> bool {
    let scenario = bug.scenario();
    let found = (0..BUG_SEEDS).find_map(|seed| run(scenario, seed, Some(bug), false).err());
    if let Some(found) = &found {
        let (name, seeds) = (bug.name(), found.seed + 1);
        println!("{name} after {seeds} seeds of {}: {}", scenario.name(), found.what);
    }
    found.is_some()
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for scenario in [Scenario::Everything, Scenario::Disks] {
        assert_eq!(run(scenario, 1, None, false), run(scenario, 1, None, false));
    }
}
