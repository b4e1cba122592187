//! Whole quorums from fixed seeds. More: `cargo run --release -p sim -- quorum --seeds N`.
#![allow(clippy::print_stdout)] // how many seeds a bug takes is worth knowing

use sim::quorum::{Bug, Report, run};

const SEEDS: u64 = 150;
/// A planted bug must be found within so many seeds.
const BUG_SEEDS: u64 = 1000;

#[test]
fn a_quorum_keeps_its_promises() {
    let mut total = Report::default();
    for seed in 0..SEEDS {
        let report = run(seed, None, false).unwrap_or_else(|violation| panic!("{violation}"));
        total.add(&report);
    }
    println!("{total:?}");
    // A simulation in which nothing happens shows nothing.
    assert!(total.acknowledged > 5_000, "{total:?}");
    assert!(total.leaders > 400 && total.deaths > 1_000, "{total:?}");
    assert!(total.lost_disks > 5 && total.voter_changes > 20, "{total:?}");
    assert!(total.snapshots > 50, "{total:?}");
}

#[test]
fn every_planted_bug_is_found() {
    let find = |bug| {
        let found = (0..BUG_SEEDS).find_map(|seed| run(seed, Some(bug), false).err());
        let found = found.unwrap_or_else(|| panic!("{bug:?} was not found in {BUG_SEEDS} seeds"));
        println!("{bug:?} after {} seeds: {}", found.seed + 1, found.what);
    };
    std::thread::scope(|scope| {
        for bug in Bug::ALL {
            scope.spawn(move || find(bug));
        }
    });
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in 0..3 {
        assert_eq!(run(seed, None, false), run(seed, None, false));
    }
}
