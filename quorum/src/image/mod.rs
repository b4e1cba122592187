//! The image: what the cluster's metadata is after a number of records.

mod hosting;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::{Str, Uuid};
use thiserror::Error;

pub use topics::{PartitionImage, TopicImage, TopicsImage};

use crate::record::{BrokerChange, BrokerRecord, ConfigResource, MetadataRecord, PartitionRecord};

/// Dynamic configs of one resource: Kafka's key → value.
pub type ConfigMap = BTreeMap<String, String>;

/// Everything that the records applied so far say. A clone costs a few reference counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetadataImage {
    offset: u64,
    topics: Arc<TopicsImage>,
    brokers: Arc<BTreeMap<i32, Arc<BrokerImage>>>,
    /// Configs of brokers and groups; a topic's configs are in its [`TopicImage`].
    configs: Arc<BTreeMap<ConfigResource, ConfigMap>>,
    features: Arc<BTreeMap<String, i16>>,
    next_producer_id: i64,
    next_broker_epoch: i64,
}

/// A registered broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerImage {
    /// Node id.
    pub id: i32,
    /// Epoch of its registration.
    pub epoch: i64,
    /// Where clients reach it.
    pub host: Str,
    /// Where clients reach it.
    pub port: u16,
    /// Failure domain.
    pub rack: Option<Str>,
    /// Not to be given leaderships.
    pub fenced: bool,
    /// This life of the broker's process.
    pub incarnation_id: Uuid,
    /// The broker's data folder.
    pub directory_id: Uuid,
    /// About to stop.
    pub in_controlled_shutdown: bool,
    /// Its log directory takes no writes: it is full, or has failed (KIP-858).
    pub log_dir_offline: bool,
    /// Epoch of the oldest registration that its folder may remember without having lost anything: under those since then it was
    /// never let in, and may have died before it could note them.
    pub whole_since: i64,
}

/// A record that contradicts the image: the log is damaged or written by another version.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ApplyError {
    /// The record speaks of a topic that does not exist.
    #[error("topic {0} does not exist")]
    UnknownTopic(Uuid),
    /// The record speaks of a topic by a name that does not exist.
    #[error("topic `{0}` does not exist")]
    UnknownTopicName(String),
    /// A topic of that name exists.
    #[error("topic `{0}` exists already")]
    DuplicateTopic(String),
    /// Partitions come in order, from 0.
    #[error("topic {topic_id} has {have} partitions, partition {partition} is out of order")]
    PartitionOutOfOrder {
        /// The topic.
        topic_id: Uuid,
        /// The partition in the record.
        partition: i32,
        /// How many there are.
        have: usize,
    },
    /// The record speaks of a partition that does not exist.
    #[error("topic {0} has no partition {1}")]
    UnknownPartition(Uuid, i32),
    /// The record speaks of a registration that does not exist.
    #[error("broker {0} is not registered with epoch {1}")]
    UnknownBroker(i32, i64),
}

impl MetadataImage {
    /// How many records have been applied since the cluster began.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// All topics.
    pub fn topics(&self) -> &TopicsImage {
        &self.topics
    }

    /// A topic by name.
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.topics.by_name(name)
    }

    /// A topic by id.
    pub fn topic_by_id(&self, id: &Uuid) -> Option<&Arc<TopicImage>> {
        self.topics.by_id(id)
    }

    /// A partition's state.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&PartitionImage> {
        self.topic(topic)?.partition(partition)
    }

    /// All registered brokers, by node id.
    pub fn brokers(&self) -> impl ExactSizeIterator<Item = &Arc<BrokerImage>> {
        self.brokers.values()
    }

    /// A registered broker.
    pub fn broker(&self, id: i32) -> Option<&Arc<BrokerImage>> {
        self.brokers.get(&id)
    }

    /// Whether a broker is registered and may be given leaderships.
    pub fn is_active(&self, broker: i32) -> bool {
        self.broker(broker).is_some_and(|broker| broker.is_active())
    }

    /// Dynamic configs of a resource; `None` when it has none.
    pub fn configs(&self, resource: &ConfigResource) -> Option<&ConfigMap> {
        match resource {
            ConfigResource::Topic(name) => self.topic(name).map(|topic| &*topic.configs),
            other => self.configs.get(other),
        }
    }

    /// Resources other than topics that have dynamic configs.
    pub fn configured_resources(&self) -> impl Iterator<Item = &ConfigResource> {
        self.configs.keys()
    }

    /// Finalized features and their levels.
    pub fn features(&self) -> &BTreeMap<String, i16> {
        &self.features
    }

    /// The first producer id that no block contains.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// The epoch for the next registration of a broker.
    pub fn next_broker_epoch(&self) -> i64 {
        self.next_broker_epoch
    }

    /// This image with more records applied, in their order.
    ///
    /// # Errors
    /// The first record that contradicts the image; this image stays as it was.
    pub fn with(&self, records: &[MetadataRecord]) -> Result<MetadataImage, ApplyError> {
        let mut next = self.clone();
        for record in records {
            next.apply(record)?;
        }
        Ok(next)
    }

    /// Applies one record.
    ///
    /// # Errors
    /// When the record contradicts the image, which then is as before.
    pub fn apply(&mut self, record: &MetadataRecord) -> Result<(), ApplyError> {
        match record {
            MetadataRecord::Topic { name, topic_id } => {
                Arc::make_mut(&mut self.topics).add(name, *topic_id)?;
            }
            MetadataRecord::Partition(partition) => {
                Arc::make_mut(&mut self.topics).add_partition(partition)?;
            }
            MetadataRecord::PartitionChange(change) => {
                Arc::make_mut(&mut self.topics).change_partition(change)?;
            }
            MetadataRecord::RemoveTopic { topic_id } => {
                Arc::make_mut(&mut self.topics).remove(topic_id)?;
            }
            MetadataRecord::Config { resource: ConfigResource::Topic(name), key, value } => {
                Arc::make_mut(&mut self.topics).configure(name, key, value.as_deref())?;
            }
            MetadataRecord::Config { resource, key, value } => {
                let configs = Arc::make_mut(&mut self.configs);
                let map = configs.entry(resource.clone()).or_default();
                match value {
                    Some(value) => map.insert(key.clone(), value.clone()),
                    None => map.remove(key),
                };
                if map.is_empty() {
                    configs.remove(resource);
                }
            }
            MetadataRecord::RegisterBroker(broker) => {
                self.next_broker_epoch = self.next_broker_epoch.max(broker.broker_epoch + 1);
                Arc::make_mut(&mut self.brokers)
                    .insert(broker.broker_id, Arc::new(BrokerImage::of(broker)));
            }
            MetadataRecord::UnregisterBroker { broker_id } => {
                Arc::make_mut(&mut self.brokers).remove(broker_id);
            }
            MetadataRecord::BrokerChange(change) => self.change_broker(change)?,
            MetadataRecord::ProducerIds { next_producer_id } => {
                self.next_producer_id = self.next_producer_id.max(*next_producer_id);
            }
            MetadataRecord::FeatureLevel { name, level } => {
                let features = Arc::make_mut(&mut self.features);
                match level {
                    0 => features.remove(name),
                    level => features.insert(name.clone(), *level),
                };
            }
            // The quorum's own: they take an offset and are kept by the log (see `crate::raft`).
            MetadataRecord::LeaderChange { .. } | MetadataRecord::Voters { .. } => {}
        }
        self.offset += 1;
        Ok(())
    }

    fn change_broker(&mut self, change: &BrokerChange) -> Result<(), ApplyError> {
        let unknown = ApplyError::UnknownBroker(change.broker_id, change.broker_epoch);
        let brokers = Arc::make_mut(&mut self.brokers);
        let broker = brokers.get_mut(&change.broker_id).map(Arc::make_mut);
        let broker = broker.filter(|b| b.epoch == change.broker_epoch).ok_or(unknown)?;
        broker.fenced = change.fenced.unwrap_or(broker.fenced);
        if !broker.fenced {
            broker.whole_since = broker.epoch;
        }
        broker.in_controlled_shutdown =
            change.in_controlled_shutdown.unwrap_or(broker.in_controlled_shutdown);
        broker.log_dir_offline = change.log_dir_offline.unwrap_or(broker.log_dir_offline);
        Ok(())
    }

    /// The records that make this image from an empty one (a snapshot's content).
    pub fn to_records(&self) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        for (name, level) in self.features.iter() {
            records.push(MetadataRecord::FeatureLevel { name: name.clone(), level: *level });
        }
        for broker in self.brokers.values() {
            records.push(MetadataRecord::RegisterBroker(broker.to_record()));
        }
        for topic in self.topics.iter() {
            topic.to_records(&mut records);
        }
        for (resource, map) in self.configs.iter() {
            for (key, value) in map {
                records.push(MetadataRecord::Config {
                    resource: resource.clone(),
                    key: key.clone(),
                    value: Some(value.clone()),
                });
            }
        }
        if self.next_producer_id > 0 {
            records.push(MetadataRecord::ProducerIds { next_producer_id: self.next_producer_id });
        }
        records
    }

    /// An image from a snapshot: `offset` and `next_broker_epoch` are what the records alone do not say.
    pub(crate) fn from_snapshot(
        offset: u64,
        next_broker_epoch: i64,
        records: &[MetadataRecord],
    ) -> Result<MetadataImage, ApplyError> {
        let mut image = MetadataImage::default().with(records)?;
        image.offset = offset;
        image.next_broker_epoch = image.next_broker_epoch.max(next_broker_epoch);
        Ok(image)
    }
}

impl BrokerImage {
    fn of(record: &BrokerRecord) -> Self {
        Self {
            id: record.broker_id,
            epoch: record.broker_epoch,
            host: Str::copy(&record.host),
            port: record.port,
            rack: record.rack.as_deref().map(Str::copy),
            fenced: record.fenced,
            incarnation_id: record.incarnation_id,
            directory_id: record.directory_id,
            in_controlled_shutdown: record.in_controlled_shutdown,
            log_dir_offline: record.log_dir_offline,
            whole_since: record.whole_since.unwrap_or(record.broker_epoch),
        }
    }

    fn to_record(&self) -> BrokerRecord {
        BrokerRecord {
            broker_id: self.id,
            broker_epoch: self.epoch,
            host: self.host.to_string(),
            port: self.port,
            rack: self.rack.as_ref().map(Str::to_string),
            fenced: self.fenced,
            incarnation_id: self.incarnation_id,
            directory_id: self.directory_id,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dir_offline: self.log_dir_offline,
            whole_since: (self.whole_since != self.epoch).then_some(self.whole_since),
        }
    }

    /// Whether it may be given leaderships and be in an ISR.
    pub fn is_active(&self) -> bool {
        self.is_readable() && !self.log_dir_offline
    }

    /// Whether it may lead where nobody else can: with a log directory that takes no writes it serves reads.
    pub fn is_readable(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }
}

impl PartitionImage {
    fn of(record: &PartitionRecord) -> Self {
        Self {
            replicas: record.replicas.as_slice().into(),
            isr: record.isr.as_slice().into(),
            leader: record.leader,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
            elr: record.elr.as_slice().into(),
            last_known_elr: record.last_known_elr.as_slice().into(),
            adding_replicas: record.adding_replicas.as_slice().into(),
            removing_replicas: record.removing_replicas.as_slice().into(),
        }
    }
}

#[cfg(test)]
mod tests;
