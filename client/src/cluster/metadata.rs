//! What the client knows about the cluster.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::MetadataResponseTopic;
use protocol::messages::{MetadataRequest, MetadataResponse};
use protocol::{ErrorCode, Str, Uuid};

use super::{Client, Retry};
use crate::{ApiError, ClientError, TopicPartition};

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: i32,
    /// Host it is reached at.
    pub host: String,
    /// Port it is reached at.
    pub port: i32,
    /// Its rack.
    pub rack: Option<String>,
}

impl Node {
    fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A topic as the cluster's metadata describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Its name.
    pub name: Str,
    /// Its id; zero when the broker is too old to tell.
    pub id: Uuid,
    /// Whether it is internal, such as `__consumer_offsets`.
    pub internal: bool,
    /// Its partitions, in the order of their numbers.
    pub partitions: Vec<PartitionMetadata>,
}

/// A partition as the cluster's metadata describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// Its number.
    pub id: i32,
    /// The broker that leads it; negative when there is none.
    pub leader: i32,
    /// Epoch of the leader; -1 when not known.
    pub leader_epoch: i32,
    /// Brokers that hold it.
    pub replicas: Vec<i32>,
    /// Brokers that hold all of it.
    pub isr: Vec<i32>,
    /// Brokers that hold it but are down.
    pub offline: Vec<i32>,
}

/// Everything known at one time. Never changes; a refresh makes a new one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) nodes: HashMap<i32, Node>,
    pub(crate) topics: HashMap<Str, Arc<TopicMetadata>>,
    /// When each topic's part was fetched.
    fetched: HashMap<Str, Instant>,
}

impl Snapshot {
    pub(super) fn node_address(&self, node: i32) -> Option<String> {
        self.nodes.get(&node).map(Node::address)
    }

    pub(super) fn node_addresses(&self) -> Vec<String> {
        self.nodes.values().map(Node::address).collect()
    }

    /// The broker that leads a partition.
    pub(crate) fn leader(&self, partition: &TopicPartition) -> Option<i32> {
        let topic = self.topics.get(&partition.topic)?;
        let found = topic.partitions.iter().find(|p| p.id == partition.partition)?;
        (found.leader >= 0).then_some(found.leader)
    }

    /// A topic's name by its id.
    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<&Arc<TopicMetadata>> {
        self.topics.values().find(|t| t.id == id && !id.is_zero())
    }

    fn take_brokers(&mut self, response: &MetadataResponse) {
        let nodes = response.brokers.iter().map(|b| {
            let rack = b.rack.as_ref().map(ToString::to_string);
            (b.node_id, Node { id: b.node_id, host: b.host.to_string(), port: b.port, rack })
        });
        self.nodes = nodes.collect();
    }

    fn take_topic(&mut self, topic: &MetadataResponseTopic, now: Instant) -> Result<(), ApiError> {
        let Some(name) = topic.name.as_ref().map(|n| Str::copy(n)) else { return Ok(()) };
        if let Err(e) = ApiError::check(topic.error_code) {
            // Without a leader the partitions are told all the same; a topic that is gone is forgotten.
            if e.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION {
                self.topics.remove(&name);
                self.fetched.remove(&name);
            }
            return Err(e);
        }
        let mut partitions: Vec<_> = topic
            .partitions
            .iter()
            .map(|p| PartitionMetadata {
                id: p.partition_index,
                leader: p.leader_id,
                leader_epoch: p.leader_epoch,
                replicas: p.replica_nodes.clone(),
                isr: p.isr_nodes.clone(),
                offline: p.offline_replicas.clone(),
            })
            .collect();
        partitions.sort_by_key(|p| p.id);
        let metadata = TopicMetadata {
            name: name.clone(),
            id: topic.topic_id,
            internal: topic.is_internal,
            partitions,
        };
        self.fetched.insert(name.clone(), now);
        self.topics.insert(name, Arc::new(metadata));
        Ok(())
    }
}

/// The answer about each topic that was asked for.
pub(crate) type TopicResults = Vec<(Str, Result<Arc<TopicMetadata>, ApiError>)>;

impl Client {
    /// What is known now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.shared.snapshot.read())
    }

    /// Asks about some topics (`None`: all), once, and remembers the answer.
    pub(crate) async fn fetch_metadata(
        &self,
        topics: Option<&[Str]>,
        create: bool,
    ) -> Result<TopicResults, ClientError> {
        let request = MetadataRequest {
            topics: topics.map(|topics| {
                let named = |name: &Str| MetadataRequestTopic {
                    name: Some(name.clone()),
                    ..Default::default()
                };
                topics.iter().map(named).collect()
            }),
            allow_auto_topic_creation: create,
            ..Default::default()
        };
        let response = self.call_any(&request).await?;
        let now = Instant::now();
        let mut slot = self.shared.snapshot.write();
        let mut snapshot = Snapshot::clone(&slot);
        snapshot.take_brokers(&response);
        let mut results = Vec::with_capacity(response.topics.len());
        for topic in &response.topics {
            let Some(name) = &topic.name else { continue };
            let result = snapshot.take_topic(topic, now).and_then(|()| {
                let taken = snapshot.topics.get(name).map(Arc::clone);
                taken.ok_or(ApiError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))
            });
            results.push((Str::copy(name), result));
        }
        *slot = Arc::new(snapshot);
        Ok(results)
    }

    /// A topic's metadata, from memory when it is there. Waits for a topic that is being created.
    pub async fn topic(&self, name: &Str) -> Result<Arc<TopicMetadata>, ClientError> {
        if let Some(topic) = self.known_topic(name) {
            return Ok(topic);
        }
        let mut retry = Retry::new(self);
        loop {
            let error = match self.refresh_topic(name, true).await {
                Ok(topic) => return Ok(topic),
                Err(e) => e,
            };
            retry.again(error).await?;
        }
    }

    /// A topic from memory. When it is old, it is looked up in the background for the next time.
    fn known_topic(&self, name: &Str) -> Option<Arc<TopicMetadata>> {
        let snapshot = self.snapshot();
        let topic = snapshot.topics.get(name).map(Arc::clone)?;
        let age = snapshot.fetched.get(name)?.elapsed();
        if age > self.config().metadata_max_age()
            && !self.shared.background_refresh.swap(true, Ordering::Relaxed)
        {
            let (client, name) = (self.clone(), name.clone());
            tokio::spawn(async move {
                client.refresh_topics(&[name]).await;
                client.shared.background_refresh.store(false, Ordering::Relaxed);
            });
        }
        Some(topic)
    }

    async fn refresh_topic(
        &self,
        name: &Str,
        create: bool,
    ) -> Result<Arc<TopicMetadata>, ClientError> {
        let asked = Instant::now();
        let _one = self.shared.refreshing.lock().await;
        let snapshot = self.snapshot();
        if snapshot.fetched.get(name).is_some_and(|at| *at > asked)
            && let Some(topic) = snapshot.topics.get(name)
        {
            return Ok(Arc::clone(topic));
        }
        let results = self.fetch_metadata(Some(std::slice::from_ref(name)), create).await?;
        match results.into_iter().find(|(n, _)| n == name) {
            Some((_, result)) => Ok(result?),
            None => Err(ClientError::Incomplete("the topic")),
        }
    }

    /// Asks about topics anew; failures are only logged, whoever needs the answer looks at the snapshot.
    pub(crate) async fn refresh_topics(&self, topics: &[Str]) {
        if topics.is_empty() {
            return;
        }
        let _one = self.shared.refreshing.lock().await;
        match self.fetch_metadata(Some(topics), false).await {
            Ok(results) => {
                for (topic, result) in results {
                    if let Err(error) = result {
                        tracing::debug!(%topic, %error, "metadata");
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "metadata cannot be fetched"),
        }
    }

    /// The leader of a partition, looking again while there is none.
    pub(crate) async fn leader(&self, partition: &TopicPartition) -> Result<i32, ClientError> {
        if let Some(leader) = self.snapshot().leader(partition) {
            return Ok(leader);
        }
        self.refresh_topic(&partition.topic, false).await?;
        let leader = self.snapshot().leader(partition);
        leader.ok_or_else(|| ClientError::NoLeader(partition.clone()))
    }
}
