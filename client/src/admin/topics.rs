//! Creating, describing, growing and deleting topics.

use std::collections::BTreeMap;

use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::MetadataResponseTopic;
use protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest,
};
use protocol::{ApiKey, ErrorCode, Str, Uuid};

use super::Admin;
use crate::cluster::Retry;
use crate::{ApiError, ClientError};

/// From this version on topics are deleted by name or id.
const FIRST_DELETE_BY_STATE: i16 = 6;

/// A topic to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions; -1 for the broker's default.
    pub partitions: i32,
    /// Number of replicas of each; -1 for the broker's default.
    pub replication_factor: i16,
    /// Configs that differ from the broker's defaults, by Kafka's keys.
    pub configs: BTreeMap<String, String>,
}

impl NewTopic {
    /// A topic with the broker's defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), partitions: -1, replication_factor: -1, configs: BTreeMap::new() }
    }

    /// The same with a number of partitions.
    pub fn with_partitions(mut self, partitions: i32) -> Self {
        self.partitions = partitions;
        self
    }

    /// The same with a config.
    pub fn with_config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.insert(key.into(), value.into());
        self
    }
}

/// A topic, or why it cannot be described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id; zero when the broker is too old to tell.
    pub topic_id: Uuid,
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
    /// Its partitions, by number.
    pub partitions: Vec<PartitionInfo>,
    /// Set when the topic cannot be described; `UNKNOWN_TOPIC_OR_PARTITION` when there is none of that name.
    pub error: Option<ApiError>,
}

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionInfo {
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

/// A topic that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicListing {
    /// Its name.
    pub name: String,
    /// Its id.
    pub topic_id: Uuid,
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
}

/// What became of each topic of a request.
type PerTopic = Vec<(String, Result<(), ApiError>)>;

impl Admin {
    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.client.config().request_timeout_ms).unwrap_or(i32::MAX)
    }

    /// Creates topics; one that exists already is an error of its own (`TOPIC_ALREADY_EXISTS`).
    pub async fn create_topics(&self, topics: Vec<NewTopic>) -> Result<PerTopic, ClientError> {
        let creatable = |topic: NewTopic| CreatableTopic {
            name: topic.name.into(),
            num_partitions: topic.partitions,
            replication_factor: topic.replication_factor,
            configs: topic
                .configs
                .into_iter()
                .map(|(name, value)| CreatableTopicConfig {
                    name: name.into(),
                    value: Some(value.into()),
                })
                .collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: topics.into_iter().map(creatable).collect(),
            timeout_ms: self.timeout_ms(),
            ..Default::default()
        };
        let response =
            self.call_until(&request, |r| r.topics.iter().map(|t| t.error_code).collect()).await?;
        let results = response.topics.iter();
        Ok(results
            .map(|t| {
                (t.name.to_string(), ApiError::check_with(t.error_code, t.error_message.as_ref()))
            })
            .collect())
    }

    /// Deletes topics by name.
    pub async fn delete_topics(&self, names: &[String]) -> Result<PerTopic, ClientError> {
        let mut retry = Retry::new(&self.client);
        loop {
            let error = match self.delete_topics_once(names).await {
                Ok(results) => return Ok(results),
                Err(e) => e,
            };
            retry.again(error).await?;
        }
    }

    async fn delete_topics_once(&self, names: &[String]) -> Result<PerTopic, ClientError> {
        let connection = self.client.any_connection().await?;
        let by_state =
            connection.version(ApiKey::DeleteTopics).is_some_and(|v| v >= FIRST_DELETE_BY_STATE);
        let mut request =
            DeleteTopicsRequest { timeout_ms: self.timeout_ms(), ..Default::default() };
        if by_state {
            let state =
                |n: &String| DeleteTopicState { name: Some(n.into()), ..Default::default() };
            request.topics = names.iter().map(state).collect();
        } else {
            request.topic_names = names.iter().map(Str::from).collect();
        }
        let response = connection.call(&request).await?;
        let results = response.responses.iter();
        Ok(results
            .map(|t| {
                let name = t.name.as_ref().map(ToString::to_string).unwrap_or_default();
                (name, ApiError::check_with(t.error_code, t.error_message.as_ref()))
            })
            .collect())
    }

    /// Grows topics to a total number of partitions.
    pub async fn create_partitions(
        &self,
        totals: &[(String, i32)],
    ) -> Result<PerTopic, ClientError> {
        let topic = |(name, count): &(String, i32)| CreatePartitionsTopic {
            name: name.into(),
            count: *count,
            // Kafka's default is an empty list, which would mean placement by hand.
            assignments: None,
        };
        let request = CreatePartitionsRequest {
            topics: totals.iter().map(topic).collect(),
            timeout_ms: self.timeout_ms(),
            ..Default::default()
        };
        let response =
            self.call_until(&request, |r| r.results.iter().map(|t| t.error_code).collect()).await?;
        let results = response.results.iter();
        Ok(results
            .map(|t| {
                (t.name.to_string(), ApiError::check_with(t.error_code, t.error_message.as_ref()))
            })
            .collect())
    }

    /// Tries again while every part says that the controller is elsewhere or not there yet.
    async fn call_until<R: protocol::Request>(
        &self,
        request: &R,
        codes: impl Fn(&R::Response) -> Vec<i16>,
    ) -> Result<R::Response, ClientError> {
        let mut retry = Retry::new(&self.client);
        loop {
            let response = self.call(request).await?;
            let codes = codes(&response);
            let elsewhere = |c: &i16| ErrorCode(*c) == ErrorCode::NOT_CONTROLLER;
            if codes.is_empty() || !codes.iter().all(elsewhere) {
                return Ok(response);
            }
            if retry.again(ErrorCode::NOT_CONTROLLER.into()).await.is_err() {
                return Ok(response);
            }
        }
    }

    /// Every topic that exists, by name.
    pub async fn list_topics(&self) -> Result<Vec<TopicListing>, ClientError> {
        let mut listed: Vec<TopicListing> = self
            .topic_metadata(None)
            .await?
            .into_iter()
            .map(|t| TopicListing {
                name: t.name.map(|n| n.to_string()).unwrap_or_default(),
                topic_id: t.topic_id,
                is_internal: t.is_internal,
            })
            .collect();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// Describes topics by name, in the order of the names. It does not create any.
    pub async fn describe_topics(
        &self,
        names: &[String],
    ) -> Result<Vec<TopicDescription>, ClientError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.topic_metadata(Some(names)).await?;
        let mut described: BTreeMap<String, TopicDescription> = found
            .into_iter()
            .filter_map(|t| Some((t.name.as_ref()?.to_string(), describe(t))))
            .collect();
        let unknown = |name: &String| TopicDescription {
            name: name.clone(),
            topic_id: Uuid::ZERO,
            is_internal: false,
            partitions: Vec::new(),
            error: Some(ApiError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
        };
        Ok(names.iter().map(|n| described.remove(n).unwrap_or_else(|| unknown(n))).collect())
    }

    async fn topic_metadata(
        &self,
        names: Option<&[String]>,
    ) -> Result<Vec<MetadataResponseTopic>, ClientError> {
        let topic =
            |n: &String| MetadataRequestTopic { name: Some(n.into()), ..Default::default() };
        let request = MetadataRequest {
            topics: names.map(|names| names.iter().map(topic).collect()),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        Ok(self.call(&request).await?.topics)
    }
}

fn describe(topic: MetadataResponseTopic) -> TopicDescription {
    let mut partitions: Vec<PartitionInfo> = topic
        .partitions
        .into_iter()
        .map(|p| PartitionInfo {
            id: p.partition_index,
            leader: p.leader_id,
            leader_epoch: p.leader_epoch,
            replicas: p.replica_nodes,
            isr: p.isr_nodes,
            offline: p.offline_replicas,
        })
        .collect();
    partitions.sort_by_key(|p| p.id);
    TopicDescription {
        name: topic.name.map(|n| n.to_string()).unwrap_or_default(),
        topic_id: topic.topic_id,
        is_internal: topic.is_internal,
        partitions,
        error: ApiError::check(topic.error_code).err(),
    }
}
