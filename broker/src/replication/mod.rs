//! Replication between brokers: who fetches what from whom, and who is in sync.
//!
//! | file | what |
//! |---|---|
//! | [`manager`] | follows the partitions' assignment: starts and feeds fetchers, one a leader broker and number |
//! | [`fetcher`] | one long poll after another to one leader; flushes, truncates, backs off |
//! | [`session`] | what the leader knows already, so that a request names only what has changed (KIP-227) |
//! | [`answer`] | what one partition does with its part of a leader's answer |
//! | [`isr`] | proposes changes of in-sync replicas to the controller ([`IsrChanges`]) |
//! | [`alter_partition`] | those proposals as Kafka's message, for whoever sends it |
//! | [`selector`] | the replica that a consumer should read from (KIP-392) |
//!
//! Decisions are [`replica::Replica`]'s; here are time, requests and blocking work.
//!
//! Invariants: a partition that fails (its disk, a leader's refusal, a bad batch) waits alone, the others go on; a fetch goes
//! out only when everything before its position is as durable as the rules ask for; without a registration in this process's
//! life (a broker epoch) nothing is fetched, so that no leader takes this broker for its predecessor (KIP-903).

pub(crate) mod alter_partition;
mod answer;
mod fetcher;
mod isr;
mod manager;
mod selector;
mod session;

use std::time::Duration;

use crate::config::Configs;

pub(crate) use isr::{IsrChanges, PartitionProposal};
pub(crate) use manager::Replication;
pub(crate) use selector::{preferred_replica, reads_near};

/// Kafka's configs of replication, as they hold for this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplicationSettings {
    /// `replica.fetch.wait.max.ms`.
    pub(crate) max_wait: Duration,
    /// `replica.fetch.min.bytes`.
    pub(crate) min_bytes: i32,
    /// `replica.fetch.max.bytes`, of one partition.
    pub(crate) partition_max_bytes: i32,
    /// `replica.fetch.response.max.bytes`.
    pub(crate) response_max_bytes: i32,
    /// `replica.fetch.backoff.ms`, after an error.
    pub(crate) backoff: Duration,
    /// `replica.socket.timeout.ms`, on top of the wait.
    pub(crate) timeout: Duration,
    /// `replica.lag.time.max.ms`.
    pub(crate) max_lag: Duration,
}

impl ReplicationSettings {
    pub(crate) fn of(configs: &Configs) -> Self {
        let int = |key: &str| i32::try_from(configs.static_long(key)).unwrap_or(i32::MAX);
        let ms =
            |key: &str| Duration::from_millis(u64::try_from(configs.static_long(key)).unwrap_or(0));
        Self {
            max_wait: ms("replica.fetch.wait.max.ms"),
            min_bytes: int("replica.fetch.min.bytes"),
            partition_max_bytes: int("replica.fetch.max.bytes"),
            response_max_bytes: int("replica.fetch.response.max.bytes"),
            backoff: ms("replica.fetch.backoff.ms").max(Duration::from_millis(1)),
            timeout: ms("replica.socket.timeout.ms"),
            max_lag: ms("replica.lag.time.max.ms"),
        }
    }
}
