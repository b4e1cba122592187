//! SIGKILL: no broker gets a chance to put anything in order.

use anyhow::Result;

use super::Scenario;
use crate::run::Run;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new(
        "kill-leader",
        leader,
        "The leader of a partition is killed by SIGKILL, twice, and started again after 5 s. Another replica takes \
         over; producers and consumers of its partitions wait until then. A single broker's clients wait until it \
         is back.",
    )
    .in_short_set(),
    Scenario::new(
        "kill-all",
        everyone,
        "All brokers are killed at once and started again after 3 s. All clients wait until a majority is back; what \
         was acknowledged is on disk.",
    )
    .in_short_set(),
    Scenario::new(
        "kill-coordinator",
        coordinator,
        "The coordinator of the consumers' group is killed, twice, and started again after 5 s. The group pauses until \
         another broker has loaded its offsets; producers notice only where it led their partitions.",
    ),
    Scenario::new(
        "kill-controller",
        controller,
        "The active controller is killed, twice, and started again after 5 s. Another voter takes over; partitions \
         whose leader lives are written and read all the time.",
    )
    .of_brokers(3),
    Scenario::new(
        "successive-leaders",
        successive,
        "Four leaders of the same partition are killed one after the other, each as soon as all replicas are in sync \
         again. Each change costs its clients one pause.",
    )
    .of_brokers(3),
    Scenario::new(
        "quorum-loss",
        quorum,
        "A majority of the brokers is dead for 10 s. Nothing is acknowledged in that time, because no majority could \
         hold it; everything goes on by itself when they are back.",
    )
    .of_brokers(3),
];

fn leader(run: &mut Run) -> Result<()> {
    for _ in 0..2 {
        let leader = run.a_leader()?;
        kill_for(run, &[leader], 5)?;
    }
    Ok(())
}

fn everyone(run: &mut Run) -> Result<()> {
    let all: Vec<usize> = (0..run.cluster.size()).collect();
    kill_for(run, &all, 3)
}

fn coordinator(run: &mut Run) -> Result<()> {
    for _ in 0..2 {
        let coordinator = run.cluster.coordinator()?;
        kill_for(run, &[coordinator], 5)?;
    }
    Ok(())
}

fn controller(run: &mut Run) -> Result<()> {
    for _ in 0..2 {
        let controller = run.cluster.controller()?;
        kill_for(run, &[controller], 5)?;
    }
    Ok(())
}

fn successive(run: &mut Run) -> Result<()> {
    for _ in 0..4 {
        let leader = run.cluster.leader(0)?;
        kill_for(run, &[leader], 3)?;
        run.cluster.wait_until_whole()?;
    }
    Ok(())
}

fn quorum(run: &mut Run) -> Result<()> {
    let dead = run.some_brokers(run.cluster.size() / 2 + 1);
    kill_for(run, &dead, 10)
}

/// All of them at once; some load after it.
fn kill_for(run: &mut Run, brokers: &[usize], seconds: u64) -> Result<()> {
    for &id in brokers {
        run.cluster.brokers[id].kill()?;
    }
    run.load_for(seconds)?;
    for &id in brokers {
        run.cluster.start(id)?;
    }
    run.load_for(4)
}
