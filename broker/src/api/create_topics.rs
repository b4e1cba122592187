//! CreateTopics.

use std::sync::Arc;

use protocol::Str;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use quorum::controller::{CreateTopicError, CreateTopics, CreatedTopic, NewTopic};

use super::refusal;
use crate::config::{Update, topic_configs};
use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: CreateTopicsRequest,
    _version: i16,
) -> CreateTopicsResponse {
    let names: Vec<Str> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let topics = request.topics.iter().map(new_topic).collect();
    let command = CreateTopics { topics, validate_only: request.validate_only };
    let topics = match broker.controller.submit(command).await {
        Ok(answers) => names
            .into_iter()
            .zip(answers)
            .map(|(name, answer)| result(broker, name, answer))
            .collect(),
        Err(error) => {
            let (error_code, error_message) = refusal(&error);
            let failed = |name| CreatableTopicResult {
                name,
                error_code,
                error_message: error_message.clone(),
                ..Default::default()
            };
            names.into_iter().map(failed).collect()
        }
    };
    CreateTopicsResponse { topics, ..Default::default() }
}

fn new_topic(topic: &CreatableTopic) -> NewTopic {
    NewTopic {
        name: topic.name.to_string(),
        num_partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: topic
            .assignments
            .iter()
            .map(|assignment| (assignment.partition_index, assignment.broker_ids.clone()))
            .collect(),
        configs: topic
            .configs
            .iter()
            .map(|config| (config.name.to_string(), config.value.as_deref().map(str::to_owned)))
            .collect(),
    }
}

fn result(
    broker: &Broker,
    name: Str,
    answer: Result<CreatedTopic, CreateTopicError>,
) -> CreatableTopicResult {
    match answer {
        Ok(created) => CreatableTopicResult {
            name,
            topic_id: created.topic_id,
            num_partitions: created.num_partitions,
            replication_factor: created.replication_factor,
            configs: Some(configs(broker, &created)),
            ..Default::default()
        },
        Err(error) => CreatableTopicResult {
            name,
            error_code: error.code().into(),
            error_message: Some(Str::from(error.to_string())),
            num_partitions: -1,
            replication_factor: -1,
            ..Default::default()
        },
    }
}

/// What holds for the topic (KIP-525): what the request set, and for the rest what the broker says.
fn configs(broker: &Broker, created: &CreatedTopic) -> Vec<CreatableTopicConfigs> {
    const DYNAMIC_TOPIC: i8 = 1;
    const DEFAULT: i8 = 5;
    let image = broker.image();
    topic_configs()
        .map(|def| {
            let (value, config_source) = match created.configs.get(def.name) {
                Some(value) => (value.clone(), DYNAMIC_TOPIC),
                None => (broker.configs.topic_default(&image, def.name), DEFAULT),
            };
            CreatableTopicConfigs {
                name: Str::from(def.name),
                value: Some(Str::from(value)).filter(|_| !def.is_sensitive()),
                read_only: def.update == Update::ReadOnly,
                config_source,
                is_sensitive: def.is_sensitive(),
            }
        })
        .collect()
}
