//! The DSL: `KStream` and `KTable` with Rust types, as in Kafka Streams.
//!
//! ```
//! use streams::StreamsBuilder;
//!
//! let builder = StreamsBuilder::new();
//! builder
//!     .stream::<Option<String>, String>("lines")
//!     .flat_map_values(|line: String| line.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>())
//!     .group_by("by-word", |_key: Option<String>, word: String| (word.clone(), word))
//!     .count("counts")
//!     .to_stream()
//!     .to("word-counts");
//! let topology = builder.build()?;
//! # Ok::<(), streams::topology::TopologyError>(())
//! ```
//!
//! Steps that keep state or repartition must be named; a name must not change while the state is to be kept. Closures
//! must depend on their arguments alone: after a crash the same input is processed again, and what was counted before
//! is recognised because it is made in the same way.

mod datum;
mod grouped;
mod stream;
mod table;

pub use datum::{Datum, DatumError};
pub use grouped::{KGroupedStream, KGroupedTable};
pub use stream::KStream;
pub use table::KTable;

use crate::Serde;
use crate::processor::ProcessError;
use crate::topology::{GraphBuilder, StoreSpec, Topology, TopologyError};
use parking_lot::Mutex;
use protocol::Str;
use std::sync::Arc;

type Graph = Arc<Mutex<GraphBuilder>>;

impl From<DatumError> for ProcessError {
    fn from(error: DatumError) -> ProcessError {
        ProcessError::Record(error.to_string())
    }
}

/// Begins a topology.
#[derive(Debug, Default)]
pub struct StreamsBuilder {
    graph: Graph,
}

impl StreamsBuilder {
    pub fn new() -> StreamsBuilder {
        StreamsBuilder::default()
    }

    /// The records of `topic` as events, with the serdes of `K` and `V`.
    pub fn stream<K: Datum, V: Datum>(&self, topic: &str) -> KStream<K, V> {
        let mut graph = self.graph.lock();
        let name = graph.generated_name("source");
        let node = graph.read_stream(&name, topic, K::SERDE, V::SERDE);
        KStream::at(&self.graph, node, false)
    }

    /// The records of `topic` as rows, kept in the store `name`; a null value deletes the row.
    pub fn table<K: Datum, V: Datum>(&self, topic: &str, name: &str) -> KTable<K, V> {
        let node = self.graph.lock().read_table(name, topic, K::SERDE, V::SERDE);
        KTable::at(&self.graph, node)
    }

    /// A store for processors of one's own ([`KStream::process`]).
    pub fn add_store(&self, name: &str, key: Serde, value: Serde) {
        self.graph.lock().store(StoreSpec { name: Str::copy(name), key, value });
    }

    /// The finished topology, or the first thing that is wrong with it.
    pub fn build(self) -> Result<Topology, TopologyError> {
        std::mem::take(&mut *self.graph.lock()).build()
    }
}

#[cfg(test)]
mod tests;
