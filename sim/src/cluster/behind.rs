//! A machine that acts late on what it learns of the metadata, as one that has many logs to open.
//!
//! It may sleep through all of another's leadership, and be leader again: what it knew of its followers is void then. Random faults
//! hardly ever bring that about, so the others are helped to overtake it.

use super::world::{Event, World};
use super::{DATA_TOPIC, SESSION_MS};

impl World {
    /// From now on it acts on no metadata for a while.
    pub(super) fn fall_behind(&mut self, victim: usize) {
        let overtaken = self.random.bool();
        // Whoever overtakes it and dies is fenced at the end of a session, and it leads again.
        let least = if overtaken { SESSION_MS + 300 } else { 100 };
        let behind = self.random.u64(least..4_500);
        let until = self.now() + behind;
        self.say(|| format!("{victim} acts on no metadata until {until}"));
        self.machines[victim].behind_until = until;
        if !overtaken {
            return;
        }
        // Who leads next may not have all that the victim has.
        let next = self.random.usize(..self.machines.len());
        self.network.cut(victim, next, self.now() + 400);
        let taken = self.random.u64(20..350);
        self.at(taken, Event::Drain(vec![victim as i32]));
        let given_back = taken + self.random.u64(20..500);
        self.at(given_back, Event::OvertakerDies(victim));
        // Before its followers have fetched anything from it again, or after.
        let end = behind + self.random.u64(1..100);
        self.at(end, Event::Ambushed(victim));
    }

    /// Who leads in its place is gone again.
    pub(super) fn overtaker_dies(&mut self, victim: usize) {
        let leader = self.checker.metadata.newest().and_then(|image| {
            let leader = image.partition(DATA_TOPIC, 0)?.leader;
            usize::try_from(leader).ok().filter(|leader| *leader != victim)
        });
        if let Some(leader) = leader {
            self.ambushed(leader);
        }
    }

    /// It dies, at the wrong moment.
    pub(super) fn ambushed(&mut self, machine: usize) {
        let runs = !self.healed && self.machines[machine].process.is_some();
        if runs && (!self.plan.one_at_a_time() || self.is_spare(machine)) {
            self.die(machine, false);
        }
    }
}
