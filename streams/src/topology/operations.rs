//! The operations that both the DSL and the declared app are made of.

use super::{GraphBuilder, NodeId, Sink, Source, StoreSpec, Topic};
use crate::processor::{self, AggregateFn, Predicate, ValueFn, ValuesFn};
use crate::{Serde, Type, Value};
use protocol::Str;

impl GraphBuilder {
    pub(crate) fn read_stream(
        &mut self,
        name: &str,
        topic: &str,
        key: Serde,
        value: Serde,
    ) -> NodeId {
        let topic = Topic::External(Str::copy(topic));
        self.source(name, Source { topic, key, value, changes: false })
    }

    /// A table out of a topic: its rows are kept in the store `name`.
    pub(crate) fn read_table(
        &mut self,
        name: &str,
        topic: &str,
        key: Serde,
        value: Serde,
    ) -> NodeId {
        let source = self.read_stream(&format!("{name}-source"), topic, key, value);
        self.keep_table(name, source, (key, value))
    }

    /// Keeps the latest value of each key in the store `name`.
    pub(crate) fn keep_table(
        &mut self,
        name: &str,
        parent: NodeId,
        (key, value): (Serde, Serde),
    ) -> NodeId {
        self.store(StoreSpec { name: Str::copy(name), key, value });
        let types = self.types_of(parent);
        self.processor(name, parent, processor::table_store(), &[name], types)
    }

    pub(crate) fn map_values(
        &mut self,
        name: &str,
        parent: NodeId,
        f: ValueFn,
        value: Type,
        table: bool,
    ) -> NodeId {
        let supplier =
            if table { processor::map_table_values(f) } else { processor::map_values(f) };
        let key = self.types_of(parent).0;
        self.processor(name, parent, supplier, &[], (key, value))
    }

    pub(crate) fn flat_map_values(
        &mut self,
        name: &str,
        parent: NodeId,
        f: ValuesFn,
        value: Type,
    ) -> NodeId {
        let key = self.types_of(parent).0;
        self.processor(name, parent, processor::flat_map_values(f), &[], (key, value))
    }

    pub(crate) fn filter(
        &mut self,
        name: &str,
        parent: NodeId,
        holds: Predicate,
        table: bool,
    ) -> NodeId {
        let supplier =
            if table { processor::filter_table(holds) } else { processor::filter(holds) };
        let types = self.types_of(parent);
        self.processor(name, parent, supplier, &[], types)
    }

    pub(crate) fn select_key(
        &mut self,
        name: &str,
        parent: NodeId,
        f: ValueFn,
        key: Type,
    ) -> NodeId {
        let value = self.types_of(parent).1;
        self.processor(name, parent, processor::select_key(f), &[], (key, value))
    }

    pub(crate) fn map(
        &mut self,
        name: &str,
        parent: NodeId,
        (key, value): (ValueFn, ValueFn),
        types: (Type, Type),
    ) -> NodeId {
        self.processor(name, parent, processor::map(key, value), &[], types)
    }

    pub(crate) fn stream_of(&mut self, name: &str, parent: NodeId) -> NodeId {
        let types = self.types_of(parent);
        self.processor(name, parent, processor::to_stream(), &[], types)
    }

    /// Sends a stream through the repartition topic `name`, without the records that have no key.
    pub(crate) fn repartition_stream(&mut self, name: &str, parent: NodeId) -> NodeId {
        let (key, value) = self.types_of(parent);
        let serdes = (Serde::for_type(&key), Serde::for_type(&value));
        let keyed = self.processor(
            &format!("{name}-keyed"),
            parent,
            processor::require_key(),
            &[],
            (key, value),
        );
        self.repartition(name, keyed, serdes, false)
    }

    /// Groups a table's rows anew, through the repartition topic `name`.
    pub(crate) fn group_table(
        &mut self,
        name: &str,
        parent: NodeId,
        key: ValueFn,
        value: Option<ValueFn>,
        types: (Type, Type),
    ) -> NodeId {
        let serdes = (Serde::for_type(&types.0), Serde::for_type(&types.1));
        let grouped = self.processor(name, parent, processor::group_table(key, value), &[], types);
        self.repartition(name, grouped, serdes, true)
    }

    /// Aggregates a grouped stream into the store `name`.
    pub(crate) fn aggregate_stream(
        &mut self,
        name: &str,
        parent: NodeId,
        init: Value,
        add: AggregateFn,
        aggregate: Type,
    ) -> NodeId {
        let key = self.aggregate_store(name, parent, &aggregate);
        let supplier = processor::stream_aggregate(init, add);
        self.processor(name, parent, supplier, &[name], (key, aggregate))
    }

    /// Aggregates a grouped table into the store `name`.
    pub(crate) fn aggregate_table(
        &mut self,
        name: &str,
        parent: NodeId,
        init: Value,
        (add, subtract): (AggregateFn, AggregateFn),
        aggregate: Type,
    ) -> NodeId {
        let key = self.aggregate_store(name, parent, &aggregate);
        let supplier = processor::table_aggregate(init, add, subtract);
        self.processor(name, parent, supplier, &[name], (key, aggregate))
    }

    fn aggregate_store(&mut self, name: &str, parent: NodeId, aggregate: &Type) -> Type {
        let key = self.types_of(parent).0;
        let (key_serde, value) = (Serde::for_type(&key), Serde::for_type(aggregate));
        self.store(StoreSpec { name: Str::copy(name), key: key_serde, value });
        key
    }

    pub(crate) fn write_topic(
        &mut self,
        name: &str,
        parent: NodeId,
        topic: &str,
        key: Serde,
        value: Serde,
    ) {
        let topic = Topic::External(Str::copy(topic));
        self.sink(name, parent, Sink { topic, key, value, changes: false });
    }
}

/// Adds `by` to a count.
pub(crate) fn counter(by: i64) -> AggregateFn {
    std::sync::Arc::new(move |_, so_far, _| match so_far {
        Value::Int(count) => Ok(Value::Int(count.saturating_add(by))),
        other => Err(processor::ProcessError::Record(format!("{other} is not a count"))),
    })
}
