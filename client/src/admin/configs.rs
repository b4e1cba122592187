//! Configs of topics.

use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::DescribeConfigsResult;
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use super::Admin;
use crate::{ApiError, ClientError};

/// Kafka's resource type for topics.
const TOPIC: i8 = 2;
/// `ConfigSource.DYNAMIC_TOPIC_CONFIG`.
const SOURCE_TOPIC: i8 = 1;
/// `ConfigSource.DEFAULT_CONFIG`.
const SOURCE_DEFAULT: i8 = 5;
/// Operations of IncrementalAlterConfigs.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// One config of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Kafka's key.
    pub name: String,
    /// Its value; `None` when it is secret.
    pub value: Option<String>,
    /// Where the value comes from, as Kafka numbers it: 1 the topic, 2 to 4 the broker, 5 the default.
    pub source: i8,
    /// Whether nobody has set it.
    pub is_default: bool,
    /// Whether it cannot be changed.
    pub read_only: bool,
    /// Whether its value is secret.
    pub is_sensitive: bool,
}

impl ConfigEntry {
    /// Whether it is set for the topic itself.
    pub fn is_of_topic(&self) -> bool {
        self.source == SOURCE_TOPIC
    }
}

/// Configs of one topic.
pub type TopicConfigs = Vec<ConfigEntry>;

/// A change of one config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigOp {
    /// To a value.
    Set(String),
    /// Back to the default.
    Delete,
}

impl Admin {
    /// Every config of some topics, in the order of their names.
    pub async fn describe_topic_configs(
        &self,
        topics: &[String],
    ) -> Result<Vec<(String, Result<TopicConfigs, ApiError>)>, ClientError> {
        let resource = |name: &String| DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: name.into(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: topics.iter().map(resource).collect(),
            ..Default::default()
        };
        let response = self.call(&request).await?;
        Ok(response
            .results
            .into_iter()
            .map(|r| (r.resource_name.to_string(), configs(r)))
            .collect())
    }

    /// Changes configs of one topic, all or none.
    pub async fn alter_topic_configs(
        &self,
        topic: &str,
        changes: Vec<(String, ConfigOp)>,
    ) -> Result<(), ClientError> {
        let config = |(name, op): (String, ConfigOp)| {
            let (config_operation, value) = match op {
                ConfigOp::Set(value) => (SET, Some(value.into())),
                ConfigOp::Delete => (DELETE, None),
            };
            AlterableConfig { name: name.into(), config_operation, value }
        };
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: TOPIC,
                resource_name: protocol::Str::copy(topic),
                configs: changes.into_iter().map(config).collect(),
            }],
            validate_only: false,
        };
        let response = self.call(&request).await?;
        let result = response.responses.first().ok_or(ClientError::Incomplete("the topic"))?;
        Ok(ApiError::check_with(result.error_code, result.error_message.as_ref())?)
    }
}

fn configs(result: DescribeConfigsResult) -> Result<TopicConfigs, ApiError> {
    ApiError::check_with(result.error_code, result.error_message.as_ref())?;
    let entries = result.configs.into_iter();
    Ok(entries
        .map(|c| ConfigEntry {
            name: c.name.to_string(),
            value: c.value.map(|v| v.to_string()),
            source: c.config_source,
            is_default: c.config_source == SOURCE_DEFAULT,
            read_only: c.read_only,
            is_sensitive: c.is_sensitive,
        })
        .collect())
}
