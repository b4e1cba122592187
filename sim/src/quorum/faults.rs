//! What goes wrong, and the administrator who repairs it.

use quorum::node::{Input, VoterChange};
use quorum::raft::Voter;

use super::world::{Event, World};

/// Something that goes wrong.
#[derive(Debug)]
pub(super) struct Fault;

impl Fault {
    /// One fault, and the time of the next.
    pub(super) fn happen(world: &mut World) -> Result<(), String> {
        if world.healed {
            return Ok(());
        }
        let delay = world.random.u64(20..world.plan.fault_every_ms);
        world.at(delay, Event::Fault);
        let all = world.machines.len();
        let anybody = world.random.usize(..all);
        let leader = world.leaders().first().copied();
        // Leaders are where it hurts.
        let victim = leader.filter(|_| world.random.bool()).unwrap_or(anybody);
        let up = world.machines[victim].node.is_some();
        let until = world.now() + world.random.u64(50..2500);
        match world.random.u8(..100) {
            0..15 if up => world.die(victim, false)?,
            15..27 if up => world.die(victim, true)?,
            27..37 if up => {
                let calls = world.machines[victim].disk.calls() + world.random.u64(1..20);
                world.machines[victim].disk.stop_after_calls(calls);
            }
            37..47 => {
                world.say(|| format!("{victim} pauses until {until}"));
                world.machines[victim].paused_until = until;
            }
            47..62 => Self::split(world, victim, until),
            62..75 => Self::cut_some(world, victim, until),
            75..80 => {
                let ms = world.random.i64(-1000..5000);
                world.say(|| format!("{victim}'s clock jumps by {ms}"));
                world.machines[victim].jump(ms);
            }
            80..84 => {
                let to = world.random.usize(..world.plan.voters) as i32;
                world.hand_in(victim, vec![Input::Transfer { to }])?;
            }
            84..87 => world.hand_in(victim, vec![Input::Resign])?,
            87..93 => Self::lose_disk(world)?,
            _ => Self::burst(world, victim, until)?,
        }
        Ok(())
    }

    /// A new leader is cut off: before its first frame arrives anywhere, while it hands on what it had from before, or when
    /// it has much that others do not have.
    pub(super) fn ambush(world: &mut World, leader: usize) {
        let delay = match world.random.u8(..4) {
            0 => world.random.u64(0..15),
            1 => world.random.u64(15..300),
            2 => world.random.u64(300..1000),
            _ => return,
        };
        world.at(delay, Event::Ambush(leader));
    }

    pub(super) fn isolate(world: &mut World, machine: usize) {
        if !world.healed {
            let until = world.now() + world.random.u64(600..2000);
            world.say(|| format!("{machine} is cut off until {until}"));
            world.network.split(&[machine], world.machines.len(), until);
        }
    }

    /// A group of machines with the victim in it is on its own.
    fn split(world: &mut World, victim: usize, until: u64) {
        let all = world.machines.len();
        let size = world.random.usize(0..=all / 2);
        let mut group = vec![victim];
        group.extend((0..size).map(|_| world.random.usize(..all)));
        world.say(|| format!("{group:?} are cut off until {until}"));
        world.network.split(&group, all, until);
    }

    /// Single links break, one way.
    fn cut_some(world: &mut World, victim: usize, until: u64) {
        let all = world.machines.len();
        let deaf = world.random.bool();
        for other in 0..all {
            if world.random.u8(..3) > 0 {
                let (from, to) = if deaf { (other, victim) } else { (victim, other) };
                world.network.cut(from, to, until);
            }
        }
        world.say(|| format!("{victim} is {} until {until}", if deaf { "deaf" } else { "mute" }));
    }

    /// A voter comes back with an empty disk. One at a time, until the administrator has put it in again: more than that no
    /// quorum survives.
    fn lose_disk(world: &mut World) -> Result<(), String> {
        if !world.plan.directories_known || !Admin::is_idle(world) {
            return Ok(());
        }
        let victim = world.random.usize(..world.plan.voters);
        world.say(|| format!("{victim} loses its disk"));
        world.machines[victim].node = None;
        let mut random = world.random.fork();
        world.machines[victim].new_disk(&mut random);
        world.report.lost_disks += 1;
        let delay = world.random.u64(1..800);
        world.at(delay, Event::Start(victim));
        Ok(())
    }

    /// An administrator in a hurry: removes several voters at once. The quorum must not take the second before the first is
    /// committed.
    fn burst(world: &mut World, victim: usize, until: u64) -> Result<(), String> {
        if !Admin::is_idle(world) || !world.leaders().contains(&victim) {
            return Ok(());
        }
        if world.random.bool() {
            Self::split(world, victim, until);
        }
        let voters = world.machines.iter().take(world.plan.voters).map(|machine| machine.replica());
        let itself = world.random.u8(..4) == 0;
        let mut others: Vec<Voter> =
            voters.filter(|voter| itself || voter.id != victim as i32).collect();
        world.random.shuffle(&mut others);
        others.truncate(world.random.usize(1..=world.plan.voters - 1));
        world.say(|| format!("at once {victim} is to remove {others:?}"));
        let changes =
            others.into_iter().map(|voter| world.answers.change(VoterChange::Remove(voter)));
        let changes = changes.collect();
        world.hand_in(victim, changes)
    }
}

/// Who changes the voters.
#[derive(Debug)]
pub(super) struct Admin;

impl Admin {
    /// Whether all machines that should vote do, and that is committed, as far as every leader knows.
    pub(super) fn is_idle(world: &World) -> bool {
        let whole = |machine: usize| {
            let node = world.machines[machine].node.as_ref();
            node.is_some_and(|node| {
                let mut wanted = world.machines.iter().take(world.plan.voters);
                wanted.all(|machine| node.voters().contains(machine.replica()))
                    && node.voters().len() == world.plan.voters
                    && node.image().offset() == node.log().next_offset()
            })
        };
        let leaders = world.leaders();
        !leaders.is_empty() && leaders.into_iter().all(whole)
    }

    /// Brings the voters one step nearer to what they should be.
    pub(super) fn act(world: &mut World) -> Result<(), String> {
        let delay = world.random.u64(50..250);
        world.at(delay, Event::Admin);
        Self::take_answers(world);
        let leaders = world.leaders();
        let Some(leader) = world.random.choice(leaders) else { return Ok(()) };
        let Some(node) = &world.machines[leader].node else { return Ok(()) };
        let voters = node.voters().clone();
        let wanted = world.machines.iter().take(world.plan.voters).map(|machine| machine.replica());
        let missing = wanted.clone().find(|voter| voters.directory(voter.id).is_none());
        let mut present = voters.iter();
        let old = present
            .find(|voter| !wanted.clone().any(|of| of.id == voter.id && voters.contains(of)));
        let change = match (old, missing) {
            (Some(old), _) => VoterChange::Remove(old),
            (None, Some(missing)) => VoterChange::Add(missing),
            (None, None) => return Ok(()),
        };
        world.say(|| format!("the administrator asks {leader}: {change:?}"));
        let input = world.answers.change(change);
        world.hand_in(leader, vec![input])
    }

    fn take_answers(world: &mut World) {
        let changes = std::mem::take(&mut *world.answers.changes.lock());
        for (change, result) in changes {
            world.say(|| format!("{change:?}: {result:?}"));
            world.report.voter_changes += u32::from(result.is_ok());
        }
    }
}
