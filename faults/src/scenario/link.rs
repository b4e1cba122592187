//! Networks that lose, delay and reorder.

use anyhow::Result;

use super::Scenario;
use crate::network::BadWire;
use crate::run::Run;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new(
        "lossy-network",
        lossy,
        "Every broker's cable loses 5 % of all packets, delays the others by 20 to 60 ms and reorders them, for 20 s. \
         Everything is slow; leaders may change when too much is lost at once.",
    ),
    Scenario::new(
        "slow-cable",
        slow,
        "One leader's cable delays everything by 200 ms each way for 15 s. Writes to its partitions take the delay \
         once for the client and once for the other replicas; nothing changes hands.",
    ),
];

fn lossy(run: &mut Run) -> Result<()> {
    let wire = BadWire { delay_ms: 20, jitter_ms: 40, loss_percent: 5 };
    for id in 0..run.cluster.size() {
        let seed = run.random.u64(..);
        run.cluster.network.degrade(id, wire, seed)?;
    }
    run.load_for(20)?;
    run.cluster.network.heal()?;
    run.load_for(4)
}

fn slow(run: &mut Run) -> Result<()> {
    let leader = run.a_leader()?;
    let seed = run.random.u64(..);
    let wire = BadWire { delay_ms: 200, jitter_ms: 0, loss_percent: 0 };
    run.cluster.network.degrade(leader, wire, seed)?;
    run.load_for(15)?;
    run.cluster.network.heal()?;
    run.load_for(4)
}
