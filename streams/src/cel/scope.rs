//! The variables an expression may use, and their values for one record.

use crate::record::Headers;
use crate::{Type, Value};

/// A variable that can be in scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Var {
    Key,
    Value,
    Agg,
    Timestamp,
    Headers,
    Topic,
    Partition,
    Offset,
}

/// Names and types of the variables in scope.
#[derive(Clone, Debug)]
pub struct Scope {
    key: Type,
    value: Type,
    agg: Option<Type>,
    record: bool,
    row: bool,
}

impl Scope {
    /// A record's variables: `key`, `value`, `timestamp` (ms), `headers`, `topic`, `partition`, `offset`.
    pub fn record(key: Type, value: Type) -> Scope {
        Scope { key, value, agg: None, record: true, row: true }
    }

    /// A table's row: `key` and `value` alone. A row's old value has no record of its own, and both must map to
    /// the same thing for the table's changes to cancel out.
    pub fn row(key: Type, value: Type) -> Scope {
        Scope { key, value, agg: None, record: false, row: true }
    }

    /// No variables: for what is computed once.
    pub fn none() -> Scope {
        Scope { key: Type::Null, value: Type::Null, agg: None, record: false, row: false }
    }

    /// `agg` (also called `aggregate`) as well: what was aggregated so far.
    #[must_use]
    pub fn with_agg(mut self, agg: Type) -> Scope {
        self.agg = Some(agg);
        self
    }

    pub(crate) fn find(&self, name: &str) -> Option<(Var, Type)> {
        Some(match name {
            "key" | "value" if !self.row => return None,
            "key" => (Var::Key, self.key.clone()),
            "value" => (Var::Value, self.value.clone()),
            "agg" | "aggregate" => (Var::Agg, self.agg.clone()?),
            _ if !self.record => return None,
            "timestamp" => (Var::Timestamp, Type::Int),
            "headers" => (Var::Headers, Type::map(Type::Bytes)),
            "topic" => (Var::Topic, Type::String),
            "partition" => (Var::Partition, Type::Int),
            "offset" => (Var::Offset, Type::Int),
            _ => return None,
        })
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        ["key", "value", "agg", "timestamp", "headers", "topic", "partition", "offset"]
            .into_iter()
            .filter(|name| self.find(name).is_some())
            .collect()
    }
}

/// The variables' values for one evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Bindings<'a> {
    pub key: &'a Value,
    pub value: &'a Value,
    pub agg: &'a Value,
    pub timestamp_ms: i64,
    pub headers: &'a Headers,
    pub topic: &'a protocol::Str,
    pub partition: i32,
    pub offset: i64,
}
