//! The tree: values with their positions.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::path::Segment;

/// Where a value begins in its file; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    fn of(location: serde_saphyr::Location) -> Self {
        let count = |n: u64| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
        Self { line: count(location.line()), column: count(location.column()) }
    }

    fn shift_lines(&mut self, lines: u32) {
        self.line = self.line.saturating_add(lines);
    }
}

/// One YAML value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    /// Above `i64::MAX` only.
    Unsigned(u64),
    Float(f64),
    String(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One `key: value` of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Position,
    pub(crate) node: Node,
}

impl Node {
    /// The value under `key`, when this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The position that best fits `path`: of the value it names, or else of the deepest part of it that exists.
    /// A mapping is pointed at by its key, which is the line that a reader looks for.
    pub(crate) fn locate(&self, path: &[Segment]) -> Position {
        let (mut node, mut at) = (self, self.at);
        for segment in path {
            match (&node.value, segment) {
                (Value::Map(_), Segment::Key(key)) => {
                    let Some(entry) = node.entry(key) else { return at };
                    at = match entry.node.value {
                        Value::Map(_) | Value::List(_) => entry.key_at,
                        _ => entry.node.at,
                    };
                    node = &entry.node;
                }
                (Value::List(items), Segment::Index(index)) => {
                    let Some(item) = items.get(*index) else { return at };
                    (node, at) = (item, item.at);
                }
                // An expression language counts list items by their names, too: steps["words"].
                (Value::List(items), Segment::Key(name)) => {
                    let named = items
                        .iter()
                        .find(|item| item.get("name").and_then(Node::as_str) == Some(name));
                    let Some(item) = named else { return at };
                    (node, at) = (item, item.at);
                }
                _ => return at,
            }
        }
        at
    }

    /// Moves every position down; for a document that does not begin at the first line of its file.
    pub(super) fn shift_lines(&mut self, lines: u32) {
        self.at.shift_lines(lines);
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.shift_lines(lines)),
            Value::Map(entries) => {
                for entry in entries {
                    entry.key_at.shift_lines(lines);
                    entry.node.shift_lines(lines);
                }
            }
            _ => {}
        }
    }
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Self {
        Self { at: Position::of(spanned.referenced), value: spanned.value }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::<Value>::deserialize(deserializer).map(Self::from)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Unsigned(value), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element::<Node>()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Node>()? {
            let Value::String(text) = key.value else {
                return Err(A::Error::custom("a key must be text; put it in quotes"));
            };
            entries.push(Entry { key: text, key_at: key.at, node: access.next_value()? });
        }
        Ok(Value::Map(entries))
    }
}
