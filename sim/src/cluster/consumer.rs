//! [`Consumer`]: reads every partition from its beginning, and compares what it is told.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::records::batches;

use super::client::{ANSWER_MS, Kind};
use super::message::{Key, Message, Records};
use super::scenario::Plan;
use super::world::World;

/// Reads everything.
pub(super) struct Consumer {
    lanes: Vec<Lane>,
}

/// One partition, as the consumer knows it.
#[derive(Default)]
struct Lane {
    position: i64,
    /// Request, partition, the leader's epoch, and until when it is waited for.
    asked: Option<(u64, Key, i32, u64)>,
    asked_end: Option<(u64, Key, i32)>,
    /// The high watermark that was told last, by leader epoch.
    marks: BTreeMap<i32, i64>,
}

impl Consumer {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { lanes: (0..plan.data_partitions).map(|_| Lane::default()).collect() }
    }

    pub(super) fn position(&self, index: i32) -> i64 {
        self.lanes[index as usize].position
    }
}

impl World {
    pub(super) fn consumer_acts(&mut self, client: usize) {
        let now = self.now();
        for index in 0..self.plan.data_partitions {
            let ends = self.random.u8(..6) == 0;
            let of = &mut self.clients[client];
            let Some((key, leader, leader_epoch)) = of.data_leader(index) else { continue };
            let (id, end_id) = (of.id(), of.id());
            let Kind::Consumer(consumer) = &mut of.kind else { return };
            let lane = &mut consumer.lanes[index as usize];
            let offset = lane.position;
            let due = lane.asked.is_none_or(|(.., until)| now >= until);
            if due {
                lane.asked = Some((id, key, leader_epoch, now + ANSWER_MS));
            }
            if ends {
                lane.asked_end = Some((end_id, key, leader_epoch));
            }
            if due {
                let message = Message::Consume { id, key, leader_epoch, offset };
                self.client_sends(client, leader, message);
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
        let asked = |lane: &&mut Lane| lane.asked.is_some_and(|(asked, ..)| asked == id);
        let Some(lane) = consumer.lanes.iter_mut().find(asked) else { return Ok(()) };
        let Some((_, key, epoch, _)) = lane.asked.take() else { return Ok(()) };
        let records = match result {
            Ok(records) => records,
            Err(ErrorCode::OFFSET_OUT_OF_RANGE) => {
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
        let mark = lane.marks.entry(epoch).or_default();
        if records.high_watermark < *mark {
            let told = records.high_watermark;
            return Err(format!(
                "{from}, leading {} in epoch {epoch}, told {mark} as committed, then {told}",
                key.1
            ));
        }
        *mark = records.high_watermark;
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
            read.map_err(|e| format!("{e}, by the leader {from} of epoch {epoch}"))?;
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
