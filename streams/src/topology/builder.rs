//! Builds a [`Topology`] node by node: the layer below both the DSL and the declared app.

use super::{
    Node, NodeId, NodeKind, Sink, Source, StoreSpec, Subtopology, Supplier, Topic, Topology,
};
use crate::{Serde, Type};
use protocol::Str;
use std::collections::{BTreeMap, HashSet};

/// Most nodes of a topology: a record descends it by recursion.
const MAX_NODES: usize = 500;
/// Longest name of a step: it becomes part of a topic's name, which may have 249 characters.
const MAX_NAME_CHARS: usize = 100;

/// A topology that cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TopologyError {
    #[error("the name `{0}` is used twice: a name identifies a step and its state, choose another")]
    DuplicateName(String),
    #[error(
        "`{0}` cannot be a name: use 1 to {MAX_NAME_CHARS} of the characters a-z, A-Z, 0-9, '.', '_' and '-'"
    )]
    BadName(String),
    #[error("there is no store `{0}`: add it before the step that uses it")]
    UnknownStore(String),
    #[error("the topology has no source: begin with a stream or a table")]
    NoSource,
    #[error(
        "topic `{0}` is read by two sources with different types: read it once and share the stream"
    )]
    SourceTwice(String),
    #[error("the topology has more than {MAX_NODES} steps")]
    TooManyNodes,
}

/// Whether `name` can be part of a topic's name.
pub fn check_name(name: &str) -> Result<(), TopologyError> {
    let fits = !name.is_empty()
        && name.len() <= MAX_NAME_CHARS
        && name != "."
        && name != ".."
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if fits { Ok(()) } else { Err(TopologyError::BadName(name.to_owned())) }
}

/// A topology in the making.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    nodes: Vec<Node>,
    names: HashSet<String>,
    stores: Vec<StoreSpec>,
    stores_by_name: BTreeMap<Str, usize>,
    /// The first thing that went wrong: reported by [`GraphBuilder::build`], so that the DSL reads as one chain.
    error: Option<TopologyError>,
}

impl GraphBuilder {
    pub fn new() -> GraphBuilder {
        GraphBuilder::default()
    }

    fn fail(&mut self, error: TopologyError) {
        self.error.get_or_insert(error);
    }

    /// A name for a step that has no state and was given none.
    pub fn generated_name(&self, operation: &str) -> String {
        format!("{operation}-{:010}", self.nodes.len())
    }

    fn add(&mut self, node: Node, parents: &[NodeId]) -> NodeId {
        if !self.names.insert(node.name.clone()) {
            self.fail(TopologyError::DuplicateName(node.name.clone()));
        }
        if self.nodes.len() >= MAX_NODES {
            self.fail(TopologyError::TooManyNodes);
            return NodeId(0);
        }
        let id = NodeId(self.nodes.len());
        self.nodes.push(node);
        for parent in parents {
            self.nodes[parent.0].children.push(id);
        }
        id
    }

    pub fn types_of(&self, node: NodeId) -> (Type, Type) {
        let node = &self.nodes[node.0];
        (node.key.clone(), node.value.clone())
    }

    pub fn source(&mut self, name: &str, source: Source) -> NodeId {
        let (key, value) = (source.key.type_of(), source.value.type_of());
        let node = Node {
            name: name.to_owned(),
            kind: NodeKind::Source(source),
            children: Vec::new(),
            stores: Vec::new(),
            key,
            value,
        };
        self.add(node, &[])
    }

    pub fn sink(&mut self, name: &str, parent: NodeId, sink: Sink) -> NodeId {
        let (key, value) = (sink.key.type_of(), sink.value.type_of());
        let node = Node {
            name: name.to_owned(),
            kind: NodeKind::Sink(sink),
            children: Vec::new(),
            stores: Vec::new(),
            key,
            value,
        };
        self.add(node, &[parent])
    }

    pub fn store(&mut self, store: StoreSpec) -> usize {
        if let Err(error) = check_name(&store.name) {
            self.fail(error);
        }
        let index = self.stores.len();
        if self.stores_by_name.insert(store.name.clone(), index).is_some() {
            self.fail(TopologyError::DuplicateName(store.name.to_string()));
        }
        self.stores.push(store);
        index
    }

    /// Adds a processor that forwards records of the given types and uses `stores`, in this order.
    pub fn processor(
        &mut self,
        name: &str,
        parent: NodeId,
        supplier: Supplier,
        stores: &[&str],
        (key, value): (Type, Type),
    ) -> NodeId {
        let mut indexes = Vec::new();
        for store in stores {
            match self.stores_by_name.get(*store) {
                Some(index) => indexes.push(*index),
                None => self.fail(TopologyError::UnknownStore((*store).to_owned())),
            }
        }
        let node = Node {
            name: name.to_owned(),
            kind: NodeKind::Processor(supplier),
            children: Vec::new(),
            stores: indexes,
            key,
            value,
        };
        self.add(node, &[parent])
    }

    /// Sends what `parent` forwards through the topic `<app>-<name>-repartition`; the result is the node that reads
    /// it, in a subtopology of its own.
    pub fn repartition(
        &mut self,
        name: &str,
        parent: NodeId,
        (key, value): (Serde, Serde),
        changes: bool,
    ) -> NodeId {
        if let Err(error) = check_name(name) {
            self.fail(error);
        }
        let topic = Topic::Repartition(Str::copy(name));
        let sink = Sink { topic: topic.clone(), key, value, changes };
        self.sink(&format!("{name}-repartition-sink"), parent, sink);
        self.source(&format!("{name}-repartition-source"), Source { topic, key, value, changes })
    }

    pub fn build(mut self) -> Result<Topology, TopologyError> {
        let mut seen = HashSet::new();
        for node in &self.nodes {
            if let NodeKind::Source(source) = &node.kind
                && !seen.insert(source.topic.clone())
            {
                self.error.get_or_insert(TopologyError::SourceTwice(source.topic.to_string()));
            }
        }
        if let Some(error) = self.error {
            return Err(error);
        }
        if seen.is_empty() {
            return Err(TopologyError::NoSource);
        }
        let subtopologies = split(&self.nodes);
        Ok(Topology { nodes: self.nodes, stores: self.stores, subtopologies, dead_letters: None })
    }
}

/// The connected parts, numbered by their first node; nodes are connected by edges and by shared stores.
fn split(nodes: &[Node]) -> Vec<Subtopology> {
    let mut groups = Groups::new(nodes.len());
    let mut store_user: BTreeMap<usize, usize> = BTreeMap::new();
    for (i, node) in nodes.iter().enumerate() {
        for child in &node.children {
            groups.join(i, child.0);
        }
        for store in &node.stores {
            let first = *store_user.entry(*store).or_insert(i);
            groups.join(i, first);
        }
    }
    let mut parts: BTreeMap<usize, Subtopology> = BTreeMap::new();
    for (i, node) in nodes.iter().enumerate() {
        let part = parts.entry(groups.root(i)).or_default();
        part.nodes.push(NodeId(i));
        match &node.kind {
            NodeKind::Source(source) => part.sources.push(source.topic.clone()),
            NodeKind::Sink(sink) => {
                if !part.sinks.contains(&sink.topic) {
                    part.sinks.push(sink.topic.clone());
                }
            }
            NodeKind::Processor(_) => {}
        }
        for store in &node.stores {
            if !part.stores.contains(store) {
                part.stores.push(*store);
            }
        }
    }
    parts.into_values().collect()
}

/// Union-find whose root is the smallest member.
struct Groups(Vec<usize>);

impl Groups {
    fn new(count: usize) -> Groups {
        Groups((0..count).collect())
    }

    fn root(&mut self, mut i: usize) -> usize {
        while self.0[i] != i {
            self.0[i] = self.0[self.0[i]];
            i = self.0[i];
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}
