//! [`Consumer`]: reads every partition from its beginning, and compares what it is told.

use std::collections::BTreeMap;

use protocol::records::batches;
use protocol::{ErrorCode, Uuid};

use super::client::{ANSWER_MS, Kind};
use super::message::{Key, Message, Records};
use super::scenario::Plan;
use super::world::World;

/// Reads everything.
pub(super) struct Consumer {
    lanes: Vec<Lane>,
}

/// What a consumer has asked for.
#[derive(Clone, Copy)]
struct Asked {
    id: u64,
    key: Key,
    /// The leader's, as far as the consumer knows.
    epoch: i32,
    /// Of a replica that need not lead.
    elsewhere: bool,
    until: u64,
}

/// One partition, as the consumer knows it.
#[derive(Default)]
struct Lane {
    /// The topic that this is about; another one of the same name is read from its beginning.
    topic_id: Option<Uuid>,
    position: i64,
    asked: Option<Asked>,
    /// The next read goes to the leader, whatever else.
    leader_next: bool,
    asked_end: Option<(u64, Key, i32)>,
    /// The high watermark that was told last, by leader epoch.
    marks: BTreeMap<i32, i64>,
}

impl Consumer {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { lanes: (0..plan.lanes()).map(|_| Lane::default()).collect() }
    }

    /// How far it has read a partition, of which topic.
    pub(super) fn position(&self, lane: i32) -> (Option<Uuid>, i64) {
        let lane = &self.lanes[lane as usize];
        (lane.topic_id, lane.position)
    }
}

impl World {
    pub(super) fn consumer_acts(&mut self, client: usize) {
        let now = self.now();
        for index in 0..self.plan.lanes() {
            let ends = self.random.u8(..6) == 0;
            let elsewhere = self.plan.follower_reads && self.random.u8(..3) > 0;
            let anybody = self.random.usize(..self.machines.len());
            let of = &mut self.clients[client];
            let topic_id = of.topic_of(&self.plan, index);
            let found = of.lane_leader(&self.plan, index as usize);
            let (id, end_id) = if found.is_some() { (of.id(), of.id()) } else { (0, 0) };
            let Kind::Consumer(consumer) = &mut of.kind else { return };
            let lane = &mut consumer.lanes[index as usize];
            if lane.topic_id != topic_id {
                *lane = Lane { topic_id, ..Lane::default() };
            }
            let Some((key, leader, leader_epoch)) = found else { continue };
            let offset = lane.position;
            let due = lane.asked.is_none_or(|asked| now >= asked.until);
            let elsewhere = elsewhere && !std::mem::take(&mut lane.leader_next);
            if due {
                let until = now + ANSWER_MS;
                lane.asked = Some(Asked { id, key, epoch: leader_epoch, elsewhere, until });
            }
            if ends {
                lane.asked_end = Some((end_id, key, leader_epoch));
            }
            if due {
                let message = Message::Consume { id, key, leader_epoch, offset, elsewhere };
                let to = if elsewhere { anybody } else { leader };
                self.client_sends(client, to, message);
            }
            if ends {
                let message = Message::ListEnd { id: end_id, key, leader_epoch };
                self.client_sends(client, leader, message);
            }
        }
    }

    pub(super) fn consumed(
        &mut self,
        client: usize,
        from: usize,
        id: u64,
        result: Result<Records, ErrorCode>,
    ) -> Result<(), String> {
        let Kind::Consumer(consumer) = &mut self.clients[client].kind else { return Ok(()) };
        let asked = |lane: &&mut Lane| lane.asked.is_some_and(|asked| asked.id == id);
        let Some(lane) = consumer.lanes.iter_mut().find(asked) else { return Ok(()) };
        let Some(Asked { key, epoch, elsewhere, .. }) = lane.asked.take() else { return Ok(()) };
        lane.leader_next = elsewhere;
        let records = match result {
            Ok(records) => records,
            Err(ErrorCode::OFFSET_OUT_OF_RANGE) if !elsewhere => {
                let position = lane.position;
                return Err(format!(
                    "{from} leads {} in epoch {epoch} and does not know offset {position}, which was read before",
                    key.1
                ));
            }
            Err(_) => {
                self.ask_metadata(client);
                return Ok(());
            }
        };
        if !elsewhere {
            let mark = lane.marks.entry(epoch).or_default();
            if records.high_watermark < *mark {
                let told = records.high_watermark;
                return Err(format!(
                    "{from}, leading {} in epoch {epoch}, told {mark} as committed, then {told}",
                    key.1
                ));
            }
            *mark = records.high_watermark;
        }
        if records.start > lane.position {
            if !self.plan.deletes() {
                return Err(format!(
                    "a consumer of {} at {} is told that the log starts at {}, and nobody has deleted",
                    key.1, lane.position, records.start
                ));
            }
            lane.position = records.start;
        }
        for batch in batches(records.bytes) {
            let Ok(batch) = batch else { break }; // cut off
            let header = batch.header();
            if header.next_offset() <= lane.position {
                continue;
            }
            if header.base_offset > lane.position {
                return Err(format!(
                    "a consumer of {} at {} was given {}: records between are missing",
                    key.1, lane.position, header.base_offset
                ));
            }
            let read = self.checker.read(key, header);
            read.map_err(|e| format!("{e}, by {from} in epoch {epoch}"))?;
            lane.position = header.next_offset();
        }
        Ok(())
    }

    pub(super) fn ended(
        &mut self,
        client: usize,
        id: u64,
        result: Result<i64, ErrorCode>,
    ) -> Result<(), String> {
        let Kind::Consumer(consumer) = &mut self.clients[client].kind else { return Ok(()) };
        let asked = |lane: &&mut Lane| lane.asked_end.is_some_and(|(asked, ..)| asked == id);
        let Some(lane) = consumer.lanes.iter_mut().find(asked) else { return Ok(()) };
        let Some((_, key, epoch)) = lane.asked_end.take() else { return Ok(()) };
        match result {
            Ok(end) => self.checker.told_end(key, epoch, end),
            Err(_) => {
                self.ask_metadata(client);
                Ok(())
            }
        }
    }
}
