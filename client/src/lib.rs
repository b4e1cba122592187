//! A Kafka client: producer, consumer with groups, admin. Everything in the project that speaks to a broker uses it.
//!
//! It knows the protocol and sockets; it must not know Connect, Streams, Kubernetes, or what records mean.
//!
//! * [`Client`]: connections and metadata, shared by all that is made from it. Lazy: it connects when used, and
//!   reconnects by itself.
//! * [`Producer`]: batches records per partition and writes them idempotently.
//! * [`Consumer`]: fetches assigned partitions, alone or in a group.
//! * [`GroupMember`]: membership of a classic group with a protocol of the caller's; the consumer is one user.
//! * [`Admin`]: topics, configs, offsets, groups.
//!
//! Inside: `connection` (one task a connection: pipelining, correlation, limits, timeouts) ← `cluster` (which
//! connection to use: metadata, leaders, coordinators, retries) ← the four above.
//!
//! Invariants:
//!
//! * Every wait ends: by a result, by a timeout from the configuration, or because the client was closed.
//! * An idempotent producer writes a record once or reports that it cannot tell; records of a partition that are
//!   written are in the order of their `send` calls.
//! * Every queue has a limit: the producer's in bytes, a connection's in requests, the consumer's in bytes.

mod admin;
mod cluster;
mod config;
mod connection;
mod consumer;
mod error;
mod group;
mod producer;
mod types;

pub use admin::{
    Admin, ClusterDescription, ConfigEntry, ConfigOp, GroupDescription, GroupListing,
    GroupMemberDescription, ListedOffset, NewTopic, OffsetSpec, PartitionInfo, RaftVoter,
    TopicConfigs, TopicDescription, TopicListing,
};
pub use cluster::{Client, Node, PartitionMetadata, TopicMetadata};
pub use config::{ClientConfig, ConfigError};
pub use connection::{CallError, Connection, ConnectionConfig};
pub use consumer::{
    Assignor, AutoOffsetReset, CommitError, ConsumeError, Consumer, ConsumerConfig, ConsumerRecord,
    Isolation, RebalanceEvent, RebalanceListener,
};
pub use error::{ApiError, ClientError};
pub use group::{
    Assigned, GroupConfig, GroupError, GroupMember, GroupProtocol, JoinedMember, LostReason,
};
pub use producer::{
    Acks, Delivery, ProduceError, Producer, ProducerConfig, ProducerRecord, RecordMetadata,
    partition_for_key,
};
pub use types::TopicPartition;

/// Future type of the traits that callers implement.
pub use futures_util::future::BoxFuture;
/// Kinds of compression a producer can use.
pub use protocol::records::Compression;
