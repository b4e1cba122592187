//! Random runs: kills, power loss, elections, lost and late messages.

use crate::world::{Setup, World};

#[derive(Debug, Default)]
struct Report {
    elections: u32,
    truncations: u32,
    resets: u32,
}

fn run(seed: u64, setup: Setup, report: &mut Report) -> Result<(), String> {
    let mut world = World::new(seed, setup);
    for step in 0..600 {
        let checked = world.step();
        let checked =
            if step % 50 == 0 { checked.and_then(|()| world.check_leader()) } else { checked };
        checked.map_err(|what| format!("seed {seed}, step {step}: {what}"))?;
    }
    world.heal().map_err(|what| format!("seed {seed}, healing: {what}"))?;
    report.elections += world.elections;
    report.truncations += world.truncations;
    report.resets += world.resets;
    Ok(())
}

fn runs() -> u64 {
    std::env::var("REPLICA_MODEL_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(400)
}

#[test]
fn what_is_committed_survives_power_loss() {
    let mut report = Report::default();
    for seed in 0..runs() {
        let min_insync_replicas = 1 + (seed % 2) as usize;
        let setup = Setup { flush_before_ack: true, power_loss: true, min_insync_replicas };
        run(seed, setup, &mut report).unwrap();
    }
    assert!(report.elections > 100 && report.truncations > 10 && report.resets > 0, "{report:?}");
}

#[test]
fn what_is_committed_survives_kills_without_flushes() {
    let mut report = Report::default();
    for seed in 0..runs() {
        let min_insync_replicas = 1 + (seed % 2) as usize;
        let setup = Setup { flush_before_ack: false, power_loss: false, min_insync_replicas };
        run(seed, setup, &mut report).unwrap();
    }
    assert!(report.elections > 100 && report.truncations > 10, "{report:?}");
}

/// A model that finds nothing proves nothing.
#[test]
fn the_model_sees_what_power_loss_takes_without_flushes() {
    let setup = Setup { flush_before_ack: false, power_loss: true, min_insync_replicas: 1 };
    let lost = (0..runs()).any(|seed| {
        std::panic::catch_unwind(|| run(seed, setup, &mut Report::default()))
            .map_or(true, |result| result.is_err())
    });
    assert!(lost);
}
