//! The interface of a sink connector and its tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::connector::{Connector, ConnectorContext};
use super::error::ConnectError;
use super::record::{SinkRecord, TopicPartition};
use crate::config::Config;

/// Writes records to something outside Kafka.
pub trait SinkConnector: Connector {
    /// A task of this connector, not started yet.
    fn task(&self) -> Box<dyn SinkTask>;

    /// Called when a person sets or (`None`) resets the connector's consumer offsets; the connector is stopped.
    ///
    /// # Errors
    /// A message for that person, when this connector cannot follow.
    fn alter_offsets(
        &self,
        _config: &Config,
        _offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<(), ConnectError> {
        Ok(())
    }
}

/// The next offset to be consumed of each partition.
pub type SinkOffsets = BTreeMap<TopicPartition, i64>;

/// Where a sink task reports a record that it cannot write (KIP-610).
pub trait ErrantRecordReporter: Send + Sync + std::fmt::Debug {
    /// Hands the record to the error handler: log and dead-letter topic.
    ///
    /// # Errors
    /// When the connector tolerates no errors: the task must return this error.
    fn report<'a>(
        &'a self,
        record: &'a SinkRecord,
        error: ConnectError,
    ) -> BoxFuture<'a, Result<(), ConnectError>>;
}

/// What a sink task is given when it starts.
#[derive(Clone, Debug)]
pub struct SinkTaskContext {
    pub connector: ConnectorContext,
    pub task: u32,
    pub errant: Arc<dyn ErrantRecordReporter>,
}

/// A partition that a sink task is given, with the offset that its group has committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedPartition {
    pub partition: TopicPartition,
    pub committed: Option<i64>,
}

/// Writes records. All calls come from one place, one after the other.
pub trait SinkTask: Send {
    /// Called once, before anything else.
    fn start<'a>(
        &'a mut self,
        context: SinkTaskContext,
        config: &'a Config,
    ) -> BoxFuture<'a, Result<(), ConnectError>>;

    /// Partitions were assigned. Returns where to begin in those that shall not begin at the committed offset.
    fn open<'a>(
        &'a mut self,
        _partitions: &'a [OpenedPartition],
    ) -> BoxFuture<'a, Result<SinkOffsets, ConnectError>> {
        Box::pin(std::future::ready(Ok(SinkOffsets::new())))
    }

    /// Records in offset order within each partition. A retriable error brings the same records again.
    fn put<'a>(&'a mut self, records: &'a [SinkRecord]) -> BoxFuture<'a, Result<(), ConnectError>>;

    /// Makes everything put so far durable and returns the offsets that may be committed (`offsets`: what was put).
    fn pre_commit<'a>(
        &'a mut self,
        offsets: &'a SinkOffsets,
    ) -> BoxFuture<'a, Result<SinkOffsets, ConnectError>>;

    /// These offsets, which a `pre_commit` returned, are committed.
    fn committed(&mut self, _offsets: &SinkOffsets) {}

    /// Partitions are given up: after a commit, or without one when they were lost. What is held for them is to be
    /// dropped.
    fn close<'a>(
        &'a mut self,
        _partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, Result<(), ConnectError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Called once, last, also after a failure.
    fn stop(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
