//! The records of the metadata log.
//!
//! # Form on disk
//! JSON, one array of records a frame (the frame has length, checksum and format version: see [`crate::log`]).
//! Metadata changes come with administrators' actions, not with records of data, so their size and speed hardly count;
//! what counts is that a person can read the log in an emergency and that a newer version can add a field:
//! a field that is added later must have a `serde(default)`. A record of an unknown type is an error, not skipped:
//! a node that cannot understand a change must not serve as if it had not happened. Changes that older versions must not
//! misread get a new record type (and, once there are several nodes, a feature level).

use protocol::Uuid;
use serde::{Deserialize, Serialize};

use crate::raft::Voter;
use crate::uuid_text;

/// One change of the cluster's metadata. Names follow Kafka's metadata records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum MetadataRecord {
    /// A topic exists from now on (its partitions follow in the same frame).
    Topic {
        /// 1 to 249 characters of `[a-zA-Z0-9._-]`.
        name: String,
        /// Never zero, never used before.
        #[serde(with = "uuid_text")]
        topic_id: Uuid,
    },
    /// A partition exists from now on, with this state.
    Partition(PartitionRecord),
    /// What changed in a partition; fields that are `None` stay.
    PartitionChange(PartitionChange),
    /// A topic, its partitions and its configs are gone.
    RemoveTopic {
        /// The topic.
        #[serde(with = "uuid_text")]
        topic_id: Uuid,
    },
    /// A dynamic config was set (`value`) or went back to its default (`None`).
    Config {
        /// What the config belongs to.
        resource: ConfigResource,
        /// Kafka's key.
        key: String,
        /// The new value; `None` removes it.
        value: Option<String>,
    },
    /// A broker (re)started and may be given replicas.
    RegisterBroker(BrokerRecord),
    /// A broker is gone for good.
    UnregisterBroker {
        /// Its node id.
        broker_id: i32,
    },
    /// What changed in a broker's registration; fields that are `None` stay.
    BrokerChange(BrokerChange),
    /// Producer ids below this one are given away.
    ProducerIds {
        /// The first id that is still free.
        next_producer_id: i64,
    },
    /// A feature (`metadata.version`, `group.version`, …) is finalized at this level; 0 removes it.
    FeatureLevel {
        /// Kafka's feature name.
        name: String,
        /// Its level.
        level: i16,
    },
    /// A leader of the metadata quorum began its epoch. Changes nothing in the image, but counts as a record: when it is
    /// committed, so is everything before it (Raft's no-op).
    LeaderChange {
        /// Node id of the leader.
        leader: i32,
        /// Its epoch.
        epoch: i32,
    },
    /// Who votes in the metadata quorum from here on (KIP-853). Alone in its frame; nothing in the image changes.
    Voters {
        /// All voters, by node id.
        voters: Vec<Voter>,
    },
}

/// The full state of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRecord {
    /// Its topic.
    #[serde(with = "uuid_text")]
    pub topic_id: Uuid,
    /// Its index, from 0.
    pub partition: i32,
    /// Node ids, the preferred leader first.
    pub replicas: Vec<i32>,
    /// In-sync replicas.
    pub isr: Vec<i32>,
    /// Leader's node id, -1 when there is none.
    pub leader: i32,
    /// Raised with every change of leader.
    pub leader_epoch: i32,
    /// Raised with every change of the partition.
    pub partition_epoch: i32,
    /// Eligible leader replicas (KIP-966): outside the ISR, yet sure to hold everything that was committed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elr: Vec<i32>,
    /// The last ones that were eligible when an unclean stop took them out of `isr` and `elr`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_known_elr: Vec<i32>,
    /// Replicas that a reassignment adds; a part of `replicas`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adding_replicas: Vec<i32>,
    /// Replicas that a reassignment takes away when it is complete; a part of `replicas`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removing_replicas: Vec<i32>,
}

/// A change of a partition: raises the partition epoch by one, and the leader epoch when `leader` is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionChange {
    /// Its topic.
    #[serde(with = "uuid_text")]
    pub topic_id: Uuid,
    /// Its index.
    pub partition: i32,
    /// New in-sync replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isr: Option<Vec<i32>>,
    /// New leader, -1 for none; given even when it is the same node but a new epoch is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<i32>,
    /// New replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Vec<i32>>,
    /// New eligible leader replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elr: Option<Vec<i32>>,
    /// New last known eligible leader replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_known_elr: Option<Vec<i32>>,
    /// New replicas being added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adding_replicas: Option<Vec<i32>>,
    /// New replicas being taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removing_replicas: Option<Vec<i32>>,
}

impl PartitionChange {
    /// A change of a partition that changes nothing yet.
    pub fn of(topic_id: Uuid, partition: i32) -> Self {
        Self { topic_id, partition, ..Self::default() }
    }
}

/// A broker's registration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerRecord {
    /// Node id, from 0.
    pub broker_id: i32,
    /// Raised with every registration of any broker.
    pub broker_epoch: i64,
    /// Where clients reach it.
    pub host: String,
    /// Where clients reach it.
    pub port: u16,
    /// Failure domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// Registered, but not to be given leaderships.
    #[serde(default)]
    pub fenced: bool,
    /// This life of the broker's process; zero in registrations of the first versions.
    #[serde(default, with = "uuid_text")]
    pub incarnation_id: Uuid,
    /// The broker's data folder; zero in registrations of the first versions.
    #[serde(default, with = "uuid_text")]
    pub directory_id: Uuid,
    /// About to stop: gives its leaderships away and gets no new ones.
    #[serde(default)]
    pub in_controlled_shutdown: bool,
    /// The oldest registration that the broker's folder may remember without having lost anything: the last under which it
    /// was let in. Missing: this registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_since: Option<i64>,
    /// Its log directory takes no writes (KIP-858): what it holds can be read, and that is all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub log_dir_offline: bool,
}

/// A change of a broker's registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerChange {
    /// Node id.
    pub broker_id: i32,
    /// The registration that is meant.
    pub broker_epoch: i64,
    /// Whether it may be given leaderships.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced: Option<bool>,
    /// Whether it is about to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_controlled_shutdown: Option<bool>,
    /// Whether its log directory takes no writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_dir_offline: Option<bool>,
}

/// What a dynamic config belongs to (Kafka's resource types that have configs).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum ConfigResource {
    /// A topic by name.
    Topic(String),
    /// A broker by node id; `None` is the default of all brokers.
    Broker(Option<i32>),
    /// A consumer group by id.
    Group(String),
}

impl std::fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConfigResource::Topic(name) => write!(f, "topic {name}"),
            ConfigResource::Broker(Some(id)) => write!(f, "broker {id}"),
            ConfigResource::Broker(None) => f.write_str("the default of all brokers"),
            ConfigResource::Group(id) => write!(f, "group {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form on disk is a promise to data folders that exist: a change here needs a new format version.
    #[test]
    fn form_on_disk_stays() {
        let id = Uuid(*b"0123456789abcdef");
        let table = [
            (
                MetadataRecord::Topic { name: "t".into(), topic_id: id },
                r#"{"type":"Topic","name":"t","topic_id":"MDEyMzQ1Njc4OWFiY2RlZg"}"#,
            ),
            (
                MetadataRecord::Partition(PartitionRecord {
                    topic_id: id,
                    partition: 0,
                    replicas: vec![1],
                    isr: vec![1],
                    leader: 1,
                    leader_epoch: 0,
                    partition_epoch: 0,
                    ..PartitionRecord::default()
                }),
                r#"{"type":"Partition","topic_id":"MDEyMzQ1Njc4OWFiY2RlZg","partition":0,"replicas":[1],"isr":[1],"leader":1,"leader_epoch":0,"partition_epoch":0}"#,
            ),
            (
                MetadataRecord::Config {
                    resource: ConfigResource::Broker(None),
                    key: "k".into(),
                    value: None,
                },
                r#"{"type":"Config","resource":{"kind":"broker","name":null},"key":"k","value":null}"#,
            ),
            (
                MetadataRecord::ProducerIds { next_producer_id: 1000 },
                r#"{"type":"ProducerIds","next_producer_id":1000}"#,
            ),
        ];
        for (record, text) in table {
            assert_eq!(serde_json::to_string(&record).unwrap(), text);
            assert_eq!(serde_json::from_str::<MetadataRecord>(text).unwrap(), record);
        }
    }

    #[test]
    fn unknown_record_is_an_error() {
        assert!(serde_json::from_str::<MetadataRecord>(r#"{"type":"Later","x":1}"#).is_err());
    }
}
