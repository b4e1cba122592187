//! A subtopology as one task runs it: its nodes with processors of their own.

use super::TaskStores;
use super::change;
use crate::processor::{Context, ProcessError, Processor};
use crate::record::{Origin, Record};
use crate::store::StoreError;
use crate::topology::{NodeKind, Sink, Source, Subtopology, Topic, Topology};
use protocol::Str;
use std::collections::HashMap;
use std::sync::Arc;

/// What processing a record has led to.
pub(super) struct Effects<'a> {
    pub origin: &'a Origin,
    pub stores: &'a mut TaskStores,
    pub out: &'a mut dyn FnMut(Emitted),
    /// Steps that could not handle what they were given: the step's name and why.
    pub failures: &'a mut Vec<(Str, String)>,
    pub dropped: &'a mut u64,
}

/// A record for a topic, serialized.
pub(super) struct Emitted {
    pub topic: Str,
    pub internal: bool,
    pub key: Option<bytes::Bytes>,
    pub value: Option<bytes::Bytes>,
    pub record: Record,
}

enum Kind {
    Source,
    Processor(Box<dyn Processor>),
    Sink { topic: Str, sink: Sink },
}

struct Unit {
    name: Str,
    kind: Kind,
    children: Arc<[usize]>,
    /// As indexes into the task's stores.
    stores: Box<[usize]>,
    /// Kept between records, so that forwarding allocates nothing.
    buffer: Vec<Record>,
}

pub(super) struct Graph {
    units: Vec<Unit>,
    sources: HashMap<Str, (usize, Source)>,
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph").field("units", &self.units.len()).finish_non_exhaustive()
    }
}

impl Graph {
    pub(super) fn new(topology: &Topology, part: &Subtopology, application_id: &str) -> Graph {
        let index: HashMap<usize, usize> =
            part.nodes.iter().enumerate().map(|(i, id)| (id.0, i)).collect();
        let store_index: HashMap<usize, usize> =
            part.stores.iter().enumerate().map(|(i, store)| (*store, i)).collect();
        let mut sources = HashMap::new();
        let mut units = Vec::with_capacity(part.nodes.len());
        for (i, id) in part.nodes.iter().enumerate() {
            let node = topology.node(*id);
            let kind = match &node.kind {
                NodeKind::Source(source) => {
                    let topic = source.topic.full_name(application_id);
                    sources.insert(topic, (i, source.clone()));
                    Kind::Source
                }
                NodeKind::Processor(supplier) => Kind::Processor(supplier()),
                NodeKind::Sink(sink) => {
                    Kind::Sink { topic: sink.topic.full_name(application_id), sink: sink.clone() }
                }
            };
            units.push(Unit {
                name: Str::copy(&node.name),
                kind,
                children: node.children.iter().filter_map(|c| index.get(&c.0).copied()).collect(),
                stores: node.stores.iter().filter_map(|s| store_index.get(s).copied()).collect(),
                buffer: Vec::new(),
            });
        }
        Graph { units, sources }
    }

    pub(super) fn source(&self, topic: &str) -> Option<(usize, &Source)> {
        self.sources.get(topic).map(|(unit, source)| (*unit, source))
    }

    pub(super) fn name(&self, unit: usize) -> Str {
        self.units.get(unit).map(|u| u.name.clone()).unwrap_or_default()
    }

    /// Runs `record` through `unit` and all below it, depth first, as Kafka Streams does.
    pub(super) fn run(
        &mut self,
        unit: usize,
        record: Record,
        effects: &mut Effects<'_>,
    ) -> Result<(), StoreError> {
        let this = &mut self.units[unit];
        match &mut this.kind {
            Kind::Source => self.forward(unit, record, effects),
            Kind::Sink { topic, sink } => {
                match emit(topic, sink, record) {
                    Ok(Some(emitted)) => (effects.out)(emitted),
                    Ok(None) => *effects.dropped += 1,
                    Err(error) => effects.failures.push((this.name.clone(), error.to_string())),
                }
                Ok(())
            }
            Kind::Processor(processor) => {
                let mut out = std::mem::take(&mut this.buffer);
                let mut context = Context {
                    out: &mut out,
                    stores: effects.stores,
                    connected: &this.stores,
                    origin: effects.origin,
                    dropped: effects.dropped,
                };
                match processor.process(&mut context, record) {
                    Ok(()) => {
                        for record in out.drain(..) {
                            self.forward(unit, record, effects)?;
                        }
                    }
                    Err(ProcessError::Record(message)) => {
                        out.clear();
                        effects.failures.push((this.name.clone(), message));
                    }
                    Err(ProcessError::Store(error)) => return Err(error),
                }
                self.units[unit].buffer = out;
                Ok(())
            }
        }
    }

    fn forward(
        &mut self,
        unit: usize,
        record: Record,
        effects: &mut Effects<'_>,
    ) -> Result<(), StoreError> {
        let children = self.units[unit].children.clone();
        let Some((last, others)) = children.split_last() else { return Ok(()) };
        for child in others {
            self.run(*child, record.clone(), effects)?;
        }
        self.run(*last, record, effects)
    }
}

/// Serializes for a sink; `None` when there is nothing to send.
fn emit(topic: &Str, sink: &Sink, record: Record) -> Result<Option<Emitted>, crate::SerdeError> {
    let key = sink.key.write(&record.key)?;
    let value = if sink.changes {
        let Some(change) = change::write(sink.value, &record.old, &record.value)? else {
            return Ok(None);
        };
        Some(change)
    } else {
        sink.value.write(&record.value)?
    };
    let internal = matches!(sink.topic, Topic::Repartition(_));
    Ok(Some(Emitted { topic: topic.clone(), internal, key, value, record }))
}
