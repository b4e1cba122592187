//! The broker: a listener for Kafka's protocol over partitions, groups and the cluster's metadata.
//!
//! A record goes one way: [`listener`] → [`connection`] (frame) → [`dispatch`] → `api` → [`partition`] → `storage`, and back
//! as segments that the connection writes.
//!
//! | module | what |
//! |---|---|
//! | [`start`] | [`Broker`]: puts the parts together, recovers, opens the ports, stops |
//! | [`broker_config`] | [`BrokerConfig`]: what it is started with |
//! | [`config`] | Kafka's broker and topic configs: types, defaults, validation |
//! | [`context`] | what every handler may use |
//! | [`listener`], [`connection`] | sockets, frames, pipelining, writing |
//! | [`dispatch`] | which API goes where |
//! | `api` | one file an API |
//! | [`partition`] | partitions: decisions without I/O, and the log under them |
//! | [`peers`] | requests to other brokers |
//! | [`replication`] | fetching from leaders, in-sync replicas |
//! | [`throttle`] | how fast replicas that are not in sync are filled |
//! | [`group`] | the group coordinator: a state machine, and its log |
//! | [`cluster`] | this broker as one of a cluster: quorum, registration, what goes to the active controller |
//! | [`controller`] | commands to this node's controller |
//! | [`producer_ids`] | ids for idempotent producers |
//! | [`traffic`] | bytes in and out of each partition, as averages |
//! | [`housekeeping`] | retention, expiry, checkpoints by the clock |
//! | [`safety`] | what an operator asks before it touches brokers |
//! | [`admin`], [`metrics`] | probes and figures |
//!
//! It must not know Kubernetes, YAML, or who its clients are.
//!
//! Invariants: nothing is acknowledged before it is as durable as was asked for; a bad request costs its own connection at
//! most; handlers take one metadata image and see one state throughout; decisions take time as a parameter.

mod admin;
mod api;
mod broker_config;
mod cluster;
pub mod config;
mod connection;
mod context;
mod controller;
mod descriptors;
mod dispatch;
mod entropy;
mod group;
mod housekeeping;
mod listener;
mod metrics;
mod partition;
mod peers;
mod producer_ids;
mod replication;
mod safety;
mod start;
mod throttle;
mod traffic;

pub use broker_config::BrokerConfig;
pub use context::Broker;
pub use listener::ListenError;
pub use start::{BrokerHandle, StartError};
