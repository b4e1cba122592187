//! `KTable`: the latest value of each key, and its changes.

use super::{Datum, Graph, KGroupedTable, KStream};
use crate::record::Record;
use crate::topology::NodeId;
use std::marker::PhantomData;
use std::sync::Arc;

/// A table with keys of type `K` and rows of type `V`. Closures never see a deleted row.
#[derive(Debug)]
pub struct KTable<K, V> {
    graph: Graph,
    node: NodeId,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Datum, V: Datum> KTable<K, V> {
    pub(super) fn at(graph: &Graph, node: NodeId) -> KTable<K, V> {
        KTable { graph: graph.clone(), node, types: PhantomData }
    }

    pub fn filter(&self, holds: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> KTable<K, V> {
        let mut graph = self.graph.lock();
        let name = graph.generated_name("filter");
        let predicate = Arc::new(move |r: &Record, _: &_| {
            Ok(holds(&K::from_value(&r.key)?, &V::from_value(&r.value)?))
        });
        let node = graph.filter(&name, self.node, predicate, true);
        KTable::at(&self.graph, node)
    }

    pub fn map_values<W: Datum>(&self, f: impl Fn(V) -> W + Send + Sync + 'static) -> KTable<K, W> {
        let mut graph = self.graph.lock();
        let name = graph.generated_name("map-values");
        let f = Arc::new(move |r: &Record, _: &_| Ok(f(V::from_value(&r.value)?).into_value()));
        let node = graph.map_values(&name, self.node, f, W::SERDE.type_of(), true);
        KTable::at(&self.graph, node)
    }

    /// Groups the rows by a new key (and value), through the repartition topic `<app>-<name>-repartition`; a row that
    /// changes its group is taken out of the old one.
    pub fn group_by<L: Datum, W: Datum>(
        &self,
        name: &str,
        f: impl Fn(K, V) -> (L, W) + Send + Sync + 'static,
    ) -> KGroupedTable<L, W> {
        let f = Arc::new(f);
        let both = move |r: &Record| -> Result<(L, W), crate::processor::ProcessError> {
            Ok(f(K::from_value(&r.key)?, V::from_value(&r.value)?))
        };
        let other = both.clone();
        let key = Arc::new(move |r: &Record, _: &_| Ok(both(r)?.0.into_value()));
        let value = Arc::new(move |r: &Record, _: &_| Ok(other(r)?.1.into_value()));
        let types = (L::SERDE.type_of(), W::SERDE.type_of());
        let node = self.graph.lock().group_table(name, self.node, key, Some(value), types);
        KGroupedTable::at(&self.graph, node)
    }

    /// The changes as events; a deletion has a null value.
    pub fn to_stream(&self) -> KStream<K, V> {
        let mut graph = self.graph.lock();
        let name = graph.generated_name("to-stream");
        let node = graph.stream_of(&name, self.node);
        KStream::at(&self.graph, node, false)
    }
}
