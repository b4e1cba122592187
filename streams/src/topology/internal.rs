//! Internal topics: which there are, and their configuration, which is Kafka's.

use super::{Topic, Topology};
use protocol::Str;

/// A topic that belongs to the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalTopic {
    pub name: Str,
    pub kind: InternalTopicKind,
    /// Subtopology whose partition count it takes: for a repartition topic the one that writes it, for a changelog
    /// the one that owns the store.
    pub subtopology: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InternalTopicKind {
    Repartition,
    Changelog,
}

/// 50 MB, so that deleting records frees space soon (`RepartitionTopicConfig`).
const REPARTITION_SEGMENT_BYTES: &str = "52428800";

impl InternalTopicKind {
    /// Topic configuration (`RepartitionTopicConfig`, `UnwindowedUnversionedChangelogTopicConfig`).
    pub fn configs(self) -> Vec<(&'static str, &'static str)> {
        match self {
            InternalTopicKind::Repartition => vec![
                ("cleanup.policy", "delete"),
                ("retention.ms", "-1"),
                ("segment.bytes", REPARTITION_SEGMENT_BYTES),
                ("message.timestamp.type", "CreateTime"),
            ],
            InternalTopicKind::Changelog => {
                vec![("cleanup.policy", "compact"), ("message.timestamp.type", "CreateTime")]
            }
        }
    }
}

impl Topology {
    /// Every internal topic, repartition topics in the order in which records pass through them.
    pub fn internal_topics(&self, application_id: &str) -> Vec<InternalTopic> {
        let mut topics = Vec::new();
        for (subtopology, part) in self.subtopologies.iter().enumerate() {
            for topic in part.sinks.iter().filter(|t| matches!(t, Topic::Repartition(_))) {
                let name = topic.full_name(application_id);
                let kind = InternalTopicKind::Repartition;
                topics.push(InternalTopic { name, kind, subtopology });
            }
        }
        for (subtopology, part) in self.subtopologies.iter().enumerate() {
            for store in &part.stores {
                let name = self.stores[*store].changelog(application_id);
                let kind = InternalTopicKind::Changelog;
                topics.push(InternalTopic { name, kind, subtopology });
            }
        }
        topics
    }
}
