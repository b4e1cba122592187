//! [`Heir`]: leadership goes to who has what nobody else has, and goes on before anybody has fetched it.
//!
//! What such an heir has is not committed, whoever wrote it: who serves it tells what will not have been. Random faults hardly ever
//! keep it from the others for long enough to be asked for it.

use super::message::Key;
use super::world::{Event, World};
use super::{MAX_LAG_MS, OFFSETS_TOPIC};

/// Who shall lead the groups, and then who.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heir {
    first: usize,
    second: usize,
}

impl World {
    /// The coordinator's leadership goes to a replica that has more than the third.
    pub(super) fn bequeath(&mut self) {
        let isr = self.checker.metadata.newest().and_then(|image| {
            let of = image.partition(OFFSETS_TOPIC, 0)?;
            let others = of.isr.iter().filter(|id| **id != of.leader);
            let others: Vec<usize> = others.filter_map(|id| usize::try_from(*id).ok()).collect();
            Some((usize::try_from(of.leader).ok()?, others))
        });
        let Some((leader, mut others)) = isr else { return };
        self.random.shuffle(&mut others);
        let [first, second, ..] = others[..] else { return };
        // For so long what is written reaches the first alone. Who hears nothing for longer is in sync no more.
        let alone = self.random.u64(20..MAX_LAG_MS as u64 / 2);
        self.say(|| format!("{first} shall inherit from {leader}, and {second} from {first}"));
        self.network.cut_both(leader, second, self.now() + alone + 200);
        self.heir = Some(Heir { first, second });
        self.at(alone, Event::Drain(self.all_but(first)));
    }

    /// The heir leads: it is alone with what it has, clients ask it, and it leads no longer.
    pub(super) fn inherits(&mut self, machine: usize, key: Key) {
        let Some(Heir { first, second }) = self.heir.filter(|heir| heir.first == machine) else {
            return;
        };
        let hosted = self.machines[first].process.as_ref().and_then(|of| of.partitions.get(&key));
        if self.healed || !hosted.is_some_and(|hosted| hosted.is_offsets()) {
            return;
        }
        self.heir = None;
        let leads = self.random.u64(50..MAX_LAG_MS as u64);
        for other in (0..self.machines.len()).filter(|other| *other != first) {
            self.network.cut_both(first, other, self.now() + leads + 200);
        }
        self.at(leads, Event::Drain(self.all_but(second)));
    }
}
