//! Disks that are full, slow, failing, gone, or older than they should be.

use anyhow::Result;

use super::Scenario;
use crate::disk::Kind;
use crate::run::Run;

/// Operations a second of a slow disk: an acknowledgement waits for two or three of them.
const SLOW_OPERATIONS: u32 = 20;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new(
        "full-disk",
        full,
        "The disk of a leader is full for 8 s. What does not fit is refused and sent again by its producers to those that \
         lead instead, which they do at once; the broker takes part again when there is space.",
    )
    .on(Kind::Small)
    .in_short_set(),
    Scenario::new(
        "slow-disk",
        slow,
        "The disk of a leader does 20 operations a second for 15 s. Writes to it wait for the disk; the other \
         partitions do not.",
    )
    .on(Kind::Device),
    Scenario::new(
        "failing-disk",
        failing,
        "The disk of a leader refuses all writes of new blocks for 8 s: syncing fails. Nothing is acknowledged on the \
         strength of it; the broker ends, and is started again with what the disk had when it works again.",
    )
    .on(Kind::Device),
    Scenario::new(
        "lost-disk",
        lost,
        "A leader is killed and comes back with an empty disk under its old number. It counts as a new replica and is \
         filled by the others; what they have acknowledged does not depend on it.",
    )
    .of_brokers(3),
    Scenario::new(
        "stale-disk",
        stale,
        "A leader is killed and comes back with its disk as it was 5 s before. It is behind, does not lead, and is \
         filled up by the others.",
    )
    .of_brokers(3),
];

fn full(run: &mut Run) -> Result<()> {
    let leader = run.a_leader()?;
    run.cluster.brokers[leader].disk.fill()?;
    run.load_for(8)?;
    run.cluster.brokers[leader].disk.free()?;
    run.start_missing()?;
    run.load_for(5)
}

fn slow(run: &mut Run) -> Result<()> {
    let leader = run.a_leader()?;
    let broker = &mut run.cluster.brokers[leader];
    let process = broker.process()?;
    broker.disk.slow_down(process, SLOW_OPERATIONS)?;
    run.load_for(15)?;
    run.cluster.brokers[leader].disk.speed_up()?;
    run.load_for(4)
}

fn failing(run: &mut Run) -> Result<()> {
    let leader = run.a_leader()?;
    run.cluster.brokers[leader].disk.fail()?;
    run.load_for(8)?;
    run.note_ended()?;
    run.cluster.brokers[leader].kill()?;
    run.cluster.brokers[leader].disk.repair()?;
    run.cluster.start(leader)?;
    run.load_for(5)
}

fn lost(run: &mut Run) -> Result<()> {
    let leader = run.a_leader()?;
    run.cluster.brokers[leader].kill()?;
    run.cluster.brokers[leader].disk.erase()?;
    run.load_for(2)?;
    run.cluster.start(leader)?;
    run.load_for(8)
}

fn stale(run: &mut Run) -> Result<()> {
    let leader = run.a_leader()?;
    // Standing still, so that the copy is of one moment.
    run.cluster.brokers[leader].pause()?;
    let copied = run.cluster.brokers[leader].disk.copy();
    run.cluster.brokers[leader].resume()?;
    copied?;
    run.load_for(5)?;
    run.cluster.brokers[leader].kill()?;
    run.cluster.brokers[leader].disk.restore()?;
    run.cluster.start(leader)?;
    run.load_for(8)
}
