//! Looks at a cluster over Kafka's protocol.

use std::collections::BTreeMap;

use client::{Admin, ClientError, ConfigEntry, TopicDescription, TopicPartition};
use protocol::ErrorCode;

/// What there is.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Brokers that answer for the cluster.
    pub(super) brokers: usize,
    /// By Kafka's name; only those that were asked about and exist.
    pub(super) topics: BTreeMap<String, SeenTopic>,
}

/// A topic that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SeenTopic {
    /// One entry a partition.
    pub(super) partitions: Vec<SeenPartition>,
    /// Keys that the topic itself sets.
    pub(super) config: BTreeMap<String, String>,
}

/// A partition of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SeenPartition {
    pub(super) replicas: usize,
    /// `None` if nobody could say.
    pub(super) bytes: Option<u64>,
}

/// Looks once.
pub(super) async fn see(admin: &Admin, names: &[String]) -> Result<Seen, ClientError> {
    let brokers = admin.describe_cluster().await?.brokers.len();
    let mut seen = Seen { brokers, topics: BTreeMap::new() };
    if names.is_empty() {
        return Ok(seen);
    }
    // A cluster that does not tell sizes is compared all the same.
    let sizes = admin.partition_sizes().await.ok();
    let bytes = |topic: &str, partition: i32| {
        let key = TopicPartition::new(topic.to_owned(), partition);
        sizes.as_ref().and_then(|sizes| sizes.get(&key).copied())
    };
    for topic in admin.describe_topics(names).await? {
        if let Some(partitions) = partitions(&topic, &bytes)? {
            seen.topics.insert(topic.name, SeenTopic { partitions, config: BTreeMap::new() });
        }
    }
    let there: Vec<String> = seen.topics.keys().cloned().collect();
    for (name, configs) in admin.describe_topic_configs(&there).await? {
        let own = configs?.into_iter().filter(ConfigEntry::is_of_topic);
        if let Some(topic) = seen.topics.get_mut(&name) {
            topic.config = own.map(|entry| (entry.name, entry.value.unwrap_or_default())).collect();
        }
    }
    Ok(seen)
}

/// The partitions, or `None` if there is no such topic.
fn partitions(
    topic: &TopicDescription,
    bytes: &impl Fn(&str, i32) -> Option<u64>,
) -> Result<Option<Vec<SeenPartition>>, ClientError> {
    match &topic.error {
        Some(error) if error.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Ok(None),
        Some(error) => Err(error.clone().into()),
        None => {
            let seen = topic.partitions.iter().map(|partition| SeenPartition {
                replicas: partition.replicas.len(),
                bytes: bytes(&topic.name, partition.id),
            });
            Ok(Some(seen.collect()))
        }
    }
}
