//! YAML in which every value remembers its line.
//!
//! A file is cut into documents ([`documents`]), each is read into a tree of [`Node`]s that carry their positions,
//! and typed objects are read from that tree ([`from_node`]), so that every refusal (a field that nobody knows, a
//! number out of range, an expression that does not compile) can be told as `file:line`.
//!
//! Must not know: Kubernetes, Kafka, the file system.

mod documents;
mod node;
mod path;
mod shape;
mod suggest;

pub(crate) use documents::documents;
pub(crate) use node::{Entry, Node, Position, Value};
pub(crate) use path::{Segment, parse_path};
pub(crate) use shape::from_node;
pub(crate) use suggest::nearest;
