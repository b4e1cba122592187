//! What flows at a place of a pipeline, and which operations it admits.

use crate::Type;
use crate::topology::NodeId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Events; `key_changed` since they were read, so that grouping repartitions.
    Stream {
        key_changed: bool,
    },
    /// The latest value of each key, and its changes.
    Table,
    GroupedStream,
    GroupedTable,
}

impl Shape {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Shape::Stream { .. } => "a stream",
            Shape::Table => "a table",
            Shape::GroupedStream => "a grouped stream",
            Shape::GroupedTable => "a grouped table",
        }
    }

    pub(super) fn is_grouped(self) -> bool {
        matches!(self, Shape::GroupedStream | Shape::GroupedTable)
    }
}

/// A place of a pipeline.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub node: NodeId,
    pub shape: Shape,
    pub key: Type,
    pub value: Type,
}
