//! Nodes, stores and topics of a topology.

use crate::processor::Processor;
use crate::{Serde, Type};
use protocol::Str;
use std::fmt;
use std::sync::Arc;

/// Index of a node in its topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) usize);

/// A step of the topology.
#[derive(Debug)]
pub struct Node {
    /// Unique in the topology.
    pub name: String,
    pub kind: NodeKind,
    pub children: Vec<NodeId>,
    /// Indexes into the topology's stores; a processor knows its stores by their place in this list.
    pub stores: Vec<usize>,
    /// Types of what the node forwards.
    pub key: Type,
    pub value: Type,
}

/// Makes a processor for a task; called once a task and node.
pub type Supplier = Arc<dyn Fn() -> Box<dyn Processor> + Send + Sync>;

/// What a node does.
pub enum NodeKind {
    Source(Source),
    Processor(Supplier),
    Sink(Sink),
}

impl fmt::Debug for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeKind::Source(source) => source.fmt(f),
            NodeKind::Processor(_) => f.write_str("Processor"),
            NodeKind::Sink(sink) => sink.fmt(f),
        }
    }
}

/// Reads a topic.
#[derive(Debug, Clone)]
pub struct Source {
    pub topic: Topic,
    pub key: Serde,
    pub value: Serde,
    /// Values are changes (old and new) of a table, in a repartition topic.
    pub changes: bool,
}

/// Writes a topic.
#[derive(Debug, Clone)]
pub struct Sink {
    pub topic: Topic,
    pub key: Serde,
    pub value: Serde,
    pub changes: bool,
}

/// A topic, before the application has its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Named by the user; must exist.
    External(Str),
    /// `<application id>-<name>-repartition`, made by the worker.
    Repartition(Str),
}

impl Topic {
    pub fn full_name(&self, application_id: &str) -> Str {
        match self {
            Topic::External(name) => name.clone(),
            Topic::Repartition(name) => Str::from(format!("{application_id}-{name}-repartition")),
        }
    }
}

/// A key-value store; every task of its subtopology has one.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreSpec {
    /// Unique in the topology.
    pub name: Str,
    pub key: Serde,
    pub value: Serde,
}

impl StoreSpec {
    /// `<application id>-<store>-changelog`
    pub fn changelog(&self, application_id: &str) -> Str {
        Str::from(format!("{application_id}-{}-changelog", self.name))
    }
}
