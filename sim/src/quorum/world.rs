//! [`World`]: time, events, what happens next.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorum::node::{Input, Output};
use quorum::raft::{Answer, NoAnswer, Request, Response, Voter};

use super::check::Checker;
use super::client::Answers;
use super::faults::{Admin, Fault};
use super::machine::Machine;
use super::{Bug, FAULTS_MS, HEAL_MS, Report};
use crate::network::{Network, Weather};
use crate::seams::Seeded;

/// How the cluster is made.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) voters: usize,
    pub(super) initial_voters: Vec<Voter>,
    pub(super) compact_from_bytes: u64,
    pub(super) max_fetch_bytes: usize,
    /// Whether the voters' directory ids are known from the start: only then may disks be lost.
    pub(super) directories_known: bool,
    /// Whether new leaders are cut off at once, again and again.
    pub(super) ambush: bool,
    /// The longest pause between two faults, in milliseconds.
    pub(super) fault_every_ms: u64,
}

#[derive(Debug)]
pub(super) enum Event {
    Alarm { machine: usize, life: u64, alarm: u64 },
    Request { from: usize, to: usize, id: u64, bytes: Bytes },
    Response { from: usize, to: usize, id: u64, bytes: Bytes },
    Failed { from: usize, to: usize, id: u64, why: NoAnswer },
    Start(usize),
    Propose,
    Fault,
    Ambush(usize),
    Admin,
    Heal,
}

/// Everything that there is.
#[derive(Debug)]
pub(super) struct World {
    now: u64,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    pub(super) plan: Plan,
    pub(super) machines: Vec<Machine>,
    pub(super) network: Network,
    pub(super) random: fastrand::Rng,
    entropy: Seeded,
    pub(super) answers: Answers,
    pub(super) checker: Checker,
    pub(super) report: Report,
    bug: Option<Bug>,
    trace: bool,
    next_note: u64,
    pub(super) healed: bool,
    /// The first number that was proposed after everything was healed.
    after_healing: u64,
}

impl World {
    pub(super) fn new(seed: u64, bug: Option<Bug>, trace: bool) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let voters = if random.bool() { 3 } else { 5 };
        let observers = random.usize(1..3);
        let machines: Vec<Machine> =
            (0..voters + observers).map(|id| Machine::new(id, seed, &mut random)).collect();
        let directories_known = random.u8(..5) > 0;
        let voter = |machine: &Machine| match directories_known {
            true => machine.replica(),
            false => Voter { directory_id: Default::default(), ..machine.replica() },
        };
        let ambush = random.u8(..3) == 0;
        let plan = Plan {
            voters,
            initial_voters: machines.iter().take(voters).map(voter).collect(),
            compact_from_bytes: [1_500, 6_000, u64::MAX / 4][random.usize(..3)],
            max_fetch_bytes: if ambush { 1 } else { [1, 300, 1 << 20][random.usize(..3)] },
            directories_known,
            ambush,
            fault_every_ms: if ambush { 3000 } else { [150, 500, 1500][random.usize(..3)] },
        };
        let network = Network::new(Weather::of(&mut random));
        let entropy = Seeded(random.fork());
        Self {
            now: 0,
            events: BTreeMap::new(),
            next_event: 0,
            plan,
            machines,
            network,
            random,
            entropy,
            answers: Answers::default(),
            checker: Checker::default(),
            report: Report::default(),
            bug,
            trace,
            next_note: 0,
            healed: false,
            after_healing: u64::MAX,
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// What a person needs to follow a run.
    pub(super) fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>6} {}", self.now, what());
        }
    }

    pub(super) fn at(&mut self, delay: u64, event: Event) {
        self.events.insert((self.now + delay, self.next_event), event);
        self.next_event += 1;
    }

    pub(super) fn run(&mut self) -> Result<Report, String> {
        self.say(|| format!("{:?}", self.plan));
        for machine in 0..self.machines.len() {
            self.start(machine)?;
        }
        self.at(100, Event::Propose);
        self.at(200, Event::Fault);
        self.at(300, Event::Admin);
        self.at(FAULTS_MS, Event::Heal);
        while let Some(((at, _), event)) = self.events.pop_first() {
            self.now = at;
            if at > FAULTS_MS + HEAL_MS {
                return self.not_done();
            }
            self.happen(event)?;
            if self.is_done() {
                return self.finish();
            }
        }
        self.not_done()
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Alarm { machine, life, alarm } => {
                let of = &self.machines[machine];
                if (of.life, of.alarm) == (life, alarm) {
                    self.hand_in(machine, vec![Input::Tick])?;
                }
            }
            Event::Request { from, to, id, ref bytes } => {
                if self.is_away(to, &event) {
                    return self.postpone(to, event);
                }
                let request = Request::from_bytes(bytes).map_err(|e| e.to_string())?;
                self.report.messages += 1;
                self.hand_in(to, vec![Input::Request { from: from as i32, id, request }])?;
            }
            Event::Response { from, to, id, ref bytes } => {
                if self.is_away(to, &event) {
                    return self.postpone(to, event);
                }
                let response = Response::from_bytes(bytes).map_err(|e| e.to_string())?;
                self.report.messages += 1;
                self.hand_in(to, vec![Input::Response { from: from as i32, id, response }])?;
            }
            Event::Failed { from, to, id, why } => {
                self.hand_in(from, vec![Input::RequestFailed { to: to as i32, id, why }])?;
            }
            Event::Start(machine) => self.start(machine)?,
            Event::Propose => self.propose()?,
            Event::Fault => Fault::happen(self)?,
            Event::Ambush(machine) => Fault::isolate(self, machine),
            Event::Admin => Admin::act(self)?,
            Event::Heal => self.heal()?,
        }
        Ok(())
    }

    fn is_away(&self, machine: usize, _: &Event) -> bool {
        self.machines[machine].paused_until > self.now
    }

    /// A paused machine finds what came meanwhile when it goes on.
    fn postpone(&mut self, machine: usize, event: Event) -> Result<(), String> {
        let delay = self.machines[machine].paused_until - self.now;
        self.at(delay, event);
        Ok(())
    }

    /// Gives a node its inputs, and does what it wants.
    pub(super) fn hand_in(&mut self, machine: usize, inputs: Vec<Input>) -> Result<(), String> {
        let of = &mut self.machines[machine];
        if of.node.is_none() {
            return Ok(());
        }
        if of.paused_until > self.now {
            let delay = of.paused_until - self.now;
            let (life, alarm) = (of.life, of.alarm);
            self.at(delay, Event::Alarm { machine, life, alarm });
            return Ok(());
        }
        let clock = of.clock(self.now);
        let Some(node) = &mut of.node else { return Ok(()) };
        let (stops, epoch) = (of.disk.stops(), node.epoch());
        match node.handle_all(clock, inputs, &mut self.entropy) {
            Ok(outputs) => self.take_outputs(machine, outputs)?,
            Err(_) if stops => return self.die(machine, true),
            Err(e) => return Err(format!("machine {machine}: {e}")),
        }
        self.take_answers(epoch)?;
        let of = &mut self.machines[machine];
        if let Some(node) = &of.node {
            if node.is_active() {
                self.checker.answers(node).map_err(|e| format!("new leader {machine}: {e}"))?;
            }
            of.alarm += 1;
            let delay = node.deadline_ms().saturating_sub(clock).clamp(1, 10_000);
            let (life, alarm) = (of.life, of.alarm);
            self.at(delay, Event::Alarm { machine, life, alarm });
        }
        Ok(())
    }

    fn take_outputs(&mut self, machine: usize, outputs: Vec<Output>) -> Result<(), String> {
        for output in outputs {
            match output {
                Output::Request { to, id, request } => {
                    let bytes = request.to_bytes();
                    self.say(|| {
                        format!("{machine} → {to} {id:x} {:?} {:?}", request.epoch, request.call)
                    });
                    let to = to as usize;
                    self.send(
                        machine,
                        to,
                        |bytes| Event::Request { from: machine, to, id, bytes },
                        bytes,
                    );
                    let alive = self.machines.get(to).is_some_and(|of| of.node.is_some());
                    if let Some(why) = Network::gives_up(&mut self.random, alive) {
                        self.at(2, Event::Failed { from: machine, to, id, why });
                    }
                }
                Output::Response { to, id, response } => {
                    self.report.snapshots += u32::from(is_last_part(&response));
                    self.say(|| {
                        format!(
                            "{machine} ⇢ {to} {id:x} {:?} {:?} {}",
                            response.epoch,
                            response.leader,
                            short(&response)
                        )
                    });
                    let (to, bytes) = (to as usize, response.to_bytes());
                    self.send(
                        machine,
                        to,
                        |bytes| Event::Response { from: machine, to, id, bytes },
                        bytes,
                    );
                }
                Output::Published(image) => {
                    let of = &mut self.machines[machine];
                    let before = std::mem::replace(&mut of.published, image.offset());
                    self.say(|| format!("{machine} committed {}", image.offset()));
                    if let Some(node) = &self.machines[machine].node {
                        self.checker
                            .metadata
                            .published(node, &image, before)
                            .map_err(|e| format!("machine {machine}: {e}"))?;
                    }
                }
                Output::Done(done) => done.call(),
                Output::LeaderChanged { leader, epoch } => {
                    self.say(|| format!("{machine} sees leader {leader:?} in epoch {epoch}"));
                    if let Some(leader) = leader {
                        self.checker.metadata.leads(leader, epoch)?;
                        if leader as usize == machine && self.plan.ambush {
                            Fault::ambush(self, machine);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, from: usize, to: usize, event: impl Fn(Bytes) -> Event, bytes: Bytes) {
        if to >= self.machines.len() {
            return;
        }
        for delay in self.network.delays(self.now, from, to, &mut self.random) {
            self.at(delay, event(bytes.clone()));
        }
    }

    pub(super) fn start(&mut self, machine: usize) -> Result<(), String> {
        if self.machines[machine].node.is_some() {
            return Ok(());
        }
        self.machines[machine].start(self.now, &self.plan, self.bug)?;
        self.say(|| format!("{machine} starts"));
        self.hand_in(machine, vec![Input::Tick])
    }

    /// A machine goes down: the process alone, or with the power; it comes back later.
    pub(super) fn die(&mut self, machine: usize, power: bool) -> Result<(), String> {
        self.say(|| format!("{machine} dies{}", if power { " of a power failure" } else { "" }));
        let of = &mut self.machines[machine];
        of.node = None;
        if power {
            of.disk.crash();
        } else {
            of.disk.kill();
        }
        self.report.deaths += 1;
        let longest = if self.random.bool() { 40 } else { 2500 };
        let delay = if self.healed { 1 } else { self.random.u64(1..longest) };
        self.at(delay, Event::Start(machine));
        Ok(())
    }

    /// The nodes that believe to lead.
    pub(super) fn leaders(&self) -> Vec<usize> {
        let leads = |machine: &&Machine| machine.node.as_ref().is_some_and(|node| node.is_active());
        self.machines.iter().filter(leads).map(|machine| machine.id).collect()
    }

    fn propose(&mut self) -> Result<(), String> {
        let leaders = self.leaders();
        let anybody = self.random.usize(..self.machines.len());
        let to = match self.random.u8(..10) {
            0 => anybody,
            _ => self.random.choice(leaders).unwrap_or(anybody),
        };
        let count = if self.random.u8(..5) == 0 { self.random.usize(2..5) } else { 1 };
        let inputs = (0..count).map(|_| {
            self.next_note += 1;
            self.answers.note(self.next_note)
        });
        let inputs = inputs.collect();
        self.hand_in(to, inputs)?;
        let delay = self.random.u64(10..120);
        self.at(delay, Event::Propose);
        Ok(())
    }

    /// What a node has just answered, in an epoch.
    fn take_answers(&mut self, epoch: i32) -> Result<(), String> {
        let notes = std::mem::take(&mut *self.answers.notes.lock());
        for (number, answer) in notes {
            if answer.is_ok() {
                self.say(|| format!("{number} is acknowledged"));
                self.checker.acknowledged.insert(number, epoch);
                let newer = self.machines.iter().filter_map(|machine| machine.node.as_ref());
                let newer = newer.filter(|node| node.is_active() && node.epoch() > epoch);
                self.checker.is_with_all(newer, number)?;
                self.report.acknowledged += 1;
            }
        }
        Ok(())
    }

    fn heal(&mut self) -> Result<(), String> {
        self.say(|| "everything is healed".to_owned());
        self.healed = true;
        self.after_healing = self.next_note + 1;
        self.network.heal();
        for machine in 0..self.machines.len() {
            self.machines[machine].paused_until = 0;
            self.machines[machine].disk.stop_after_calls(u64::MAX);
            self.at(1, Event::Start(machine));
        }
        Ok(())
    }

    /// Whether the healed cluster has got on: it answers, the voters are whole, and all nodes have the same.
    fn is_done(&self) -> bool {
        let nodes = || self.machines.iter().filter_map(|machine| machine.node.as_ref());
        self.healed
            && self.now > FAULTS_MS + 2000
            && self
                .checker
                .acknowledged
                .last_key_value()
                .is_some_and(|(last, _)| *last >= self.after_healing)
            && Admin::is_idle(self)
            && nodes().count() == self.machines.len()
            && nodes().all(|node| self.checker.has_all(node, i32::MAX).is_ok())
    }

    fn not_done(&mut self) -> Result<Report, String> {
        let rows: Vec<String> = self
            .machines
            .iter()
            .map(|machine| match &machine.node {
                None => "down".to_owned(),
                Some(node) => format!(
                    "leader {:?}, committed {}, end {}",
                    node.leader(),
                    node.image().offset(),
                    node.log().next_offset()
                ),
            })
            .collect();
        Err(format!("no progress within {HEAL_MS} ms after everything was healed: {rows:?}"))
    }

    fn finish(&mut self) -> Result<Report, String> {
        self.report.leaders = self.checker.metadata.leaders.len() as u32;
        self.report.simulated_ms = self.now;
        Ok(self.report)
    }
}

fn is_last_part(response: &Response) -> bool {
    matches!(&response.answer, Answer::Snapshot { position, total_bytes, bytes, .. }
        if position + bytes.len() as u64 == *total_bytes)
}

fn short(response: &Response) -> String {
    let mut text = format!("{:?}", response.answer);
    if let Some((at, _)) = text.char_indices().nth(160) {
        text.truncate(at);
    }
    text
}
