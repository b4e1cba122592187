//! What is asked of the active controller: on its way there, its decision, and the answer.

use protocol::{ErrorCode, Uuid};
use quorum::controller::{
    AllocateProducerIds, AlterPartition, AlterReassignments, BalanceLeaders, BrokerHeartbeat,
    CreatePartitions, CreateTopics, DeleteTopics, DrainLeaders, ElectLeaders, FenceSilentBrokers,
    IsrError, NewTopic, RegisterBroker, TopicRef,
};
use quorum::node::{Input, Proposal, ProposeError};

use super::message::{Call, Message, Reply};
use super::world::{Replies, Task, World};
use crate::quorum::client::Note;

/// Pause before a controller that refused or could not be reached is asked again.
const BACKOFF_MS: u64 = 50;
/// Longest wait for one answer.
const ATTEMPT_MS: u64 = 700;

/// What a process waits for.
#[derive(Debug, Clone)]
pub(super) struct PendingCall {
    pub(super) call: Call,
    pub(super) purpose: Purpose,
    deadline: u64,
    /// The attempt under way has been given up when this is over.
    until: u64,
}

/// What the answer is for.
#[derive(Debug, Clone)]
pub(super) enum Purpose {
    Register,
    Beat {
        stopping: bool,
    },
    /// A heartbeat out of turn: the next one says the same again.
    Tell,
    Isr(Vec<(super::message::Key, replica::IsrProposal)>),
}

impl World {
    /// Asks the active controller until `timeout`.
    pub(super) fn call(&mut self, machine: usize, call: Call, purpose: Purpose, timeout: u64) {
        let deadline = self.now() + timeout;
        self.attempt(machine, call, purpose, deadline);
    }

    fn attempt(&mut self, machine: usize, call: Call, purpose: Purpose, deadline: u64) {
        let until = (self.now() + ATTEMPT_MS).min(deadline);
        let now = self.now();
        let Some(process) = self.process(machine) else { return };
        let id = process.id();
        let leader = process.quorum.leader().map(|(leader, _)| leader as usize);
        let pending = PendingCall { call: call.clone(), purpose, deadline, until };
        process.calls.insert(id, pending);
        match leader {
            Some(to) => {
                self.task(machine, until - now, Task::Retry(id));
                self.send(machine, to, Message::Call { id, call });
            }
            None => {
                let delay = BACKOFF_MS.min(deadline - now);
                if let Some(process) = self.process(machine)
                    && let Some(pending) = process.calls.get_mut(&id)
                {
                    pending.until = now + delay;
                }
                self.task(machine, delay, Task::Retry(id));
            }
        }
    }

    /// An attempt has taken too long.
    pub(super) fn retry_call(&mut self, machine: usize, id: u64) -> Result<(), String> {
        let now = self.now();
        let Some(process) = self.process(machine) else { return Ok(()) };
        let Some(pending) = process.calls.get(&id) else { return Ok(()) };
        if now < pending.until {
            return Ok(());
        }
        let Some(pending) = process.calls.remove(&id) else { return Ok(()) };
        if now + BACKOFF_MS >= pending.deadline {
            return self.call_done(machine, pending, None);
        }
        self.attempt(machine, pending.call, pending.purpose, pending.deadline);
        Ok(())
    }

    pub(super) fn replied(&mut self, machine: usize, id: u64, reply: Reply) -> Result<(), String> {
        let now = self.now();
        let Some(process) = self.process(machine) else { return Ok(()) };
        if matches!(reply, Reply::NotController) {
            if let Some(pending) = process.calls.get_mut(&id) {
                pending.until = now + BACKOFF_MS;
                self.task(machine, BACKOFF_MS, Task::Retry(id));
            }
            return Ok(());
        }
        let Some(pending) = process.calls.remove(&id) else { return Ok(()) };
        self.call_done(machine, pending, Some(reply))
    }

    fn call_done(
        &mut self,
        machine: usize,
        pending: PendingCall,
        reply: Option<Reply>,
    ) -> Result<(), String> {
        match pending.purpose {
            Purpose::Register => self.registered(machine, reply),
            Purpose::Beat { stopping } => self.beaten(machine, stopping, reply),
            Purpose::Tell => Ok(()),
            Purpose::Isr(proposals) => self.isr_answered(machine, proposals, reply),
        }
    }

    /// A call has arrived at a machine whose controller may be active.
    pub(super) fn propose_call(
        &mut self,
        machine: usize,
        from: usize,
        id: u64,
        call: Call,
    ) -> Result<(), String> {
        let now_ms = self.machines[machine].mono(self.now());
        let told = Teller { replies: self.replies.clone(), machine, from, id };
        let gone = self.gone_topics(machine, &call);
        self.hand_in(machine, vec![Input::Propose(proposal(call, now_ms, told, gone))])
    }

    /// Sends what the controller of a machine has just answered.
    pub(super) fn take_replies(&mut self, machine: usize, epoch: i32) -> Result<(), String> {
        let replies = std::mem::take(&mut *self.replies.lock());
        for (at, from, id, reply) in replies {
            debug_assert_eq!(at, machine, "every node's answers are taken at once");
            if from == usize::MAX {
                continue; // the machine's own duties
            }
            if from == self.admin_address() {
                self.check_note(machine, epoch, id, &reply)?;
            }
            self.check_reply(machine, &reply)?;
            self.send(machine, from, Message::Reply { id, reply });
        }
        Ok(())
    }

    /// An acknowledged note is committed, and with every newer controller.
    fn check_note(
        &mut self,
        machine: usize,
        epoch: i32,
        id: u64,
        reply: &Reply,
    ) -> Result<(), String> {
        let Some(process) = &self.machines[machine].process else { return Ok(()) };
        let (Reply::Done, Some(number)) = (reply, self.admin.note_of(id)) else { return Ok(()) };
        if !crate::quorum::client::has_note(process.quorum.image(), number) {
            return Err(format!("{number} is acknowledged by {machine}, and not committed"));
        }
        self.checker.notes.acknowledged.insert(number, epoch);
        let nodes = self.machines.iter().filter_map(|machine| machine.process.as_ref());
        let newer = nodes.map(|process| &process.quorum);
        let newer = newer.filter(|node| node.is_active() && node.epoch() > epoch);
        self.checker.notes.is_with_all(newer, number)
    }

    /// What a controller answers is in what it knows to be committed.
    fn check_reply(&self, machine: usize, reply: &Reply) -> Result<(), String> {
        let Some(process) = &self.machines[machine].process else { return Ok(()) };
        let image = process.quorum.image();
        match reply {
            Reply::Registered(Ok(epoch)) if image.next_broker_epoch() <= *epoch => {
                Err(format!("registration {epoch} is acknowledged, and not committed"))
            }
            Reply::ProducerIds(first) if image.next_producer_id() <= *first => {
                Err(format!("producer ids from {first} are given, and not committed"))
            }
            Reply::Broken(what) => Err(format!("controller {machine}: {what}")),
            _ => Ok(()),
        }
    }

    /// What the active controller's node does by the clock.
    pub(super) fn duties(&mut self, machine: usize) -> Result<(), String> {
        self.task(machine, 250, Task::Duties);
        let now_ms = self.machines[machine].mono(self.now());
        let Some(process) = self.process(machine) else { return Ok(()) };
        if !process.quorum.is_active() {
            return Ok(());
        }
        let mut inputs = vec![Input::Propose(Proposal::new(FenceSilentBrokers { now_ms }, |_| {}))];
        if self.random.u8(..8) == 0 {
            let command = BalanceLeaders;
            inputs.push(Input::Propose(Proposal::new(command, |_| {})));
        }
        self.hand_in(machine, inputs)
    }
}

/// Whom to tell.
struct Teller {
    replies: Replies,
    machine: usize,
    from: usize,
    id: u64,
}

impl Teller {
    fn tell<A>(self, answer: Result<A, ProposeError>, reply: impl FnOnce(A) -> Reply) {
        let reply = match answer {
            Ok(answer) => reply(answer),
            Err(ProposeError::NotLeader { .. }) => Reply::NotController,
            Err(_) => Reply::Unknown,
        };
        self.replies.lock().push((self.machine, self.from, self.id, reply));
    }
}

fn proposal(call: Call, now_ms: u64, told: Teller, gone: Vec<Uuid>) -> Proposal {
    match call {
        Call::Register { broker, incarnation, directory, previous_epoch } => {
            let command = RegisterBroker {
                broker_id: broker,
                incarnation_id: incarnation,
                directory_id: directory,
                previous_broker_epoch: previous_epoch,
                host: format!("broker-{broker}"),
                port: 9092,
                rack: None,
                features: Vec::new(),
                now_ms,
            };
            Proposal::new(command, move |answer| {
                told.tell(answer, |answer| Reply::Registered(answer.map_err(|e| e.to_string())));
            })
        }
        Call::Heartbeat { broker, epoch, metadata_offset, want_shut_down, offline_log_dirs } => {
            let command = BrokerHeartbeat {
                broker_id: broker,
                broker_epoch: epoch,
                metadata_offset,
                want_fence: false,
                want_shut_down,
                offline_log_dirs,
                now_ms,
            };
            Proposal::new(command, move |answer| {
                told.tell(answer, |answer| Reply::Heartbeat(answer.map_err(|e| e.to_string())));
            })
        }
        Call::Alter { broker, epoch, changes } => {
            let of_gone: Vec<_> =
                changes.iter().map(|change| gone.contains(&change.topic_id)).collect();
            let command =
                AlterPartition { broker_id: broker, broker_epoch: epoch, partitions: changes };
            Proposal::new(command, move |answer| {
                told.tell(answer, |answer| {
                    let of_each = answer.iter().flatten().zip(&of_gone);
                    if of_each.into_iter().any(|(answer, gone)| *gone && answer.is_ok()) {
                        let what = "takes in-sync replicas for a topic that was deleted before";
                        return Reply::Broken(what.to_owned());
                    }
                    let code = |error: IsrError| -> ErrorCode { error.code() };
                    let each = |answers: Vec<Result<_, IsrError>>| {
                        answers.into_iter().map(|answer| answer.map_err(code)).collect()
                    };
                    Reply::Altered(answer.ok().map(each))
                });
            })
        }
        Call::ProducerIds => Proposal::new(AllocateProducerIds, move |answer| {
            told.tell(answer, |answer| {
                answer.map_or(Reply::Unknown, |block| Reply::ProducerIds(block.first))
            });
        }),
        Call::CreateTopics { topics, min_isr } => {
            let topics = topics.into_iter().map(|(name, replicas)| NewTopic {
                name,
                num_partitions: -1,
                replication_factor: -1,
                assignments: (0..).zip(replicas).collect(),
                configs: vec![("min.insync.replicas".into(), Some(min_isr.to_string()))],
            });
            let command = CreateTopics { topics: topics.collect(), validate_only: false };
            Proposal::new(command, move |answer| told.tell(answer, |_| Reply::Done))
        }
        Call::DeleteTopic(name) => {
            let command = DeleteTopics { topics: vec![TopicRef::Name(name)] };
            Proposal::new(command, move |answer| told.tell(answer, |_| Reply::Done))
        }
        Call::AddPartitions(topic) => {
            let command = CreatePartitions { topics: vec![topic], validate_only: false };
            Proposal::new(command, move |answer| told.tell(answer, |_| Reply::Done))
        }
        Call::Reassign(reassignment) => {
            let command = AlterReassignments {
                partitions: vec![reassignment],
                allow_replication_factor_change: true,
            };
            Proposal::new(command, move |answer| told.tell(answer, |_| Reply::Done))
        }
        Call::Elect(partitions) => {
            let command = ElectLeaders { unclean: false, partitions: Some(partitions) };
            Proposal::new(command, move |answer| told.tell(answer, |_| Reply::Done))
        }
        Call::Balance => {
            let command = BalanceLeaders;
            Proposal::new(command, move |answer| told.tell(answer, |_| Reply::Done))
        }
        Call::Drain(brokers) => {
            let command = DrainLeaders { brokers };
            Proposal::new(command, move |answer| told.tell(answer, |_| Reply::Done))
        }
        Call::Note(number) => {
            Proposal::new(Note(number), move |answer| told.tell(answer, |_| Reply::Done))
        }
    }
}
