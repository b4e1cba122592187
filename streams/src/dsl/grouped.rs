//! Grouped streams and tables: what can be aggregated.

use super::{Datum, Graph, KTable};
use crate::Value;
use crate::processor::AggregateFn;
use crate::record::Record;
use crate::topology::{NodeId, counter};
use std::marker::PhantomData;
use std::sync::Arc;

/// Events grouped by key.
#[derive(Debug)]
pub struct KGroupedStream<K, V> {
    graph: Graph,
    node: NodeId,
    types: PhantomData<fn() -> (K, V)>,
}

/// Rows grouped by a key of their own.
#[derive(Debug)]
pub struct KGroupedTable<K, V> {
    graph: Graph,
    node: NodeId,
    types: PhantomData<fn() -> (K, V)>,
}

fn aggregate_fn<K: Datum, V: Datum, A: Datum>(
    f: impl Fn(K, V, A) -> A + Send + Sync + 'static,
) -> AggregateFn {
    Arc::new(move |record: &Record, so_far: &Value, _: &_| {
        let (key, value) = (K::from_value(&record.key)?, V::from_value(&record.value)?);
        Ok(f(key, value, A::from_value(so_far)?).into_value())
    })
}

impl<K: Datum, V: Datum> KGroupedStream<K, V> {
    pub(super) fn at(graph: &Graph, node: NodeId) -> KGroupedStream<K, V> {
        KGroupedStream { graph: graph.clone(), node, types: PhantomData }
    }

    /// Counts the events of each key, in the store `name`.
    pub fn count(&self, name: &str) -> KTable<K, i64> {
        let mut graph = self.graph.lock();
        let node =
            graph.aggregate_stream(name, self.node, Value::Int(0), counter(1), crate::Type::Int);
        KTable::at(&self.graph, node)
    }

    /// Aggregates the events of each key, from `init` on, in the store `name`.
    pub fn aggregate<A: Datum>(
        &self,
        name: &str,
        init: A,
        add: impl Fn(K, V, A) -> A + Send + Sync + 'static,
    ) -> KTable<K, A> {
        let (init, add) = (init.into_value(), aggregate_fn(add));
        let mut graph = self.graph.lock();
        let node = graph.aggregate_stream(name, self.node, init, add, A::SERDE.type_of());
        KTable::at(&self.graph, node)
    }
}

impl<K: Datum, V: Datum> KGroupedTable<K, V> {
    pub(super) fn at(graph: &Graph, node: NodeId) -> KGroupedTable<K, V> {
        KGroupedTable { graph: graph.clone(), node, types: PhantomData }
    }

    /// Counts the rows of each group, in the store `name`. A group that empties stays, with a count of 0.
    pub fn count(&self, name: &str) -> KTable<K, i64> {
        let mut graph = self.graph.lock();
        let steps = (counter(1), counter(-1));
        let node = graph.aggregate_table(name, self.node, Value::Int(0), steps, crate::Type::Int);
        KTable::at(&self.graph, node)
    }

    /// Aggregates the rows of each group: `subtract` takes an old row out, `add` puts a new one in.
    pub fn aggregate<A: Datum>(
        &self,
        name: &str,
        init: A,
        add: impl Fn(K, V, A) -> A + Send + Sync + 'static,
        subtract: impl Fn(K, V, A) -> A + Send + Sync + 'static,
    ) -> KTable<K, A> {
        let steps = (aggregate_fn(add), aggregate_fn(subtract));
        let mut graph = self.graph.lock();
        let init = init.into_value();
        let node = graph.aggregate_table(name, self.node, init, steps, A::SERDE.type_of());
        KTable::at(&self.graph, node)
    }
}
