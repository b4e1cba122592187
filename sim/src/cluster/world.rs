//! [`World`]: time, events, what happens next.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::Uuid;
use quorum::node::Input;
use quorum::raft::NoAnswer;

use super::admin::Admin;
use super::ambush::Ambush;
use super::check::Checker;
use super::client::Client;
use super::heir::Heir;
use super::machine::{Machine, Process};
use super::message::{Call, Key, Message, Reply};
use super::scenario::Plan;
use super::{Bug, FAULTS_MS, HEAL_MS, Mistake, Report, Scenario};
use crate::network::{Network, Weather};
use crate::seams::Seeded;

/// What a process does by the clock.
#[derive(Debug, Clone, Copy)]
pub(super) enum Task {
    Apply,
    Flush(Key),
    Flushed(Key),
    Fetch(i32),
    FetchTimeout(i32, u64),
    PollTimeout,
    Retry(u64),
    Register,
    Beat,
    /// A heartbeat out of turn.
    TellWrites,
    /// Looks whether a full disk has room.
    Probe,
    Isr,
    LookAtIsr,
    LookAtIsrOnce,
    Load(Key),
    /// Deadlines of groups, under the leadership of this epoch.
    Groups(Key, i32),
    Duties,
    Housekeeping,
    ProduceTimeout(Key),
}

#[derive(Debug)]
pub(super) enum Event {
    Alarm {
        machine: usize,
        life: u64,
        alarm: u64,
    },
    Arrives {
        from: usize,
        to: usize,
        message: Message,
    },
    QuorumFailed {
        from: usize,
        to: usize,
        id: u64,
        why: NoAnswer,
    },
    Task {
        machine: usize,
        life: u64,
        task: Task,
    },
    Start(usize),
    Client(usize),
    Admin,
    Note,
    Fault,
    /// A disk has room again, and is as fast as it was.
    Repaired(usize),
    Straggler(usize),
    /// A leader dies at the wrong moment.
    Ambushed(usize),
    /// Two machines hear nothing of one another, for so long.
    Cut(usize, usize, u64),
    /// Some lose their leaderships.
    Drain(Vec<i32>),
    /// Who has them instead dies.
    OvertakerDies(usize),
    Heal,
}

/// Answers of the active controller that have not been sent yet: machine, who asked, request, answer.
pub(super) type Replies = Arc<Mutex<Vec<(usize, usize, u64, Reply)>>>;

/// Everything that there is.
pub(super) struct World {
    now: u64,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    pub(super) plan: Plan,
    pub(super) machines: Vec<Machine>,
    /// Their address in the network comes after the machines'; the last one is the administrator's.
    pub(super) clients: Vec<Client>,
    pub(super) admin: Admin,
    pub(super) network: Network,
    pub(super) random: fastrand::Rng,
    pub(super) entropy: Seeded,
    pub(super) replies: Replies,
    pub(super) checker: Checker,
    pub(super) report: Report,
    pub(super) bug: Option<Bug>,
    trace: bool,
    pub(super) healed: bool,
    pub(super) ambush: Option<Ambush>,
    pub(super) heir: Option<Heir>,
    /// A machine that stays down for a while, whoever wants to start it.
    pub(super) absent: Option<usize>,
}

impl World {
    pub(super) fn new(seed: u64, scenario: Scenario, bug: Option<Bug>, trace: bool) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut plan = Plan::new(scenario, &mut random);
        let machines: Vec<Machine> =
            (0..plan.machines).map(|id| Machine::new(id, seed, &mut random)).collect();
        plan.set_voters(&machines);
        let mut machines = machines;
        machines.iter_mut().for_each(|machine| machine.sync_ms = plan.sync_ms);
        let weather = match scenario {
            Scenario::Partitions | Scenario::Everything | Scenario::Elections => {
                Weather::of(&mut random)
            }
            _ if random.bool() => Weather::of(&mut random),
            _ => Weather::CALM,
        };
        let clients = Client::all(&plan);
        let entropy = Seeded(random.fork());
        Self {
            now: 0,
            events: BTreeMap::new(),
            next_event: 0,
            plan,
            machines,
            clients,
            admin: Admin::default(),
            network: Network::new(weather),
            random,
            entropy,
            replies: Replies::default(),
            checker: Checker::default(),
            report: Report::default(),
            bug,
            trace,
            healed: false,
            ambush: None,
            heir: None,
            absent: None,
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

    pub(super) fn has(&self, mistake: Mistake) -> bool {
        self.bug == Some(Bug::Broker(mistake))
    }

    pub(super) fn at(&mut self, delay: u64, event: Event) {
        self.events.insert((self.now + delay, self.next_event), event);
        self.next_event += 1;
    }

    pub(super) fn task(&mut self, machine: usize, delay: u64, task: Task) {
        let life = self.machines[machine].life;
        self.at(delay, Event::Task { machine, life, task });
    }

    pub(super) fn process(&mut self, machine: usize) -> Option<&mut Process> {
        self.machines[machine].process.as_mut()
    }

    pub(super) fn admin_address(&self) -> usize {
        self.machines.len() + self.clients.len()
    }

    pub(super) fn run(&mut self) -> Result<Report, String> {
        self.say(|| format!("{:?}", self.plan));
        for machine in 0..self.machines.len() {
            self.start(machine)?;
        }
        for client in 0..self.clients.len() {
            self.at(500 + client as u64, Event::Client(client));
        }
        self.at(200, Event::Admin);
        self.at(300, Event::Note);
        self.at(2_500, Event::Fault);
        self.at(FAULTS_MS, Event::Heal);
        let mut looked = 0;
        while let Some(((at, _), event)) = self.events.pop_first() {
            self.now = at;
            if at > FAULTS_MS + HEAL_MS && at > FAULTS_MS + self.heal_ms() {
                break;
            }
            self.happen(event)?;
            if let Some(what) = self.checker.violation.take() {
                return Err(what);
            }
            if self.healed && self.now >= looked + 100 {
                looked = self.now;
                if self.open_ends().is_none() {
                    return self.finish();
                }
            }
        }
        let what = self.open_ends().unwrap_or_default();
        for machine in &self.machines {
            self.say(|| machine.state());
        }
        let within = self.heal_ms();
        Err(format!("no progress within {within} ms after everything was healed: {what}"))
    }

    /// How long the cluster has to get on. Where replicas are filled at a bounded rate, also the time that it takes one machine
    /// to be filled with all there is, twice: what was copied may be given to another before it counts.
    fn heal_ms(&self) -> u64 {
        let Some(throttle) = self.plan.throttle else { return HEAL_MS };
        let processes = self.machines.iter().filter_map(|machine| machine.process.as_ref());
        let hosted = processes.flat_map(|process| process.partitions.values());
        let led = hosted.filter(|hosted| hosted.replica.is_leader());
        let bytes: u64 = led.map(|hosted| hosted.replica.log().size()).sum();
        HEAL_MS + throttle.ms_for(2 * bytes)
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        if let Some(machine) = self.concerns(&event)
            && self.machines[machine].paused_until > self.now
        {
            // A paused machine finds what came meanwhile when it goes on.
            let delay = self.machines[machine].paused_until - self.now;
            self.at(delay, event);
            return Ok(());
        }
        match event {
            Event::Alarm { machine, life, alarm } => {
                let of = &self.machines[machine];
                if (of.life, of.alarm) == (life, alarm) {
                    self.hand_in(machine, vec![Input::Tick])?;
                }
            }
            Event::Arrives { from, to, message } => {
                self.report.messages += 1;
                self.arrives(from, to, message)?;
            }
            Event::QuorumFailed { from, to, id, why } => {
                self.hand_in(from, vec![Input::RequestFailed { to: to as i32, id, why }])?;
            }
            Event::Task { machine, life, task } => {
                let of = &self.machines[machine];
                if of.life == life && of.process.is_some() {
                    self.do_task(machine, task)?;
                }
            }
            Event::Start(machine) => self.start(machine)?,
            Event::Client(client) => self.client_acts(client)?,
            Event::Admin => self.admin_acts()?,
            Event::Note => self.note()?,
            Event::Fault => self.fault()?,
            Event::Repaired(machine) => self.repaired(machine),
            Event::Straggler(machine) => self.straggler_comes(machine)?,
            Event::Ambushed(machine) => self.ambushed(machine),
            Event::Cut(one, other, ms) => self.cut_off(one, other, ms),
            Event::Drain(brokers) => self.drain(brokers),
            Event::OvertakerDies(machine) => self.overtaker_dies(machine),
            Event::Heal => self.heal()?,
        }
        Ok(())
    }

    /// The machine that something happens on.
    fn concerns(&self, event: &Event) -> Option<usize> {
        let machine = match event {
            Event::Alarm { machine, .. } | Event::Task { machine, .. } => *machine,
            Event::Arrives { to, .. } => *to,
            Event::QuorumFailed { from, .. } => *from,
            Event::Start(machine) => *machine,
            _ => return None,
        };
        (machine < self.machines.len()).then_some(machine)
    }

    fn do_task(&mut self, machine: usize, task: Task) -> Result<(), String> {
        match task {
            Task::Apply => self.apply(machine),
            Task::Flush(key) => self.flush(machine, key),
            Task::Flushed(key) => self.flushed(machine, key),
            Task::Fetch(leader) => self.fetch_round(machine, leader),
            Task::FetchTimeout(leader, id) => self.fetch_timeout(machine, leader, id),
            Task::PollTimeout => self.look_at_polls(machine, None),
            Task::Retry(id) => self.retry_call(machine, id),
            Task::Register => self.register(machine),
            Task::Beat => self.beat(machine),
            Task::TellWrites => self.tell_writes(machine),
            Task::Probe => self.probe(machine),
            Task::Isr => self.propose_isr(machine, false),
            Task::LookAtIsrOnce => self.propose_isr(machine, true),
            Task::LookAtIsr => {
                let period = (super::MAX_LAG_MS / 2).clamp(50, 5_000) as u64;
                self.task(machine, period, Task::LookAtIsr);
                self.propose_isr(machine, true)
            }
            Task::Load(key) => self.load_coordinator(machine, key),
            Task::Groups(key, epoch) => self.tick_groups(machine, key, epoch),
            Task::Duties => self.duties(machine),
            Task::Housekeeping => self.housekeeping(machine),
            Task::ProduceTimeout(key) => self.produce_timeout(machine, key),
        }
    }

    fn arrives(&mut self, from: usize, to: usize, message: Message) -> Result<(), String> {
        if to == self.admin_address() {
            return self.admin_hears(message);
        }
        if to >= self.machines.len() {
            return self.client_hears(to - self.machines.len(), from, message);
        }
        if self.machines[to].process.is_none() {
            return Ok(());
        }
        match message {
            Message::QuorumRequest { .. } | Message::QuorumResponse { .. } => {
                self.quorum_hears(from, to, message)
            }
            // A dead process's registration that arrives after its successor's costs eligibility, because it remembers less: safe,
            // but a partition may be left without anybody to lead it. A connection that dies with its process hardly ever
            // delivers one so late, so here it never does.
            Message::Call { call: Call::Register { incarnation, .. }, .. }
                if self.process(from).is_none_or(|process| process.incarnation != incarnation) =>
            {
                Ok(())
            }
            Message::Call { id, call } => self.propose_call(to, from, id, call),
            Message::Reply { id, reply } => self.replied(to, id, reply),
            Message::Fetched { id, parts } => self.fetched(to, from as i32, id, parts),
            other => self.serve(to, from, other),
        }
    }

    /// Sends over the network; to itself at once.
    pub(super) fn send(&mut self, from: usize, to: usize, message: Message) {
        if from == to {
            return self.at(0, Event::Arrives { from, to, message });
        }
        if self.springs(from, to, &message) {
            return;
        }
        for delay in self.network.delays(self.now, from, to, &mut self.random) {
            self.at(delay, Event::Arrives { from, to, message: message.clone() });
        }
    }

    pub(super) fn start(&mut self, machine: usize) -> Result<(), String> {
        if self.machines[machine].process.is_some() || self.absent == Some(machine) {
            return Ok(());
        }
        let incarnation = Uuid::from_random(self.random.u128(..));
        let (now, plan, bug) = (self.now, self.plan.clone(), self.bug);
        let started = self.machines[machine].start(now, &plan, bug, incarnation);
        if let Err(what) = started {
            self.say(|| format!("{machine} cannot start: {what}"));
            let of = &self.machines[machine];
            if of.disk.is_faulty() || of.disk.stops() {
                self.machines[machine].disk.kill();
                self.at(200, Event::Start(machine));
                return Ok(());
            }
            return Err(what);
        }
        self.say(|| format!("{machine} starts"));
        for (delay, task) in [
            (1, Task::Register),
            (50, Task::LookAtIsr),
            (100, Task::Duties),
            (400, Task::Housekeeping),
        ] {
            self.task(machine, delay, task);
        }
        self.hand_in(machine, vec![Input::Tick])
    }

    /// A machine goes down: the process alone, or with the power; it comes back later.
    pub(super) fn die(&mut self, machine: usize, power: bool) {
        self.machines[machine].replaced |= self.plan.one_at_a_time();
        self.say(|| format!("{machine} dies{}", if power { " of a power failure" } else { "" }));
        self.go_down(machine, power);
        self.report.deaths += 1;
        let longest = if self.random.bool() { 100 } else { 4_000 };
        let delay = if self.healed { 1 } else { self.random.u64(1..longest) };
        self.at(delay, Event::Start(machine));
    }

    pub(super) fn go_down(&mut self, machine: usize, power: bool) {
        let of = &mut self.machines[machine];
        of.process = None;
        // What is drawn up of the machine's earlier life is void.
        of.life += 1;
        if power {
            of.disk.crash();
        } else {
            of.disk.kill();
        }
    }

    fn finish(&mut self) -> Result<Report, String> {
        self.check_logs()?;
        self.report.elections = self.checker.elections();
        self.report.controllers = self.checker.metadata.leaders.len() as u32;
        self.report.acknowledged = self.checker.acknowledged();
        self.report.deleted_topics = self.checker.topics.deleted();
        self.report.added_partitions = self.checker.topics.added;
        self.report.assignments = self.checker.groups.count;
        self.report.simulated_ms = self.now;
        Ok(self.report)
    }
}
