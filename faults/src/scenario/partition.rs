//! Networks that fall apart. Brokers stop hearing one another; clients still reach all of them, unless said otherwise.

use anyhow::Result;

use super::Scenario;
use crate::run::Run;

const SECONDS: u64 = 12;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new(
        "unplugged-leader",
        unplugged,
        "The leader of a partition is off the network for 12 s, for clients too. Another replica takes over; a single \
         broker's clients wait.",
    ),
    Scenario::new(
        "isolated-leader",
        isolated,
        "The leader of a partition and the other brokers do not hear one another for 12 s, but clients reach all. It \
         acknowledges nothing alone; another replica takes over, and clients find it.",
    )
    .of_brokers(3)
    .in_short_set(),
    Scenario::new(
        "deaf-leader",
        deaf,
        "The leader of a partition hears nothing from the other brokers for 12 s, though they hear it. Clients see what \
         they see of an isolated leader.",
    )
    .of_brokers(3),
    Scenario::new(
        "mute-leader",
        mute,
        "The other brokers hear nothing from the leader of a partition for 12 s, though it hears them. Clients see what \
         they see of an isolated leader.",
    )
    .of_brokers(3),
    Scenario::new(
        "minority",
        minority,
        "A minority of the brokers, the leader of a partition among them, is cut from the majority for 12 s. The \
         majority goes on; the minority acknowledges nothing.",
    )
    .of_brokers(3),
    Scenario::new(
        "bridge",
        bridge,
        "The brokers fall into two halves for 12 s that only one broker reaches both of. Whoever has a majority around \
         it goes on.",
    )
    .of_brokers(3),
    Scenario::new(
        "majorities-ring",
        ring,
        "Each broker reaches a majority for 12 s, but no two the same one: its neighbours in a ring. Leaders may change \
         more than once; what is acknowledged is on a majority.",
    )
    .of_brokers(5),
];

fn unplugged(run: &mut Run) -> Result<()> {
    let leader = run.a_leader()?;
    run.cluster.network.unplug(leader)?;
    heal(run)
}

fn isolated(run: &mut Run) -> Result<()> {
    let leader = run.a_leader()?;
    let others = run.others(&[leader]);
    run.cluster.network.cut(leader, &others, &others)?;
    heal(run)
}

fn deaf(run: &mut Run) -> Result<()> {
    let leader = run.a_leader()?;
    run.cluster.network.cut(leader, &run.others(&[leader]), &[])?;
    heal(run)
}

fn mute(run: &mut Run) -> Result<()> {
    let leader = run.a_leader()?;
    run.cluster.network.cut(leader, &[], &run.others(&[leader]))?;
    heal(run)
}

fn minority(run: &mut Run) -> Result<()> {
    let mut few = vec![run.a_leader()?];
    let most = run.others(&few);
    few.extend(&most[..(run.cluster.size() - 1) / 2 - 1]);
    let most = run.others(&few);
    for id in few {
        run.cluster.network.cut(id, &most, &most)?;
    }
    heal(run)
}

fn bridge(run: &mut Run) -> Result<()> {
    let all = run.some_brokers(run.cluster.size());
    let half = all.len() / 2;
    let (left, right) = (&all[..half], &all[half + 1..]);
    for &id in left {
        run.cluster.network.cut(id, right, right)?;
    }
    heal(run)
}

fn ring(run: &mut Run) -> Result<()> {
    let all = run.some_brokers(run.cluster.size());
    let count = all.len();
    for (at, &id) in all.iter().enumerate() {
        let near = [all[(at + 1) % count], id, all[(at + count - 1) % count]];
        let far = run.others(&near);
        run.cluster.network.cut(id, &far, &far)?;
    }
    heal(run)
}

fn heal(run: &mut Run) -> Result<()> {
    run.load_for(SECONDS)?;
    run.cluster.network.heal()?;
    run.load_for(6)
}
