//! A machine's part in the metadata quorum.

use std::sync::Arc;

use quorum::MetadataImage;
use quorum::node::{Input, Output};
use quorum::raft::{Call as QuorumCall, Request, Response};

use super::Mistake;
use super::message::Message;
use super::world::{Event, Task, World};
use crate::network::Network;

impl World {
    pub(super) fn quorum_hears(
        &mut self,
        from: usize,
        to: usize,
        message: Message,
    ) -> Result<(), String> {
        let sender = from as i32;
        let input = match message {
            Message::QuorumRequest { id, bytes } => {
                let request = Request::from_bytes(&bytes).map_err(|e| e.to_string())?;
                let lost = matches!(request.call, QuorumCall::FetchSnapshot { .. });
                if lost && self.has(Mistake::NoSnapshots) {
                    return Ok(());
                }
                Input::Request { from: sender, id, request }
            }
            Message::QuorumResponse { id, bytes } => {
                let response = Response::from_bytes(&bytes).map_err(|e| e.to_string())?;
                Input::Response { from: sender, id, response }
            }
            _ => return Ok(()),
        };
        self.hand_in(to, vec![input])
    }

    /// Gives a machine's node of the quorum its inputs, and does what it wants.
    pub(super) fn hand_in(&mut self, machine: usize, inputs: Vec<Input>) -> Result<(), String> {
        let now = self.now();
        let of = &mut self.machines[machine];
        let clock = of.mono(now);
        let faulty = of.disk.stops() || of.disk.is_faulty();
        let stops = of.disk.stops();
        let Some(process) = &mut of.process else { return Ok(()) };
        let epoch = process.quorum.epoch();
        match process.quorum.handle_all(clock, inputs, &mut self.entropy) {
            Ok(outputs) => self.take_outputs(machine, outputs)?,
            Err(e) if faulty => {
                self.say(|| format!("{machine}'s quorum node stops: {e}"));
                self.replies.lock().retain(|(of, ..)| *of != machine);
                self.die(machine, stops);
                return Ok(());
            }
            Err(e) => return Err(format!("machine {machine}: {e}")),
        }
        self.take_replies(machine, epoch)?;
        // The metadata may have been the first to find the disk full.
        self.look_at_gate(machine);
        let of = &mut self.machines[machine];
        if let Some(process) = &of.process {
            if process.quorum.is_active() {
                let told = self.checker.notes.answers(&process.quorum);
                told.map_err(|e| format!("new controller {machine}: {e}"))?;
            }
            of.alarm += 1;
            let delay = process.quorum.deadline_ms().saturating_sub(clock).clamp(1, 10_000);
            let (life, alarm) = (of.life, of.alarm);
            self.at(delay, Event::Alarm { machine, life, alarm });
        }
        Ok(())
    }

    fn take_outputs(&mut self, machine: usize, outputs: Vec<Output>) -> Result<(), String> {
        for output in outputs {
            match output {
                Output::Request { to, id, request } => {
                    let to = to as usize;
                    if to >= self.machines.len() {
                        continue;
                    }
                    let bytes = request.to_bytes();
                    self.send(machine, to, Message::QuorumRequest { id, bytes });
                    let alive = self.machines[to].process.is_some();
                    if let Some(why) = Network::gives_up(&mut self.random, alive) {
                        self.at(2, Event::QuorumFailed { from: machine, to, id, why });
                    }
                }
                Output::Response { to, id, response } => {
                    let bytes = response.to_bytes();
                    self.send(machine, to as usize, Message::QuorumResponse { id, bytes });
                }
                Output::Published(image) => {
                    self.say_changes(&image);
                    let of = &mut self.machines[machine];
                    let before = std::mem::replace(&mut of.published, image.offset());
                    let Some(process) = &mut of.process else { continue };
                    let checked = self.checker.metadata.published(&process.quorum, &image, before);
                    checked.map_err(|e| format!("machine {machine}: {e}"))?;
                    self.checker.topics.published(&image)?;
                    process.newest = Arc::clone(&image);
                    if !std::mem::replace(&mut process.applying, true) {
                        let delay = self.random.u64(0..8);
                        self.task(machine, delay, Task::Apply);
                    }
                }
                Output::Done(done) => done.call(),
                Output::LeaderChanged { leader, epoch } => {
                    self.say(|| format!("{machine} sees controller {leader:?} in epoch {epoch}"));
                    if let Some(leader) = leader {
                        self.checker.metadata.leads(leader, epoch)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What is new in the metadata, of partitions and brokers.
    fn say_changes(&self, image: &MetadataImage) {
        let Some(known) = self.checker.metadata.newest() else { return };
        if image.offset() <= known.offset() {
            return;
        }
        for topic in image.topics().iter() {
            for (index, of) in topic.iter() {
                if known.partition(&topic.name, index) != Some(of) {
                    self.say(|| format!("  {}-{index} is {of:?}", topic.name));
                }
            }
        }
        for broker in image.brokers().filter(|of| known.broker(of.id) != Some(*of)) {
            let (id, epoch, fenced) = (broker.id, broker.epoch, broker.fenced);
            self.say(|| format!("  broker {id} of epoch {epoch} is fenced: {fenced}"));
        }
    }

    /// The machine whose controller leads in the newest epoch, if any believes to.
    pub(super) fn controller(&self) -> Option<usize> {
        let active = self.machines.iter().filter_map(|machine| {
            let process = machine.process.as_ref()?;
            process.quorum.is_active().then(|| (process.quorum.epoch(), machine.id))
        });
        active.max().map(|(_, id)| id)
    }
}
