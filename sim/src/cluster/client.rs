//! [`Client`]: a producer, consumer or group; what they have in common is how they find leaders.

use std::sync::Arc;

use protocol::Uuid;
use quorum::MetadataImage;

use super::OFFSETS_TOPIC;
use super::consumer::Consumer;
use super::member::Member;
use super::message::{Key, Message};
use super::producer::Producer;
use super::scenario::Plan;
use super::world::{Event, World};

/// How long a client waits for an answer.
pub(super) const ANSWER_MS: u64 = 900;
/// How old a client's metadata may get.
const METADATA_MS: u64 = 400;

/// Somebody who uses the cluster.
pub(super) struct Client {
    pub(super) kind: Kind,
    pub(super) image: Option<Arc<MetadataImage>>,
    asked_at: u64,
    pub(super) next_id: u64,
}

/// What it does.
pub(super) enum Kind {
    Producer(Producer),
    Consumer(Consumer),
    Member(Member),
}

impl Client {
    pub(super) fn all(plan: &Plan) -> Vec<Client> {
        let producers = (0..plan.producers).map(|_| Kind::Producer(Producer::new(plan)));
        let consumers = (0..plan.consumers).map(|_| Kind::Consumer(Consumer::new(plan)));
        let members = (0..plan.groups * plan.members).map(|n| n % plan.groups);
        let members = members.map(|group| Kind::Member(Member::new(group)));
        let client = |kind| Client { kind, image: None, asked_at: 0, next_id: 0 };
        producers.chain(consumers).chain(members).map(client).collect()
    }

    pub(super) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Key, leader and its epoch, of a partition of the data or of the groups.
    pub(super) fn leader(&self, topic: &str, index: i32) -> Option<(Key, usize, i32)> {
        let image = self.image.as_ref()?;
        let topic = image.topic(topic)?;
        let partition = topic.partition(index)?;
        let leader = usize::try_from(partition.leader).ok()?;
        Some(((topic.id, index), leader, partition.leader_epoch))
    }

    /// The same of one of the partitions that clients look at.
    pub(super) fn lane_leader(&self, plan: &Plan, lane: usize) -> Option<(Key, usize, i32)> {
        let (topic, index) = plan.lane(lane as i32);
        self.leader(topic, index)
    }

    /// The topic of such a partition, if the partition is there as far as the client knows.
    pub(super) fn topic_of(&self, plan: &Plan, lane: i32) -> Option<Uuid> {
        topic_of(self.image.as_ref()?, plan, lane)
    }

    pub(super) fn coordinator(&self) -> Option<(Key, usize, i32)> {
        self.leader(OFFSETS_TOPIC, 0)
    }
}

/// The topic of one of the partitions that clients look at, if it is there.
pub(super) fn topic_of(image: &MetadataImage, plan: &Plan, lane: i32) -> Option<Uuid> {
    let (topic, index) = plan.lane(lane);
    let topic = image.topic(topic)?;
    topic.partition(index).map(|_| topic.id)
}

impl World {
    pub(super) fn client_acts(&mut self, client: usize) -> Result<(), String> {
        let delay = self.random.u64(5..60);
        self.at(delay, Event::Client(client));
        let now = self.now();
        let of = &mut self.clients[client];
        if of.image.is_none() || now > of.asked_at + METADATA_MS {
            self.ask_metadata(client);
        }
        if self.clients[client].image.is_none() {
            return Ok(());
        }
        match self.clients[client].kind {
            Kind::Producer(_) => self.producer_acts(client),
            Kind::Consumer(_) => self.consumer_acts(client),
            Kind::Member(_) => self.member_acts(client),
        }
        Ok(())
    }

    /// Asks anybody who leads what; not again at once.
    pub(super) fn ask_metadata(&mut self, client: usize) {
        let now = self.now();
        let of = &mut self.clients[client];
        if of.asked_at > 0 && now < of.asked_at + 20 {
            return;
        }
        of.asked_at = now;
        let to = self.random.usize(..self.machines.len());
        self.client_sends(client, to, Message::Metadata);
    }

    pub(super) fn client_sends(&mut self, client: usize, to: usize, message: Message) {
        let from = self.machines.len() + client;
        self.send(from, to, message);
    }

    pub(super) fn client_hears(
        &mut self,
        client: usize,
        from: usize,
        message: Message,
    ) -> Result<(), String> {
        if let Message::MetadataIs { image } = message {
            let known = self.clients[client].image.as_ref().map_or(0, |known| known.offset());
            // As Kafka's clients by leader epochs: what is older is not believed.
            if image.offset() >= known {
                self.clients[client].image = Some(image);
            }
            return Ok(());
        }
        match message {
            Message::Produced { id, result } => self.produced(client, id, result),
            Message::Reply { id, reply } => self.producer_is_told(client, id, reply),
            Message::Consumed { id, result } => self.consumed(client, from, id, result),
            Message::Ended { id, result } => self.ended(client, id, result),
            Message::GroupTold { id, told } => self.member_is_told(client, id, told),
            _ => Ok(()),
        }
    }
}
