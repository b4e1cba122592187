//! The interface of a source connector and its tasks.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::connector::{Connector, ConnectorContext};
use super::error::ConnectError;
use super::record::{OffsetMap, SourceRecord};
use crate::config::Config;

/// Reads something outside Kafka: splits the work into task configurations and makes the tasks.
pub trait SourceConnector: Connector {
    /// A task of this connector, not started yet.
    fn task(&self) -> Box<dyn SourceTask>;

    /// Checks offsets that a person is about to set or (`None`) to reset; the connector is stopped.
    ///
    /// # Errors
    /// A message for that person, when a partition or an offset is none of this connector's.
    fn alter_offsets(
        &self,
        _config: &Config,
        _offsets: &[(OffsetMap, Option<OffsetMap>)],
    ) -> Result<(), ConnectError> {
        Ok(())
    }
}

/// Where a source task left off.
pub trait OffsetReader: Send + Sync + std::fmt::Debug {
    /// The last committed offset of a source partition.
    fn offset(&self, partition: &OffsetMap) -> Option<OffsetMap>;
}

/// What a source task is given when it starts.
#[derive(Clone, Debug)]
pub struct SourceTaskContext {
    pub connector: ConnectorContext,
    pub task: u32,
    pub offsets: Arc<dyn OffsetReader>,
}

/// Reads records. All calls come from one place, one after the other; a poll may be dropped when the task stops, so
/// what it has taken must not depend on the end of the future.
pub trait SourceTask: Send {
    /// Called once, before the first poll.
    fn start<'a>(
        &'a mut self,
        context: SourceTaskContext,
        config: &'a Config,
    ) -> BoxFuture<'a, Result<(), ConnectError>>;

    /// The next records in order; empty when there is nothing now. Waits a little (about 100 ms), never long.
    fn poll(&mut self) -> BoxFuture<'_, Result<Vec<SourceRecord>, ConnectError>>;

    /// Everything delivered up to some earlier poll is acknowledged by Kafka and its offsets are committed.
    fn committed(&mut self) -> BoxFuture<'_, Result<(), ConnectError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Whether the last poll saw the end of what the source holds at present. A source without an end says false.
    fn at_end(&self) -> bool {
        false
    }

    /// What the task waits for, when a person should know (`waits for file a.txt, which does not exist`).
    fn note(&self) -> Option<String> {
        None
    }

    /// Called once, last, also after a failure.
    fn stop(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
