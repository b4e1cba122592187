//! A record on its way through the topology.

use crate::Value;
use bytes::Bytes;
use protocol::Str;
use std::sync::Arc;

/// Record headers, in order; names may repeat.
pub type Headers = Arc<[(Str, Option<Bytes>)]>;

/// A record between two processors.
///
/// Below a stream it is an event: `key` and `value`, and `old` is null. Below a table it is a change of a row from
/// `old` to `value`, where null means that there is no row.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Record {
    pub key: Value,
    pub value: Value,
    pub old: Value,
    /// Milliseconds since 1970; -1 when the producer gave none.
    pub timestamp_ms: i64,
    pub headers: Headers,
}

/// Where the record that is being processed came from; what it becomes downstream keeps it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Origin {
    pub topic: Str,
    pub partition: i32,
    pub offset: i64,
}
