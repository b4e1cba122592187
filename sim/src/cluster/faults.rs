//! What goes wrong, and the end of it.

use quorum::controller::Reassignment;
use quorum::node::Input;

use super::ambush::Ambush;
use super::machine::Machine;
use super::message::Call;
use super::scenario::Weights;
use super::world::{Event, World};
use super::{DATA_TOPIC, OFFSETS_TOPIC};

/// How long one machine stays down after everything else is healed: an election of the quorum, and a session's end.
const STRAGGLER_MS: u64 = 7_000;

impl World {
    /// One fault, and the time of the next.
    pub(super) fn fault(&mut self) -> Result<(), String> {
        if self.healed {
            return Ok(());
        }
        let delay = self.random.u64(20..self.plan.fault_every_ms);
        self.at(delay, Event::Fault);
        let mut weights = self.plan.scenario.weights();
        let victim = self.victim();
        let until = self.now() + self.random.u64(50..4_000);
        let mut up = self.machines[victim].process.is_some();
        if self.plan.one_at_a_time() {
            weights = Weights { all_power: 0, cut_call: 0, ..weights };
            up = up && self.is_spare(victim);
        }
        let mut draw = self.random.u32(..weights.sum().max(1));
        for (kind, weight) in weights.all() {
            if draw >= weight {
                draw -= weight;
                continue;
            }
            return match kind {
                "kill" if up => {
                    self.die(victim, false);
                    Ok(())
                }
                "power" if up => {
                    self.die(victim, true);
                    Ok(())
                }
                "all-power" => self.lose_power(),
                "cut-call" if up => {
                    let calls = self.machines[victim].disk.calls() + self.random.u64(1..40);
                    self.machines[victim].disk.stop_after_calls(calls);
                    Ok(())
                }
                "split" => self.split(victim, until),
                "cut" => self.cut_some(victim, until),
                "pause" => {
                    self.say(|| format!("{victim} pauses until {until}"));
                    self.machines[victim].paused_until = until;
                    Ok(())
                }
                "behind" => {
                    self.fall_behind(victim);
                    Ok(())
                }
                "clock" => self.jump(victim),
                "lost" => self.lose_disk(),
                "old" => self.old_disk(),
                "full" => self.fill_disk(victim),
                "sync" => {
                    self.say(|| format!("a sync of {victim} fails"));
                    self.machines[victim].disk.fail_syncs(1);
                    Ok(())
                }
                "slow" => {
                    self.machines[victim].sync_ms = self.random.u64(30..400);
                    self.at(self.machines[victim].sync_ms * 8, Event::Repaired(victim));
                    Ok(())
                }
                "stop" if up => self.stop(victim),
                "reassign" => self.reassign(),
                "elect" => self.elect(),
                "delete" => self.delete_topic(),
                "grow" => self.add_partition(),
                "ambush" => {
                    self.lie_in_wait();
                    Ok(())
                }
                "echo" => {
                    self.ambush = Some(Ambush::Echo);
                    Ok(())
                }
                "heir" => {
                    self.bequeath();
                    Ok(())
                }
                "resign" => {
                    let to = self.random.usize(..self.plan.voters) as i32;
                    let leader = self.controller().unwrap_or(victim);
                    let input =
                        if self.random.bool() { Input::Resign } else { Input::Transfer { to } };
                    self.hand_in(leader, vec![input])
                }
                _ => Ok(()),
            };
        }
        Ok(())
    }

    /// Leaders are where it hurts: of the quorum, of a partition, or anybody.
    fn victim(&mut self) -> usize {
        let anybody = self.random.usize(..self.machines.len());
        match self.random.u8(..3) {
            0 => self.controller().unwrap_or(anybody),
            1 => {
                let image = self.checker.metadata.newest();
                let leader = image.and_then(|image| Some(image.partition(DATA_TOPIC, 0)?.leader));
                leader.and_then(|leader| usize::try_from(leader).ok()).unwrap_or(anybody)
            }
            _ => anybody,
        }
    }

    /// The power fails everywhere, or in half of the machines.
    fn lose_power(&mut self) -> Result<(), String> {
        let all = self.random.bool();
        for machine in 0..self.machines.len() {
            if self.machines[machine].process.is_some() && (all || self.random.bool()) {
                self.die(machine, true);
            }
        }
        Ok(())
    }

    fn split(&mut self, victim: usize, until: u64) -> Result<(), String> {
        let all = self.machines.len();
        let everybody = all + self.clients.len() + 1;
        let mut group = vec![victim];
        for _ in 0..self.random.usize(0..=all / 2) {
            group.push(self.random.usize(..all));
        }
        // Clients are on either side.
        group.extend((all..everybody).filter(|_| self.random.bool()));
        self.say(|| format!("{group:?} are cut off until {until}"));
        self.network.split(&group, everybody, until);
        Ok(())
    }

    /// Single links break, one way.
    fn cut_some(&mut self, victim: usize, until: u64) -> Result<(), String> {
        let deaf = self.random.bool();
        for other in 0..self.machines.len() + self.clients.len() {
            if self.random.u8(..3) > 0 {
                let (from, to) = if deaf { (other, victim) } else { (victim, other) };
                self.network.cut(from, to, until);
            }
        }
        self.say(|| format!("{victim} is {} until {until}", if deaf { "deaf" } else { "mute" }));
        Ok(())
    }

    /// Two machines hear nothing of one another for so long.
    pub(super) fn cut_off(&mut self, one: usize, other: usize, ms: u64) {
        if !self.healed {
            self.network.cut_both(one, other, self.now() + ms);
        }
    }

    /// Others are given what these lead.
    pub(super) fn drain(&mut self, brokers: Vec<i32>) {
        if !self.healed {
            self.ask(Call::Drain(brokers));
        }
    }

    /// All machines but this one, as brokers.
    pub(super) fn all_but(&self, machine: usize) -> Vec<i32> {
        (0..self.machines.len() as i32).filter(|id| *id != machine as i32).collect()
    }

    /// Somebody sets the clock; or the machine was asleep, and its monotonic clock runs on.
    fn jump(&mut self, victim: usize) -> Result<(), String> {
        let wall = self.random.i64(-3_600_000..3_600_000);
        let asleep = if self.random.bool() { self.random.i64(0..6_000) } else { 0 };
        self.say(|| format!("{victim}'s clock jumps by {wall}, and {asleep}"));
        let of = &mut self.machines[victim];
        of.wall_offset_ms += wall;
        of.time.jump(asleep);
        Ok(())
    }

    /// Whether all that a machine has is on other disks as well, and the disk that was replaced last is known to be: only then may
    /// its own be lost.
    pub(super) fn is_spare(&mut self, victim: usize) -> bool {
        let Some(image) = self.checker.metadata.newest() else { return false };
        let mut partitions = image.topics().iter().flat_map(|topic| topic.partitions.iter());
        let id = victim as i32;
        let spare = image.topics().len() > 1
            && partitions.all(|of| of.isr.iter().any(|member| *member != id));
        let known = |machine: &Machine| {
            let broker = image.broker(machine.id as i32);
            let process = machine.process.as_ref();
            broker.is_some_and(|broker| {
                broker.directory_id == machine.directory_id
                    && process.is_some_and(|process| process.broker_epoch == broker.epoch)
            })
        };
        let known = self.machines.iter().all(|of| !of.replaced || known(of));
        let spare = spare && known && (victim >= self.plan.voters || self.voters_are_whole());
        if spare {
            self.machines.iter_mut().for_each(|of| of.replaced = false);
        }
        spare
    }

    /// Where a disk was replaced others fail, too, now and then: the empty one is asked first.
    fn and_others(&mut self, victim: usize) {
        if self.random.u8(..3) > 0 {
            return;
        }
        for machine in 0..self.machines.len() {
            let (dies, power) = (self.random.bool(), self.random.bool());
            if machine != victim && dies && self.machines[machine].process.is_some() {
                self.die(machine, power);
            }
        }
    }

    /// A machine comes back with an empty disk.
    fn lose_disk(&mut self) -> Result<(), String> {
        let victim = self.random.usize(..self.machines.len());
        if !self.is_spare(victim) {
            return Ok(());
        }
        self.replace_disk(victim, 2_000);
        self.and_others(victim);
        Ok(())
    }

    /// A machine goes down and comes back with an empty disk, after `longest` ms at most.
    pub(super) fn replace_disk(&mut self, victim: usize, longest: u64) {
        self.say(|| format!("{victim} loses its disk"));
        self.go_down(victim, false);
        let mut random = self.random.fork();
        let of = &mut self.machines[victim];
        of.new_disk(&mut random);
        of.replaced = true;
        self.report.lost_disks += 1;
        let delay = self.random.u64(1..longest);
        self.at(delay, Event::Start(victim));
    }

    /// Somebody copies a disk; or puts a copy back, made in an earlier life of the broker. (A copy of the same life cannot be told from
    /// the disk itself.) Voters must not be given old disks: they would break their word.
    fn old_disk(&mut self) -> Result<(), String> {
        if self.plan.machines == self.plan.voters {
            return Ok(());
        }
        let victim = self.random.usize(self.plan.voters..self.plan.machines);
        let epoch = |of: &Machine| of.process.as_ref().map_or(-1, |p| p.broker_epoch);
        let now = epoch(&self.machines[victim]);
        if self.machines[victim].backup.is_none() {
            if now >= 0 {
                let copy = self.machines[victim].disk.copy(self.random.u64(..));
                self.machines[victim].backup = Some((copy, now));
            }
            return Ok(());
        }
        if now < 0 || !self.is_spare(victim) {
            return Ok(());
        }
        let Some((disk, _)) = self.machines[victim].backup.take_if(|(_, then)| *then < now) else {
            // Another life is needed.
            self.die(victim, false);
            return Ok(());
        };
        self.say(|| format!("{victim} is given an old disk"));
        self.go_down(victim, false);
        let of = &mut self.machines[victim];
        of.disk = disk;
        of.replaced = true;
        self.report.old_disks += 1;
        let delay = self.random.u64(1..2_000);
        self.at(delay, Event::Start(victim));
        self.and_others(victim);
        Ok(())
    }

    fn fill_disk(&mut self, victim: usize) -> Result<(), String> {
        self.say(|| format!("{victim}'s disk is nearly full"));
        let room = self.random.usize(0..4_000);
        let disk = &self.machines[victim].disk;
        disk.set_capacity_bytes(disk.used_bytes() + room);
        let delay = self.random.u64(200..4_000);
        self.at(delay, Event::Repaired(victim));
        Ok(())
    }

    /// The last machine comes back. Its silence has not gone unnoticed.
    pub(super) fn straggler_comes(&mut self, machine: usize) -> Result<(), String> {
        let image = self.checker.metadata.newest();
        let broker = image.and_then(|image| image.broker(machine as i32));
        if broker.is_some_and(|broker| !broker.fenced) {
            return Err(format!("{machine} is silent for {STRAGGLER_MS} ms, and not fenced"));
        }
        self.absent = None;
        self.at(0, Event::Start(machine));
        Ok(())
    }

    pub(super) fn repaired(&mut self, machine: usize) {
        let sync_ms = self.plan.sync_ms;
        let of = &mut self.machines[machine];
        of.sync_ms = sync_ms;
        of.disk.set_capacity_bytes(usize::MAX);
    }

    fn any_partition(&mut self) -> (String, i32) {
        match self.random.i32(0..=self.plan.lanes()) {
            0 => (OFFSETS_TOPIC.to_owned(), 0),
            lane => {
                let (topic, index) = self.plan.lane(lane - 1);
                (topic.to_owned(), index)
            }
        }
    }

    /// A partition shall be elsewhere, or not after all.
    fn reassign(&mut self) -> Result<(), String> {
        let (topic, partition) = self.any_partition();
        let mut all: Vec<i32> = (0..self.plan.machines as i32).collect();
        self.random.shuffle(&mut all);
        all.truncate(self.plan.replication_factor);
        let replicas = (self.random.u8(..4) > 0).then_some(all);
        self.say(|| format!("{topic}-{partition} shall be on {replicas:?}"));
        self.report.reassignments += 1;
        self.ask(Call::Reassign(Reassignment { topic, partition, replicas }));
        Ok(())
    }

    fn elect(&mut self) -> Result<(), String> {
        let call = match self.random.u8(..3) {
            0 => Call::Elect(vec![self.any_partition()]),
            1 => Call::Balance,
            _ => Call::Drain(vec![self.random.i32(0..self.plan.machines as i32)]),
        };
        self.ask(call);
        Ok(())
    }

    pub(super) fn heal(&mut self) -> Result<(), String> {
        self.say(|| "everything is healed".to_owned());
        self.healed = true;
        (self.ambush, self.heir) = (None, None);
        self.admin.healed();
        self.network.heal();
        let straggler = self.random.usize(..self.machines.len());
        let straggler = (self.plan.straggler && self.voters_are_whole()).then_some(straggler);
        for machine in 0..self.machines.len() {
            self.machines[machine].paused_until = 0;
            self.machines[machine].behind_until = 0;
            if self.machines[machine].disk.stops() {
                // Whatever it was in the middle of, it ends here.
                self.die(machine, true);
            }
            self.machines[machine].disk.stop_after_calls(u64::MAX);
            self.machines[machine].disk.fail_syncs(0);
            self.repaired(machine);
            if straggler == Some(machine) {
                self.go_down(machine, false);
                self.absent = straggler;
                self.at(STRAGGLER_MS, Event::Straggler(machine));
            } else {
                self.at(1, Event::Start(machine));
            }
        }
        Ok(())
    }
}

impl Weights {
    fn all(&self) -> [(&'static str, u32); 23] {
        [
            ("kill", self.kill),
            ("power", self.power),
            ("all-power", self.all_power),
            ("cut-call", self.cut_call),
            ("split", self.split),
            ("cut", self.cut),
            ("pause", self.pause),
            ("clock", self.clock),
            ("lost", self.lost),
            ("old", self.old),
            ("ambush", self.ambush),
            ("full", self.full),
            ("sync", self.sync),
            ("slow", self.slow),
            ("stop", self.stop),
            ("reassign", self.reassign),
            ("elect", self.elect),
            ("resign", self.resign),
            ("delete", self.delete),
            ("grow", self.grow),
            ("behind", self.behind),
            ("echo", self.echo),
            ("heir", self.heir),
        ]
    }

    fn sum(&self) -> u32 {
        self.all().iter().map(|(_, weight)| weight).sum()
    }
}
