//! [`Admin`]: creates topics, writes numbers into the metadata, puts voters with new disks in again.

use std::collections::BTreeMap;

use quorum::node::{ChangeDone, Input, VoterChange};

use super::message::{Call, Message};
use super::world::{Event, World};
use super::{CHURN_PARTITIONS, CHURN_TOPIC, DATA_TOPIC, OFFSETS_TOPIC};

/// Somebody who administers.
#[derive(Debug, Default)]
pub(super) struct Admin {
    next_id: u64,
    next_note: u64,
    /// Number by request.
    notes: BTreeMap<u64, u64>,
    /// The first number that was written after everything was healed.
    pub(super) after_healing: u64,
}

impl Admin {
    pub(super) fn note_of(&self, id: u64) -> Option<u64> {
        self.notes.get(&id).copied()
    }

    pub(super) fn healed(&mut self) {
        self.after_healing = self.next_note + 1;
    }
}

impl World {
    /// Asks the controller, or anybody.
    pub(super) fn ask(&mut self, call: Call) -> u64 {
        self.admin.next_id += 1;
        let id = self.admin.next_id;
        let anybody = self.random.usize(..self.machines.len());
        let to = match self.random.u8(..10) {
            0 => anybody,
            _ => self.controller().unwrap_or(anybody),
        };
        if let Call::Note(number) = &call {
            self.admin.notes.insert(id, *number);
        }
        let from = self.admin_address();
        self.send(from, to, Message::Call { id, call });
        id
    }

    pub(super) fn admin_hears(&mut self, message: Message) -> Result<(), String> {
        if let Message::Reply { id, reply } = message {
            self.say(|| format!("the administrator's {id}: {reply:?}"));
        }
        Ok(())
    }

    pub(super) fn note(&mut self) -> Result<(), String> {
        let delay = self.random.u64(5..=self.plan.note_every_ms.max(6));
        self.at(delay, Event::Note);
        self.admin.next_note += 1;
        self.ask(Call::Note(self.admin.next_note));
        Ok(())
    }

    pub(super) fn admin_acts(&mut self) -> Result<(), String> {
        let delay = self.random.u64(60..250);
        self.at(delay, Event::Admin);
        let newest = self.checker.metadata.newest();
        let churn = self.plan.churns.then_some(CHURN_TOPIC);
        let missing = [DATA_TOPIC, OFFSETS_TOPIC].into_iter().chain(churn);
        let missing: Vec<&str> = missing
            .filter(|topic| newest.is_none_or(|image| image.topic(topic).is_none()))
            .collect();
        if !missing.is_empty() {
            self.create_topics(&missing);
        }
        if self.is_lost_empty() {
            self.ask(Call::DeleteTopic(CHURN_TOPIC.to_owned()));
        }
        if self.plan.trims && self.random.u8(..12) == 0 {
            self.delete_some();
        }
        self.repair_voters()
    }

    /// Has the oldest records of a partition deleted, or all that are committed, or (which is refused) more than that.
    fn delete_some(&mut self) {
        let index = self.random.i32(0..self.plan.data_partitions);
        let Some(topic) = self.checker.metadata.newest().and_then(|image| image.topic(DATA_TOPIC))
        else {
            return;
        };
        let Some(of) = topic.partition(index) else { return };
        let (key, leader_epoch) = ((topic.id, index), of.leader_epoch);
        let Ok(leader) = usize::try_from(of.leader) else { return };
        let end = self.checker.end_of(key);
        let before = match self.random.u8(..3) {
            0 => end + self.random.i64(0..20),
            1 => end,
            _ => self.random.i64(0..=end),
        };
        let from = self.admin_address();
        self.send(from, leader, Message::DeleteRecords { key, leader_epoch, before });
    }

    pub(super) fn create_topics(&mut self, missing: &[&str]) {
        let churns = missing.contains(&CHURN_TOPIC);
        let churn_partitions = if churns { self.random.i32(1..=CHURN_PARTITIONS) } else { 0 };
        let mut assign = |count: i32| -> Vec<Vec<i32>> {
            let all: Vec<i32> = (0..self.plan.machines as i32).collect();
            (0..count)
                .map(|_| {
                    let mut replicas = all.clone();
                    self.random.shuffle(&mut replicas);
                    replicas.truncate(self.plan.replication_factor);
                    replicas
                })
                .collect()
        };
        let topics = missing.iter().map(|name| {
            let partitions = match *name {
                DATA_TOPIC => assign(self.plan.data_partitions),
                CHURN_TOPIC => assign(churn_partitions),
                _ => assign(1),
            };
            ((*name).to_owned(), partitions)
        });
        let topics = topics.collect();
        let min_isr = self.plan.min_isr;
        // Brokers must be there to be given replicas.
        let registered = self.checker.metadata.newest().map_or(0, |image| image.brokers().len());
        if registered == self.plan.machines {
            self.ask(Call::CreateTopics { topics, min_isr });
        }
    }

    /// Whether all machines that should vote do, and that is committed, as far as every leader knows.
    pub(super) fn voters_are_whole(&self) -> bool {
        let active = self.machines.iter().filter_map(|machine| machine.process.as_ref());
        let mut active = active.map(|process| &process.quorum).filter(|node| node.is_active());
        self.controller().is_some()
            && active.all(|node| {
                let mut wanted = self.machines.iter().take(self.plan.voters);
                // What is not committed may go with the leader's disk.
                node.committed_voters().is_some_and(|voters| {
                    wanted.all(|machine| voters.contains(machine.replica()))
                        && voters.len() == self.plan.voters
                })
            })
    }

    /// Brings the voters one step nearer to what they should be.
    fn repair_voters(&mut self) -> Result<(), String> {
        let Some(leader) = self.controller() else { return Ok(()) };
        if self.voters_are_whole() || self.machines[leader].paused_until > self.now() {
            return Ok(());
        }
        let Some(process) = &self.machines[leader].process else { return Ok(()) };
        let voters = process.quorum.voters().clone();
        let wanted = self.machines.iter().take(self.plan.voters).map(|machine| machine.replica());
        let missing = wanted.clone().find(|voter| voters.directory(voter.id).is_none());
        let mut present = voters.iter();
        let old = present
            .find(|voter| !wanted.clone().any(|of| of.id == voter.id && voters.contains(of)));
        let change = match (old, missing) {
            (Some(old), _) => VoterChange::Remove(old),
            (None, Some(missing)) => VoterChange::Add(missing),
            (None, None) => return Ok(()),
        };
        self.say(|| format!("the administrator asks {leader}: {change:?}"));
        self.hand_in(leader, vec![Input::ChangeVoters { change, done: ChangeDone::new(|_| {}) }])
    }
}
