//! The typed topology: what the DSL and the declared app compile to, and what tasks run.
//!
//! A topology is a graph of sources, processors and sinks. It falls into *subtopologies*, its connected parts:
//! records pass from one to another through repartition topics alone, so that each can be spread over partitions
//! and workers by itself. A *task* is one subtopology for one partition number.
//!
//! Names are the identity of state: a store's name names its changelog topic and its files, a grouping's name names
//! its repartition topic. Both are given by people, never counted, so that an edit elsewhere moves no state.

mod builder;
mod describe;
mod internal;
mod node;
mod operations;

pub use builder::{GraphBuilder, TopologyError, check_name};
pub use internal::{InternalTopic, InternalTopicKind};
pub use node::{Node, NodeId, NodeKind, Sink, Source, StoreSpec, Supplier, Topic};
pub(crate) use operations::counter;

use protocol::Str;
use std::collections::BTreeSet;
use std::fmt;

/// A checked topology, ready to run.
#[derive(Debug)]
pub struct Topology {
    pub(crate) nodes: Vec<Node>,
    pub(crate) stores: Vec<StoreSpec>,
    pub(crate) subtopologies: Vec<Subtopology>,
    /// Where records go that could not be processed (`errors.dead.letter.queue.topic.name`).
    pub(crate) dead_letters: Option<Str>,
}

/// A connected part of the topology.
#[derive(Debug, Clone, Default)]
pub struct Subtopology {
    pub nodes: Vec<NodeId>,
    /// Topics it reads, in the order of their sources.
    pub sources: Vec<Topic>,
    /// Topics it writes.
    pub sinks: Vec<Topic>,
    /// Indexes into the topology's stores.
    pub stores: Vec<usize>,
}

/// One subtopology for one partition, written `0_3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    pub subtopology: usize,
    pub partition: i32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.subtopology, self.partition)
    }
}

impl Topology {
    pub fn subtopologies(&self) -> &[Subtopology] {
        &self.subtopologies
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn stores(&self) -> &[StoreSpec] {
        &self.stores
    }

    /// Topics that must be there before the app can run: those that are not its own.
    pub fn source_topics(&self) -> BTreeSet<Str> {
        self.topics(|s| &s.sources)
    }

    /// Topics of others that the app writes to.
    pub fn sink_topics(&self) -> BTreeSet<Str> {
        self.topics(|s| &s.sinks)
    }

    fn topics(&self, of: impl Fn(&Subtopology) -> &Vec<Topic>) -> BTreeSet<Str> {
        self.subtopologies
            .iter()
            .flat_map(|s| of(s).iter())
            .filter_map(|topic| match topic {
                Topic::External(name) => Some(name.clone()),
                Topic::Repartition(_) => None,
            })
            .collect()
    }

    /// The topic for records that cannot be processed.
    pub fn dead_letter_topic(&self) -> Option<&Str> {
        self.dead_letters.as_ref()
    }

    /// Sends records that cannot be processed to `topic`, as they were read.
    #[must_use]
    pub fn with_dead_letter_topic(mut self, topic: &str) -> Topology {
        self.dead_letters = Some(Str::copy(topic));
        self
    }

    /// Every topic that tasks read, by its full name.
    pub fn input_topics(&self, application_id: &str) -> BTreeSet<Str> {
        self.subtopologies
            .iter()
            .flat_map(|s| s.sources.iter().map(|topic| topic.full_name(application_id)))
            .collect()
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }
}
