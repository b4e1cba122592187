//! Three nodes, a controller, a network that delays and loses, and what must hold in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use protocol::records::{Batch, BatchBuilder, Compression};
use replica::{
    Assignment, Divergence, FetchPosition, FollowerFetch, FromLeader, IsrOutcome, IsrProposal,
    NextFetch, Registration, Rules, TakeError,
};

use crate::node::Node;

pub(crate) const NODES: usize = 3;

/// How a run is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) flush_before_ack: bool,
    pub(crate) power_loss: bool,
    pub(crate) min_insync_replicas: usize,
}

/// What a leader answers.
enum Body {
    Records { high_watermark: i64, start: i64, records: Bytes },
    Diverging(Divergence),
    OutOfRange { start: i64 },
}

struct Answer {
    to: usize,
    position: FetchPosition,
    body: Body,
}

pub(crate) struct World {
    random: fastrand::Rng,
    setup: Setup,
    nodes: Vec<Node>,
    now_ms: i64,
    /// What the controller has decided.
    truth: Assignment,
    /// Broker epochs by node, and whether the controller takes the node for alive.
    registered: Vec<(i64, bool)>,
    next_broker_epoch: i64,
    answers: Vec<Answer>,
    proposals: Vec<(usize, IsrProposal)>,
    produced: u64,
    /// Everything that some leader has ever called committed.
    committed: BTreeMap<i64, Bytes>,
    /// By leader epoch: how far its high watermark has come.
    marks: BTreeMap<(i32, i32), i64>,
    pub(crate) elections: u32,
    pub(crate) truncations: u32,
    pub(crate) resets: u32,
}

impl World {
    pub(crate) fn new(seed: u64, setup: Setup) -> Self {
        let all: Arc<[i32]> = (0..NODES as i32).collect();
        let truth = Assignment {
            leader: 0,
            leader_epoch: 0,
            partition_epoch: 0,
            replicas: Arc::clone(&all),
            isr: all,
        };
        let mut world = Self {
            random: fastrand::Rng::with_seed(seed),
            setup,
            nodes: (0..NODES).map(|id| Node::new(id as i32, seed)).collect(),
            now_ms: 0,
            truth,
            registered: vec![(0, true); NODES],
            next_broker_epoch: 1,
            answers: Vec::new(),
            proposals: Vec::new(),
            produced: 0,
            committed: BTreeMap::new(),
            marks: BTreeMap::new(),
            elections: 0,
            truncations: 0,
            resets: 0,
        };
        for node in 0..NODES {
            let rules = world.rules();
            world.nodes[node].start(rules, world.truth.clone(), 0);
        }
        world
    }

    fn rules(&self) -> Rules {
        Rules {
            min_insync_replicas: self.setup.min_insync_replicas,
            flush_before_ack: self.setup.flush_before_ack,
            max_lag_ms: 100,
            compacted: false,
        }
    }

    /// One random thing happens, and then everything is checked.
    pub(crate) fn step(&mut self) -> Result<(), String> {
        self.now_ms += self.random.i64(0..10);
        let node = self.random.usize(0..NODES);
        match self.random.u32(0..100) {
            0..20 => self.produce(node),
            20..35 => self.flush(node),
            35..60 => self.fetch(node),
            60..78 => self.answer(),
            78..84 => self.learn(node),
            84..89 => self.propose(node),
            89..93 => self.decide(),
            93..94 => self.checkpoint(node),
            94..95 => self.delete_records(node),
            95..97 => self.stop(node),
            97..98 => self.notice(node),
            _ => self.restart(node),
        }
        self.check()
    }

    fn produce(&mut self, node: usize) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let wanted = if self.random.bool() { -1 } else { 1 };
        if running.replica.admit(wanted).is_err() {
            return;
        }
        let mut builder = BatchBuilder::new(Compression::None);
        for _ in 0..self.random.usize(1..4) {
            self.produced += 1;
            let value = self.produced.to_string();
            builder.append(self.now_ms, None, Some(value.as_bytes()), &[]).unwrap();
        }
        let batch = Batch::parse(&builder.build().unwrap()).unwrap();
        let _ = running.replica.append(&batch, None, self.now_ms).unwrap();
    }

    /// Half of a flush at a time: others do things in between.
    fn flush(&mut self, node: usize) {
        let Some(running) = &mut self.nodes[node].running else { return };
        match running.flush.take() {
            Some(plan) => {
                let _ = running.replica.flushed(&plan);
            }
            None => {
                let plan = running.replica.log_mut().plan_flush();
                plan.run().unwrap();
                running.flush = Some(plan);
            }
        }
    }

    fn fetch(&mut self, node: usize) {
        let Some(running) = &self.nodes[node].running else { return };
        let NextFetch::From(position) = running.replica.next_fetch() else { return };
        let fetch = FollowerFetch {
            id: node as i32,
            broker_epoch: self.registered[node].0,
            leader_epoch: position.leader_epoch,
            offset: position.offset,
            last_fetched_epoch: position.last_fetched_epoch,
            log_start_offset: position.log_start_offset,
        };
        let (epoch, in_service) = self.registered[node];
        let registered = Some(Registration { epoch, in_service });
        let now_ms = self.now_ms;
        let max_bytes = self.random.usize(50..1_000);
        let Some(leader) = &mut self.nodes[position.leader as usize].running else { return };
        if leader.replica.note_fetch(&fetch, registered, now_ms).is_err() {
            return;
        }
        let log = leader.replica.log();
        let (start, end) = (log.start_offset(), log.end_offset());
        let divergence = leader.replica.divergence(position.last_fetched_epoch, position.offset);
        let body = if let Some(divergence) = divergence {
            Body::Diverging(divergence)
        } else if position.offset < start || position.offset > end {
            Body::OutOfRange { start }
        } else {
            let records = leader.read(position.offset, max_bytes);
            let high_watermark = leader.replica.high_watermark().offset;
            leader.replica.told(node as i32, high_watermark);
            Body::Records { high_watermark, start, records }
        };
        // Some answers are lost.
        if self.random.u32(0..10) > 0 {
            self.answers.push(Answer { to: node, position, body });
        }
    }

    fn answer(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let Answer { to, position, body } =
            self.answers.swap_remove(self.random.usize(0..self.answers.len()));
        let now_ms = self.now_ms;
        let Some(running) = &mut self.nodes[to].running else { return };
        let truncation = match body {
            Body::Records { high_watermark, start, records } => {
                let answer =
                    FromLeader { position, high_watermark, log_start_offset: start, records };
                let before = running.replica.log().start_offset();
                let taken = running.replica.take(&answer, now_ms);
                if running.replica.log().start_offset() > before {
                    running.checkpoint();
                }
                match taken {
                    Ok(_) => return,
                    Err(TakeError::BeforeStart { start }) => {
                        self.resets += 1;
                        running.replica.out_of_range(&position, start)
                    }
                    Err(error) => panic!("node {to} at {position:?}: {error}"),
                }
            }
            Body::Diverging(divergence) => {
                self.truncations += 1;
                running.replica.diverged(&position, divergence)
            }
            Body::OutOfRange { start } => {
                self.resets += 1;
                running.replica.out_of_range(&position, start)
            }
        };
        let Some(truncation) = truncation else { return };
        if running.replica.prepare(&truncation) {
            running.checkpoint();
            running.replica.truncate(&truncation, now_ms).unwrap();
        }
    }

    /// The metadata reaches a node.
    fn learn(&mut self, node: usize) {
        let (truth, now_ms) = (self.truth.clone(), self.now_ms);
        if let Some(running) = &mut self.nodes[node].running {
            let _ = running.replica.assign(truth, now_ms);
        }
    }

    fn propose(&mut self, node: usize) {
        let now_ms = self.now_ms;
        let registered = self.registered.clone();
        let Some(running) = &mut self.nodes[node].running else { return };
        let _ = running.replica.tick(now_ms);
        let eligible = |id: i32, epoch: i64| registered[id as usize] == (epoch, true);
        if let Some(proposal) = running.replica.propose(now_ms, eligible) {
            self.proposals.push((node, proposal));
        }
    }

    /// The controller takes a proposal; its answer may be lost, or the proposal before.
    fn decide(&mut self) {
        if self.proposals.is_empty() {
            return;
        }
        let at = self.random.usize(0..self.proposals.len());
        let (node, proposal) = self.proposals[at].clone();
        let fate = self.random.u32(0..10);
        // 0: no answer, and it stays on its way; 1: executed, and the answer is lost.
        let outcome = if fate == 0 { IsrOutcome::Unknown } else { self.alter(&proposal) };
        if fate != 0 {
            self.proposals.swap_remove(at);
        }
        let outcome = if fate == 1 { IsrOutcome::Unknown } else { outcome };
        let now_ms = self.now_ms;
        if let Some(running) = &mut self.nodes[node].running {
            let _ = running.replica.isr_answered(&proposal, outcome, now_ms);
        }
    }

    fn alter(&mut self, proposal: &IsrProposal) -> IsrOutcome {
        if proposal.leader_epoch != self.truth.leader_epoch
            || proposal.partition_epoch != self.truth.partition_epoch
        {
            return IsrOutcome::Unknown;
        }
        let leader = self.truth.leader;
        let fits = |(id, epoch): &(i32, i64)| {
            let (registered, alive) = self.registered[*id as usize];
            alive && (*id == leader || *epoch == registered || *epoch < 0)
        };
        let known = |(id, epoch): &(i32, i64)| *epoch >= 0 || self.truth.isr.contains(id);
        if !proposal.isr.iter().all(|member| fits(member) && known(member)) {
            return IsrOutcome::Refused;
        }
        self.truth.isr = proposal.isr.iter().map(|(id, _)| *id).collect();
        self.truth.partition_epoch += 1;
        IsrOutcome::Decided {
            leader,
            leader_epoch: self.truth.leader_epoch,
            partition_epoch: self.truth.partition_epoch,
            isr: self.truth.isr.to_vec(),
        }
    }

    fn checkpoint(&mut self, node: usize) {
        if let Some(running) = &self.nodes[node].running {
            running.checkpoint();
        }
    }

    fn delete_records(&mut self, node: usize) {
        let Some(running) = &mut self.nodes[node].running else { return };
        // A leader that the controller has replaced may not know it; what it deletes was committed all the same.
        if running.replica.is_leader() {
            let start = running.replica.log().start_offset();
            let end = running.replica.high_watermark().offset;
            let to = start + self.random.i64(0..=(end - start).clamp(0, 20));
            running.replica.log_mut().advance_start(to);
            running.checkpoint();
            running.replica.log_mut().apply_retention(end, self.now_ms).unwrap();
        }
    }

    fn stop(&mut self, node: usize) {
        let power = self.setup.power_loss && self.random.bool();
        // Now and then the power fails everywhere.
        if power && self.random.u32(0..4) == 0 {
            for node in &mut self.nodes {
                node.stop(true);
            }
        } else {
            self.nodes[node].stop(power);
        }
    }

    /// The controller sees that a node is gone.
    fn notice(&mut self, node: usize) {
        if self.nodes[node].running.is_none() {
            self.registered[node].1 = false;
            self.elect(node as i32);
        }
    }

    fn restart(&mut self, node: usize) {
        if self.nodes[node].running.is_some() {
            return;
        }
        // Registers: whatever it led it leads under a new epoch, if at all.
        self.registered[node] = (self.next_broker_epoch, false);
        self.next_broker_epoch += 1;
        self.elect(node as i32);
        self.registered[node].1 = true;
        if self.truth.leader < 0 {
            self.elect(-1);
        }
        let (rules, truth, now_ms) = (self.rules(), self.truth.clone(), self.now_ms);
        self.nodes[node].start(rules, truth, now_ms);
    }

    /// Takes `gone` out of the in-sync replicas unless it is the last, and gives the leadership to one that is alive.
    fn elect(&mut self, gone: i32) {
        let alive = |id: i32| self.registered[id as usize].1;
        if self.truth.isr.len() > 1 && self.truth.isr.contains(&gone) {
            let next: Arc<[i32]> =
                self.truth.isr.iter().copied().filter(|id| *id != gone).collect();
            self.truth.isr = next;
            self.truth.partition_epoch += 1;
        }
        if self.truth.leader == gone || self.truth.leader < 0 {
            let able: Vec<i32> = self.truth.isr.iter().copied().filter(|id| alive(*id)).collect();
            self.truth.leader = able.first().copied().unwrap_or(-1);
            self.truth.leader_epoch += 1;
            self.truth.partition_epoch += 1;
            self.elections += 1;
        }
    }

    fn check(&mut self) -> Result<(), String> {
        let running = || self.nodes.iter().filter_map(|n| Some((n.id, n.running.as_ref()?)));
        for (id, running) in running().filter(|(_, running)| running.replica.is_leader()) {
            let replica = &running.replica;
            let mark = replica.high_watermark().offset;
            let epoch = replica.assignment().leader_epoch;
            let known = self.marks.entry((id, epoch)).or_insert(mark);
            if mark < *known {
                return Err(format!("node {id}, epoch {epoch}: {known} was committed, now {mark}"));
            }
            *known = mark;
            let from = self.committed.last_key_value().map_or(0, |(last, _)| last + 1);
            let start = replica.log().start_offset();
            self.committed.extend(running.entries(from.max(start), mark));
        }
        let end = self.committed.last_key_value().map_or(0, |(last, _)| last + 1);
        for (id, running) in running() {
            let mark = running.replica.high_watermark().offset;
            if mark > running.replica.log().end_offset() {
                return Err(format!("node {id}: high watermark {mark} is past the log's end"));
            }
            if mark > end {
                return Err(format!("node {id} believes in {mark}, which nobody has committed"));
            }
        }
        Ok(())
    }

    /// Whether whoever leads has all that was ever committed. Reads whole logs: call now and then.
    pub(crate) fn check_leader(&self) -> Result<(), String> {
        for node in &self.nodes {
            let Some(running) = &node.running else { continue };
            let replica = &running.replica;
            let is_newest = replica.assignment().leader_epoch == self.truth.leader_epoch;
            let upper = if replica.is_leader() && is_newest {
                self.committed.last_key_value().map_or(0, |(last, _)| last + 1)
            } else {
                replica.high_watermark().offset
            };
            let (start, end) = (replica.log().start_offset(), replica.log().end_offset());
            if end < upper {
                return Err(format!("leader {} ends at {end}, {upper} was committed", node.id));
            }
            for (offset, value) in running.entries(start, upper.max(start)) {
                if self.committed.get(&offset).is_some_and(|committed| *committed != value) {
                    return Err(format!("node {}: another record at {offset}", node.id));
                }
            }
        }
        Ok(())
    }

    /// Everything works again: all nodes must come to hold the same.
    pub(crate) fn heal(&mut self) -> Result<(), String> {
        self.answers.clear();
        let now_ms = self.now_ms;
        for (node, proposal) in std::mem::take(&mut self.proposals) {
            if let Some(running) = &mut self.nodes[node].running {
                let _ = running.replica.isr_answered(&proposal, IsrOutcome::Unknown, now_ms);
            }
        }
        for node in 0..NODES {
            self.restart(node);
        }
        for round in 0..400 {
            self.now_ms += 20;
            for node in 0..NODES {
                self.learn(node);
                self.flush(node);
                self.flush(node);
                self.fetch(node);
                self.check()?;
                self.answers.retain(|answer| answer.to == node);
                self.answer();
                self.propose(node);
                while let Some((node, proposal)) = self.proposals.pop() {
                    let outcome = self.alter(&proposal);
                    let now_ms = self.now_ms;
                    if let Some(running) = &mut self.nodes[node].running {
                        let _ = running.replica.isr_answered(&proposal, outcome, now_ms);
                    }
                }
                self.check()?;
            }
            if round > 5 && self.is_whole() {
                return self.check_leader().and_then(|()| self.check_same());
            }
        }
        let state = self.nodes.iter().filter_map(|node| node.running.as_ref()).map(|running| {
            let replica = &running.replica;
            let log = replica.log();
            (log.start_offset(), log.end_offset(), replica.high_watermark().offset)
        });
        Err(format!("not whole again: {:?}, {:?}", self.truth, state.collect::<Vec<_>>()))
    }

    fn is_whole(&self) -> bool {
        let mut marks = self.nodes.iter().map(|node| {
            node.running.as_ref().map(|running| {
                let (log, mark) = (running.replica.log(), running.replica.high_watermark());
                (log.end_offset(), mark.offset)
            })
        });
        let first = marks.next().flatten();
        self.truth.isr.len() == NODES
            && first.is_some_and(|(end, mark)| end == mark)
            && marks.all(|mark| mark == first)
    }

    fn check_same(&self) -> Result<(), String> {
        let start = |running: &crate::node::Running| running.replica.log().start_offset();
        let running: Vec<_> = self.nodes.iter().filter_map(|node| node.running.as_ref()).collect();
        let from = running.iter().map(|running| start(running)).max().unwrap_or(0);
        let logs: Vec<_> = running
            .iter()
            .map(|running| running.entries(from, running.replica.log().end_offset()))
            .collect();
        if logs.iter().all(|log| *log == logs[0]) { Ok(()) } else { Err("logs differ".to_owned()) }
    }
}
