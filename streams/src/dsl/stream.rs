//! `KStream`: a stream of events.

use super::{Datum, Graph, KGroupedStream, KTable};
use crate::record::Record;
use crate::topology::{NodeId, Supplier};
use std::marker::PhantomData;
use std::sync::Arc;

/// A stream of events with keys of type `K` and values of type `V`.
///
/// A null where a closure takes a plain type sends the record to the error handler; take an `Option` where nulls are
/// to be expected (keys of a topic without keys, for instance).
#[derive(Debug)]
pub struct KStream<K, V> {
    pub(super) graph: Graph,
    pub(super) node: NodeId,
    /// The key was changed since the topic: grouping must repartition.
    pub(super) key_changed: bool,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Datum, V: Datum> KStream<K, V> {
    pub(super) fn at(graph: &Graph, node: NodeId, key_changed: bool) -> KStream<K, V> {
        KStream { graph: graph.clone(), node, key_changed, types: PhantomData }
    }

    pub fn filter(&self, holds: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> KStream<K, V> {
        let mut graph = self.graph.lock();
        let name = graph.generated_name("filter");
        let predicate = Arc::new(move |r: &Record, _: &_| {
            Ok(holds(&K::from_value(&r.key)?, &V::from_value(&r.value)?))
        });
        let node = graph.filter(&name, self.node, predicate, false);
        KStream::at(&self.graph, node, self.key_changed)
    }

    pub fn map_values<W: Datum>(
        &self,
        f: impl Fn(V) -> W + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let mut graph = self.graph.lock();
        let name = graph.generated_name("map-values");
        let f = Arc::new(move |r: &Record, _: &_| Ok(f(V::from_value(&r.value)?).into_value()));
        let node = graph.map_values(&name, self.node, f, W::SERDE.type_of(), false);
        KStream::at(&self.graph, node, self.key_changed)
    }

    pub fn flat_map_values<W: Datum, I: IntoIterator<Item = W>>(
        &self,
        f: impl Fn(V) -> I + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let mut graph = self.graph.lock();
        let name = graph.generated_name("flat-map-values");
        let f = Arc::new(move |r: &Record, _: &_| {
            Ok(f(V::from_value(&r.value)?).into_iter().map(W::into_value).collect())
        });
        let node = graph.flat_map_values(&name, self.node, f, W::SERDE.type_of());
        KStream::at(&self.graph, node, self.key_changed)
    }

    pub fn select_key<L: Datum>(
        &self,
        f: impl Fn(K, V) -> L + Send + Sync + 'static,
    ) -> KStream<L, V> {
        let mut graph = self.graph.lock();
        let name = graph.generated_name("select-key");
        let f = Arc::new(move |r: &Record, _: &_| {
            Ok(f(K::from_value(&r.key)?, V::from_value(&r.value)?).into_value())
        });
        let node = graph.select_key(&name, self.node, f, L::SERDE.type_of());
        KStream::at(&self.graph, node, true)
    }

    pub fn map<L: Datum, W: Datum>(
        &self,
        f: impl Fn(K, V) -> (L, W) + Send + Sync + 'static,
    ) -> KStream<L, W> {
        let mut graph = self.graph.lock();
        let name = graph.generated_name("map");
        let node = self.map_named(&mut graph, &name, f);
        KStream::at(&self.graph, node, true)
    }

    fn map_named<L: Datum, W: Datum>(
        &self,
        graph: &mut crate::topology::GraphBuilder,
        name: &str,
        f: impl Fn(K, V) -> (L, W) + Send + Sync + 'static,
    ) -> NodeId {
        let supplier: Supplier = crate::processor::map_both(Arc::new(move |r: &Record, _: &_| {
            let (key, value) = f(K::from_value(&r.key)?, V::from_value(&r.value)?);
            Ok((key.into_value(), value.into_value()))
        }));
        let types = (L::SERDE.type_of(), W::SERDE.type_of());
        graph.processor(name, self.node, supplier, &[], types)
    }

    /// Looks at every record on its way.
    pub fn peek(&self, look: impl Fn(&K, &V) + Send + Sync + 'static) -> KStream<K, V> {
        let mut graph = self.graph.lock();
        let name = graph.generated_name("peek");
        let supplier = crate::processor::peek(Arc::new(move |r: &Record, _: &_| {
            look(&K::from_value(&r.key)?, &V::from_value(&r.value)?);
            Ok(())
        }));
        let types = graph.types_of(self.node);
        let node = graph.processor(&name, self.node, supplier, &[], types);
        KStream::at(&self.graph, node, self.key_changed)
    }

    /// A processor of one's own, called `name`, that uses `stores` (added with
    /// [`super::StreamsBuilder::add_store`]).
    pub fn process<L: Datum, W: Datum>(
        &self,
        name: &str,
        supplier: Supplier,
        stores: &[&str],
    ) -> KStream<L, W> {
        let types = (L::SERDE.type_of(), W::SERDE.type_of());
        let node = self.graph.lock().processor(name, self.node, supplier, stores, types);
        KStream::at(&self.graph, node, true)
    }

    /// Groups by a new key (and value) through the repartition topic `<app>-<name>-repartition`.
    pub fn group_by<L: Datum, W: Datum>(
        &self,
        name: &str,
        f: impl Fn(K, V) -> (L, W) + Send + Sync + 'static,
    ) -> KGroupedStream<L, W> {
        let mut graph = self.graph.lock();
        let mapped = self.map_named(&mut graph, name, f);
        let node = graph.repartition_stream(name, mapped);
        KGroupedStream::at(&self.graph, node)
    }

    /// Groups by the key that there is; repartitions only if it was changed.
    pub fn group_by_key(&self, name: &str) -> KGroupedStream<K, V> {
        KGroupedStream::at(&self.graph, self.partitioned(name))
    }

    /// The latest value of each key, kept in the store `name`; a null value deletes.
    pub fn to_table(&self, name: &str) -> KTable<K, V> {
        let node = self.partitioned(name);
        let node = self.graph.lock().keep_table(name, node, (K::SERDE, V::SERDE));
        KTable::at(&self.graph, node)
    }

    fn partitioned(&self, name: &str) -> NodeId {
        if self.key_changed {
            self.graph.lock().repartition_stream(name, self.node)
        } else {
            self.node
        }
    }

    /// Writes every record to `topic`, with the serdes of `K` and `V`.
    pub fn to(&self, topic: &str) {
        let mut graph = self.graph.lock();
        let name = graph.generated_name("sink");
        graph.write_topic(&name, self.node, topic, K::SERDE, V::SERDE);
    }
}
