//! Whole clusters from fixed seeds. More: `cargo xtask sim --seeds N`, `cargo xtask sim --bugs`.
#![allow(clippy::print_stdout)] // how many seeds a bug takes is worth knowing

use sim::cluster::{Bug, Report, Scenario, run};
use sim::many::find_bugs;

/// Of each scenario.
const SEEDS: u64 = 5;
/// A planted bug must be found within so many seeds of its scenario; `cargo xtask sim --bugs` looks for the rare ones too.
const BUG_SEEDS: u64 = 150;

#[test]
fn clusters_keep_their_promises() {
    let totals: Vec<Report> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            Scenario::ALL.into_iter().map(|scenario| scope.spawn(move || runs(scenario))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a run that holds")).collect()
    });
    let mut total = Report::default();
    totals.iter().for_each(|report| total.add(report));
    // A simulation in which nothing happens shows nothing.
    assert!(total.acknowledged > 5_000, "{total:?}");
    assert!(total.elections > 300 && total.deaths > 300 && total.stops > 50, "{total:?}");
    assert!(total.full_disks > 2, "{total:?}");
    assert!(total.lost_disks > 3 && total.truncations > 50, "{total:?}");
    assert!(total.held_back > 100, "{total:?}");
    assert!(total.deleted_topics > 10 && total.added_partitions > 5, "{total:?}");
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

fn are_found(bugs: &[Bug], seeds: u64) {
    let mut missed = Vec::new();
    for (bug, found) in find_bugs(bugs, seeds) {
        let (name, scenario) = (bug.name(), bug.scenario().name());
        match found {
            Some(found) => {
                println!("{name} after {} seeds of {scenario}: {}", found.seed + 1, found.what);
            }
            None => missed.push(name),
        }
    }
    assert!(missed.is_empty(), "not found in {seeds} seeds: {missed:?}");
}

#[test]
fn planted_bugs_are_found() {
    let bugs: Vec<Bug> = Bug::all().into_iter().filter(|bug| !bug.is_rare()).collect();
    are_found(&bugs, BUG_SEEDS);
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for scenario in [Scenario::Everything, Scenario::Disks, Scenario::Topics] {
        assert_eq!(run(scenario, 1, None, false), run(scenario, 1, None, false));
    }
}
