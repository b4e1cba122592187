//! Fixed seeds of every scenario. More of them: `cargo run --release -p sim -- --seeds N`.

mod cluster;
mod faults;
mod lives;
mod quorum;
mod workload;

use sim::{Planted, log_crash, metadata_crash};

const SEEDS: u64 = 300;
const STEPS: u32 = 200;
/// An image grows with every command, and is compared whole after every crash.
const METADATA_STEPS: u32 = 60;

#[test]
fn a_log_keeps_what_was_flushed_through_crashes() {
    let (mut crashes, mut stops) = (0, 0);
    let mut unacknowledged_lost = 0;
    for seed in 0..SEEDS {
        let report =
            log_crash::run(seed, STEPS, None).unwrap_or_else(|violation| panic!("{violation}"));
        crashes += report.crashes;
        stops += report.stops;
        unacknowledged_lost += report.unacknowledged_lost;
    }
    assert!(crashes > 1_000, "only {crashes} crashes");
    assert!(stops > 500, "only {stops} clean stops");
    assert!(unacknowledged_lost > 1_000, "the disk hardly loses anything: {unacknowledged_lost}");
}

#[test]
fn the_metadata_log_keeps_what_was_answered_through_crashes() {
    let mut compactions = 0;
    for seed in 0..SEEDS {
        let report = metadata_crash::run(seed, METADATA_STEPS, None)
            .unwrap_or_else(|violation| panic!("{violation}"));
        compactions += report.compactions;
    }
    assert!(compactions > 100, "only {compactions} compactions");
}

/// The first seed that finds a planted bug.
fn found(run: impl Fn(u64) -> bool) -> Option<u64> {
    (0..SEEDS).find(|seed| run(*seed))
}

#[test]
fn planted_bugs_are_found() {
    for planted in [Planted::SyncDoesNothing, Planted::AcknowledgeBeforeSync] {
        let seed = found(|seed| log_crash::run(seed, STEPS, Some(planted)).is_err());
        assert!(seed.is_some(), "{planted:?} was not found in {SEEDS} seeds");
    }
    let seed = found(|seed| {
        metadata_crash::run(seed, METADATA_STEPS, Some(Planted::SyncDoesNothing)).is_err()
    });
    assert!(seed.is_some(), "a metadata log without syncs was not found out in {SEEDS} seeds");
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in 0..5 {
        assert_eq!(log_crash::run(seed, STEPS, None), log_crash::run(seed, STEPS, None));
    }
}
