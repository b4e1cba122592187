//! Small types that several parts share.

use std::fmt;

use protocol::Str;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Str,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<Str>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Milliseconds since 1970 by the wall clock.
pub(crate) fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Groups items by topic, keeping the order of first appearance, as most requests want them.
pub(crate) fn by_topic<T>(items: impl IntoIterator<Item = (Str, T)>) -> Vec<(Str, Vec<T>)> {
    let mut topics: Vec<(Str, Vec<T>)> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for (topic, item) in items {
        let at = *index.entry(topic.clone()).or_insert_with(|| {
            topics.push((topic, Vec::new()));
            topics.len() - 1
        });
        topics[at].1.push(item);
    }
    topics
}
