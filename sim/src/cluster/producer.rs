//! [`Producer`]: idempotent, with acks=all; sends again with the same sequence until it is told.

use std::collections::VecDeque;

use bytes::Bytes;
use protocol::records::{Batch, BatchBuilder, Compression};
use protocol::{ErrorCode, Uuid};

use super::CHURN_TOPIC;
use super::client::{ANSWER_MS, Kind};
use super::message::{Call, Message, Reply};
use super::scenario::Plan;
use super::world::World;

/// Batches to each partition after everything is healed.
const LAST_BATCHES: u32 = 5;

/// An idempotent producer.
pub(super) struct Producer {
    id: Option<i64>,
    asked: Option<(u64, u64)>,
    lanes: Vec<Lane>,
}

/// What it sends to one partition.
#[derive(Default)]
struct Lane {
    /// The topic that this is about; another one of the same name begins anew.
    topic_id: Option<Uuid>,
    next_sequence: i32,
    queue: VecDeque<Out>,
    written: usize,
    /// Something was acknowledged.
    known: bool,
    after_healing: u32,
}

/// A batch that is not acknowledged yet.
struct Out {
    number: usize,
    bytes: Bytes,
    count: i64,
    crc: u32,
    /// All the times that it was sent.
    ids: Vec<u64>,
    /// Sent again when this is over.
    until: u64,
}

impl Producer {
    pub(super) fn new(plan: &Plan) -> Self {
        let lanes = (0..plan.lanes()).map(|_| Lane::default()).collect();
        Self { id: None, asked: None, lanes }
    }

    /// What it has not been told of may be there or not; from here on it is another producer.
    fn begin_anew(&mut self) {
        (self.id, self.asked) = (None, None);
        for lane in &mut self.lanes {
            let Lane { topic_id, after_healing, .. } = *lane;
            *lane = Lane { topic_id, after_healing, ..Lane::default() };
        }
    }

    /// Everything is sent and acknowledged, and something after everything was healed, to each partition of a topic that is there.
    pub(super) fn is_done(&self, topics: impl Fn(i32) -> Option<Uuid>) -> bool {
        let done = |lane: &Lane| lane.queue.is_empty() && lane.after_healing >= LAST_BATCHES;
        (0..).zip(&self.lanes).all(|(index, lane)| match topics(index) {
            Some(topic) => lane.topic_id == Some(topic) && done(lane),
            None => true,
        })
    }
}

impl Lane {
    /// Batches since the first that is not acknowledged: a leader knows the last five again, no more.
    fn window(&self) -> usize {
        self.queue.front().map_or(0, |first| self.written - first.number)
    }
}

impl World {
    pub(super) fn producer_acts(&mut self, client: usize) {
        let now = self.now();
        let of = &mut self.clients[client];
        let id = of.next_id + 1;
        let Kind::Producer(producer) = &mut of.kind else { return };
        let Some(pid) = producer.id else {
            if producer.asked.is_none_or(|(_, until)| now >= until) {
                producer.asked = Some((id, now + 300));
                of.next_id = id;
                let anybody = self.random.usize(..self.machines.len());
                let to = self.controller().unwrap_or(anybody);
                self.client_sends(client, to, Message::Call { id, call: Call::ProducerIds });
            }
            return;
        };
        for lane in 0..self.plan.lanes() as usize {
            let topic_id = self.clients[client].topic_of(&self.plan, lane as i32);
            let Kind::Producer(producer) = &mut self.clients[client].kind else { return };
            let of = &mut producer.lanes[lane];
            if of.topic_id != topic_id {
                *of = Lane { topic_id, ..Lane::default() };
            }
            if topic_id.is_none() {
                continue;
            }
            self.write(client, pid, lane);
            self.send_lane(client, lane);
        }
    }

    /// A new batch, when there may be one.
    fn write(&mut self, client: usize, pid: i64, lane: usize) {
        let (healed, in_flight) = (self.healed, self.plan.in_flight);
        let churns = self.plan.lane(lane as i32).0 == CHURN_TOPIC;
        let wanted = self.random.u8(..3) > 0;
        let count = self.random.usize(1..4);
        let size = self.random.usize(1..60);
        let Kind::Producer(producer) = &mut self.clients[client].kind else { return };
        let of = &mut producer.lanes[lane];
        // Messages overtake each other here, and a leader takes any sequence from a producer that it does not know: the first
        // batch goes alone, as the first on a connection does.
        let in_flight = if of.known { in_flight } else { 1 };
        if !wanted || of.window() >= in_flight || of.after_healing >= LAST_BATCHES {
            return;
        }
        let mut builder = BatchBuilder::new(Compression::None);
        for n in 0..count {
            let sequence = of.next_sequence + n as i32;
            // What was written to a topic of before is not to be taken for this one's.
            let topic = of.topic_id.filter(|_| churns).map(|id| id.to_string()).unwrap_or_default();
            let value = format!("{pid}-{lane}-{topic}{sequence}-{:size$}", "");
            // The timestamp is the producer's own business.
            if builder.append(1_780_000_000_000, None, Some(value.as_bytes()), &[]).is_err() {
                return;
            }
        }
        builder.set_producer(pid, 0, of.next_sequence);
        let Ok(bytes) = builder.build() else { return };
        let Ok(batch) = Batch::parse(&bytes) else { return };
        of.next_sequence += count as i32;
        of.after_healing += u32::from(healed);
        let crc = batch.header().crc;
        let (number, count) = (of.written, count as i64);
        of.written += 1;
        of.queue.push_back(Out { number, bytes, count, crc, ids: Vec::new(), until: 0 });
    }

    /// Sends what is due, in order: when a batch is sent again those after it come again, too.
    fn send_lane(&mut self, client: usize, lane: usize) {
        let now = self.now();
        let Some((key, leader, _)) = self.clients[client].lane_leader(&self.plan, lane) else {
            return;
        };
        let of = &mut self.clients[client];
        let mut next_id = of.next_id;
        let Kind::Producer(producer) = &mut of.kind else { return };
        let mut sends = Vec::new();
        for out in &mut producer.lanes[lane].queue {
            if out.until <= now {
                next_id += 1;
                out.ids.push(next_id);
                out.until = now + ANSWER_MS;
                sends.push(Message::Produce { id: next_id, key, batch: out.bytes.clone() });
            }
        }
        of.next_id = next_id;
        for message in sends {
            self.client_sends(client, leader, message);
        }
    }

    pub(super) fn produced(
        &mut self,
        client: usize,
        id: u64,
        result: Result<i64, ErrorCode>,
    ) -> Result<(), String> {
        let retry = self.now() + self.random.u64(5..60);
        let Kind::Producer(producer) = &mut self.clients[client].kind else { return Ok(()) };
        let found = producer.lanes.iter_mut().enumerate().find_map(|(index, lane)| {
            let at = lane.queue.iter().position(|out| out.ids.contains(&id))?;
            Some((index, lane, at))
        });
        let Some((index, lane, at)) = found else { return Ok(()) };
        match result {
            Ok(base) => {
                let Some(out) = lane.queue.remove(at) else { return Ok(()) };
                lane.known = true;
                let Some(topic_id) = lane.topic_id else { return Ok(()) };
                let key = (topic_id, self.plan.lane(index as i32).1);
                self.say(|| format!("{base} of {index} is acknowledged to client {client}"));
                self.checker.acknowledge(key, base, base + out.count, out.crc)
            }
            // A leader that knows nothing of a producer, because its records are deleted, takes any of its sequences, perhaps
            // a late one, and none before it any more (KIP-360). Kafka's clients begin another epoch then.
            Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER) if self.plan.deletes() => {
                producer.begin_anew();
                Ok(())
            }
            Err(error) => {
                let out = &mut lane.queue[at];
                if out.ids.last() == Some(&id) {
                    out.until = retry;
                }
                self.say(|| format!("client {client}'s batch to {index}: {}", error.name()));
                self.ask_metadata(client);
                Ok(())
            }
        }
    }

    pub(super) fn producer_is_told(
        &mut self,
        client: usize,
        id: u64,
        reply: Reply,
    ) -> Result<(), String> {
        let Kind::Producer(producer) = &mut self.clients[client].kind else { return Ok(()) };
        if producer.id.is_some() || producer.asked.is_none_or(|(asked, _)| asked != id) {
            return Ok(());
        }
        if let Reply::ProducerIds(first) = reply {
            producer.id = Some(first);
            return self.checker.producer_id_given(first);
        }
        Ok(())
    }
}
