//! Lives of a process on a log directory, each ended badly: at any call, or by a kill, or by the power.

use crate::workload::Workload;

const SEEDS: u64 = 120;
const LIVES: usize = 6;

#[test]
fn what_was_synced_survives_any_crash() {
    for seed in 0..SEEDS {
        let mut workload = Workload::new(seed);
        for life in 0..LIVES {
            workload.life().unwrap_or_else(|error| panic!("seed {seed}, life {life}: {error}"));
        }
    }
}

/// The checker itself: a log that forgets to sync must be caught.
#[test]
fn a_sync_that_does_nothing_is_found_out() {
    let caught = (0..20).any(|seed| {
        let mut workload = Workload::new(seed);
        workload.disk.break_sync();
        (0..LIVES).any(|_| workload.life().is_err())
    });
    assert!(caught, "20 seeds without a sync, and nothing was missed");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut workload = Workload::new(seed);
        for _ in 0..3 {
            workload.life().unwrap();
        }
        workload.disk.calls()
    };
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed));
    }
}
