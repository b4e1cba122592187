//! CreatePartitions.

use std::sync::Arc;

use protocol::Str;
use protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use quorum::controller::{CreatePartitions, MorePartitions};

use super::refusal;
use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: CreatePartitionsRequest,
    _version: i16,
) -> CreatePartitionsResponse {
    let names: Vec<Str> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let topics = request.topics.into_iter().map(|topic| MorePartitions {
        topic: topic.name.to_string(),
        count: topic.count,
        assignments: topic
            .assignments
            .map(|list| list.into_iter().map(|assignment| assignment.broker_ids).collect()),
    });
    let command =
        CreatePartitions { topics: topics.collect(), validate_only: request.validate_only };
    let results = match broker.controller.submit(command).await {
        Ok(answers) => names
            .into_iter()
            .zip(answers)
            .map(|(name, answer)| match answer {
                Ok(_) => CreatePartitionsTopicResult { name, ..Default::default() },
                Err(error) => CreatePartitionsTopicResult {
                    name,
                    error_code: error.code().into(),
                    error_message: Some(Str::from(error.to_string())),
                },
            })
            .collect(),
        Err(error) => {
            let (error_code, error_message) = refusal(&error);
            let failed = |name| CreatePartitionsTopicResult {
                name,
                error_code,
                error_message: error_message.clone(),
            };
            names.into_iter().map(failed).collect()
        }
    };
    CreatePartitionsResponse { results, ..Default::default() }
}
