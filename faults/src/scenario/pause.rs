//! SIGSTOP and SIGCONT: a process that holds its connections and does nothing, and then goes on as if no time had
//! passed.

use anyhow::Result;

use super::Scenario;
use crate::run::Run;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new(
        "pause-leader",
        leader,
        "The leader of a partition stands still for 12 s, twice, and goes on. The others replace it once its heartbeat \
         is overdue; when it goes on it is refused as a leader of an older epoch. Clients notice by their own \
         request timeout, because its connections stay open.",
    ),
    Scenario::new(
        "pause-controller",
        controller,
        "The active controller stands still for 12 s and goes on. Another voter takes over; the old one finds out that \
         it is of an older epoch.",
    )
    .of_brokers(3),
];

fn leader(run: &mut Run) -> Result<()> {
    for _ in 0..2 {
        let leader = run.a_leader()?;
        pause(run, leader)?;
    }
    Ok(())
}

fn controller(run: &mut Run) -> Result<()> {
    let controller = run.cluster.controller()?;
    pause(run, controller)
}

fn pause(run: &mut Run, id: usize) -> Result<()> {
    run.cluster.brokers[id].pause()?;
    run.load_for(12)?;
    run.cluster.brokers[id].resume()?;
    run.load_for(5)
}
