//! [`Ambush`]: something that was said arrives when it is true no more.
//!
//! What a follower of an earlier life has said must not count for its successor with an empty disk (KIP-903), and what a leader
//! asked for before must not be done after what it has asked for since. Random faults hardly ever hit the moment, so this one lies
//! in wait for it.

use super::message::{Call, Message};
use super::world::{Event, World};
use super::{MAX_LAG_MS, SESSION_MS};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ambush {
    /// A leader asks the controller to let a follower join.
    Join,
    /// A follower says how far it is.
    Fetch,
    /// A leader asks the controller to let a follower join, and what it asked arrives once more when that has left again.
    Echo,
}

impl World {
    /// Lies in wait for one of the moments.
    pub(super) fn lie_in_wait(&mut self) {
        self.ambush = Some(if self.random.bool() { Ambush::Join } else { Ambush::Fetch });
    }

    /// Whether the message is the one that was waited for. It arrives late then: after the follower has come back with an
    /// empty disk, which cannot fetch yet; and the leader may not live much longer.
    pub(super) fn springs(&mut self, from: usize, to: usize, message: &Message) -> bool {
        let Some(ambush) = self.ambush else { return false };
        if ambush == Ambush::Echo {
            self.echoes(from, to, message);
            return false;
        }
        let (victim, leader) = match (ambush, message) {
            (Ambush::Join, Message::Call { call: Call::Alter { .. }, .. }) => {
                (self.joining(from, message), from)
            }
            (Ambush::Fetch, Message::Fetch { parts, .. }) => {
                let has_some = parts.iter().any(|(_, position)| position.offset > 0);
                (has_some.then_some(from), to)
            }
            _ => return false,
        };
        let Some(victim) = victim.filter(|victim| *victim != leader) else { return false };
        if self.healed || self.machines[victim].process.is_none() || !self.is_spare(victim) {
            return false;
        }
        self.ambush = None;
        // The empty disk is registered once the session of its predecessor has ended; a leader proposes anew before long.
        let delay = match ambush {
            Ambush::Join => self.random.u64(SESSION_MS..SESSION_MS + 450),
            Ambush::Fetch | Ambush::Echo => self.random.u64(SESSION_MS + 200..SESSION_MS + 2_000),
        };
        self.say(|| format!("{ambush:?} of {victim} at {leader} arrives in {delay} ms"));
        self.at(delay, Event::Arrives { from, to, message: message.clone() });
        self.replace_disk(victim, 60);
        let until = self.now() + delay + self.random.u64(50..600);
        self.network.cut(victim, leader, until);
        if self.random.bool() {
            let delay = delay + self.random.u64(5..300);
            self.at(delay, Event::Ambushed(leader));
        }
        true
    }

    /// Has a copy of the message arrive late, if it is the one that was waited for: the follower hears nothing meanwhile, is in
    /// sync no more, and is asked to lead.
    fn echoes(&mut self, leader: usize, to: usize, message: &Message) {
        let Some(joins) = self.joining(leader, message).filter(|_| !self.healed) else { return };
        self.ambush = None;
        // It joins; then it takes as long as a follower may lag until the leader sees that it is gone.
        let (joined, lag) = (self.random.u64(30..150), MAX_LAG_MS as u64);
        let delay = joined + self.random.u64(lag + 100..2 * lag + 500);
        self.say(|| format!("that {joins} is in sync with {leader} is heard again in {delay} ms"));
        self.at(joined, Event::Cut(leader, joins, delay + 100));
        self.at(delay, Event::Arrives { from: leader, to, message: message.clone() });
        let elected = delay + self.random.u64(5..60);
        self.at(elected, Event::Drain(self.all_but(joins)));
    }

    /// A broker that a leader wants to be in sync, and which was not.
    fn joining(&self, leader: usize, message: &Message) -> Option<usize> {
        let Message::Call { call: Call::Alter { changes, .. }, .. } = message else { return None };
        let image = &self.machines[leader].process.as_ref()?.applied;
        let added = changes.iter().find_map(|change| {
            let topic = image.topic_by_id(&change.topic_id)?;
            let known = topic.partitions.get(usize::try_from(change.partition).ok()?)?;
            let joins = |of: &&(i32, i64)| !known.isr.contains(&of.0);
            change.isr.iter().find(joins).map(|of| of.0)
        });
        added.and_then(|id| usize::try_from(id).ok()).filter(|id| *id < self.machines.len())
    }
}
