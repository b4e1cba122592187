//! The controller: decides what a request changes. No I/O, no clock, no threads.
//!
//! A [`Command`] looks at the image and gives a [`Decision`]: records, and the answer to send once they are durable.
//! Commands that carry several topics or resources answer each of them by itself: one bad topic does not stop the others.

mod alter_configs;
mod alter_partition;
mod brokers;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod drain_leaders;
mod elect_leaders;
mod fencing;
mod heartbeat;
mod names;
mod partition_edit;
mod placement;
#[cfg(feature = "planted")]
mod planted;
mod producer_ids;
mod read_barrier;
mod reassign;
mod rules;
mod schema;
mod sessions;
mod unregister_broker;
mod update_features;

use std::fmt::Debug;
use std::sync::Arc;

use protocol::Uuid;

pub use alter_configs::{AlterConfigs, ConfigOp, ConfigsAnswer, ResourceChange};
pub use alter_partition::{AlterPartition, IsrChange, IsrError, StaleBrokerEpoch};
pub use brokers::{RegisterBroker, RegisterError};
pub use create_partitions::{CreatePartitions, MorePartitions, PartitionsError};
pub use create_topics::{CreateTopicError, CreateTopics, CreatedTopic, NewTopic};
pub use delete_topics::{DeleteTopicError, DeleteTopics, TopicRef};
pub use drain_leaders::{DrainLeaders, Drained};
pub use elect_leaders::{
    BalanceLeaders, ElectError, ElectLeaders, Elections, MAX_ELECTIONS_PER_ROUND,
};
pub use heartbeat::{
    BrokerHeartbeat, FenceBroker, FenceSilentBrokers, HeartbeatAnswer, HeartbeatError,
};
pub use names::{NameError, check_topic_name};
pub use placement::PlacementError;
#[cfg(feature = "planted")]
pub use planted::Planted;
pub use producer_ids::{AllocateProducerIds, ProducerIdBlock, ProducerIdError};
pub use read_barrier::ReadBarrier;
pub use reassign::{AlterReassignments, ReassignError, Reassignment};
pub use schema::{ConfigError, ConfigSchema};
pub use unregister_broker::{UnregisterBroker, UnregisterError};
pub use update_features::{FeatureError, FeatureUpdate, UpdateFeatures};

use self::sessions::Sessions;
use crate::image::MetadataImage;
use crate::record::MetadataRecord;

/// The most partitions that one request may create (Kafka's limit).
pub const MAX_PARTITIONS_PER_REQUEST: usize = 10_000;
/// The most partitions that the cluster may have: bounds the image, snapshots and Metadata answers.
pub const MAX_PARTITIONS: usize = 1_000_000;

/// What a request wants changed.
pub trait Command {
    /// What the client learns when the records are durable.
    type Answer;

    /// Decides on the controller's present image.
    fn decide(
        self,
        controller: &mut Controller,
        entropy: &mut dyn Entropy,
    ) -> Decision<Self::Answer>;
}

/// What a command changes, and what to answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<A> {
    /// One frame of the log; empty when nothing changes.
    pub records: Vec<MetadataRecord>,
    /// To be sent only after the records are durable.
    pub answer: A,
}

impl<A> Decision<A> {
    /// Nothing changes.
    fn refusal(answer: A) -> Self {
        Self { records: Vec::new(), answer }
    }
}

/// Randomness, so that a simulation can give its own.
pub trait Entropy {
    /// Sixteen random bytes.
    fn bytes(&mut self) -> [u8; 16];

    /// A random (version 4) id, never zero and never one that Kafka reserves.
    fn uuid(&mut self) -> Uuid {
        let mut bytes = self.bytes();
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Uuid(bytes)
    }
}

/// What the controller takes from the broker's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerSettings {
    /// `num.partitions`: for topics that do not say.
    pub num_partitions: i32,
    /// `default.replication.factor`: for topics that do not say.
    pub default_replication_factor: i16,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,
    /// `min.insync.replicas`: for topics that do not say.
    pub min_insync_replicas: usize,
    /// `unclean.leader.election.enable`: for topics that do not say.
    pub unclean_leader_election_enable: bool,
    /// `broker.session.timeout.ms`: a broker that is not heard of for so long is fenced.
    pub session_timeout_ms: u64,
}

impl Default for ControllerSettings {
    fn default() -> Self {
        Self {
            num_partitions: 1,
            default_replication_factor: 1,
            delete_topic_enable: true,
            min_insync_replicas: 1,
            unclean_leader_election_enable: false,
            session_timeout_ms: 9_000,
        }
    }
}

/// The controller's state: the image that its decisions stand on, and the rules.
#[derive(Debug, Clone)]
pub struct Controller {
    image: Arc<MetadataImage>,
    settings: ControllerSettings,
    schema: Arc<dyn ConfigSchema>,
    sessions: Sessions,
    #[cfg(feature = "planted")]
    planted: Option<Planted>,
}

impl Controller {
    /// A controller over an image.
    pub fn new(
        image: Arc<MetadataImage>,
        settings: ControllerSettings,
        schema: Arc<dyn ConfigSchema>,
    ) -> Self {
        let sessions = Sessions::new(settings.session_timeout_ms);
        Self {
            image,
            settings,
            schema,
            sessions,
            #[cfg(feature = "planted")]
            planted: None,
        }
    }

    /// The image that decisions stand on.
    pub fn image(&self) -> &Arc<MetadataImage> {
        &self.image
    }

    /// A leadership of the quorum begins: what an earlier one knew of brokers' sessions is too old.
    pub fn begin_term(&mut self) {
        self.sessions.clear();
    }

    /// Decides a command; the image stays as it is until [`Controller::advance`].
    pub fn decide<C: Command>(
        &mut self,
        command: C,
        entropy: &mut dyn Entropy,
    ) -> Decision<C::Answer> {
        command.decide(self, entropy)
    }

    /// Takes the image that the decided records lead to; later decisions stand on it.
    pub fn advance(&mut self, image: Arc<MetadataImage>) {
        self.image = image;
    }
}

/// The image while one command is decided: later items of a batch see what earlier ones do.
struct Draft {
    image: MetadataImage,
    records: Vec<MetadataRecord>,
}

impl Draft {
    fn of(controller: &Controller) -> Self {
        Self { image: (*controller.image).clone(), records: Vec::new() }
    }

    /// Adds records that the command has just checked against `self.image`.
    fn add(&mut self, records: Vec<MetadataRecord>) {
        for record in &records {
            let applied = self.image.apply(record);
            debug_assert!(applied.is_ok(), "{record:?}: {applied:?}");
        }
        self.records.extend(records);
    }

    fn decision<A>(self, validate_only: bool, answer: A) -> Decision<A> {
        Decision { records: if validate_only { Vec::new() } else { self.records }, answer }
    }
}

#[cfg(test)]
mod tests;
