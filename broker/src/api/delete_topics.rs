//! DeleteTopics.

use std::sync::Arc;

use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::delete_topics_response::DeletableTopicResult;
use protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::{Str, Uuid};
use quorum::controller::{DeleteTopics, TopicRef};

use super::refusal;
use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: DeleteTopicsRequest,
    _version: i16,
) -> DeleteTopicsResponse {
    let topics: Vec<TopicRef> = request
        .topics
        .into_iter()
        .map(by_name_or_id)
        .chain(request.topic_names.into_iter().map(|name| TopicRef::Name(name.to_string())))
        .collect();
    let responses = match broker.controller.submit(DeleteTopics { topics: topics.clone() }).await {
        Ok(answers) => topics
            .iter()
            .zip(answers)
            .map(|(asked, answer)| match answer {
                Ok((name, topic_id)) => DeletableTopicResult {
                    name: Some(Str::from(name)),
                    topic_id,
                    ..Default::default()
                },
                Err(error) => {
                    failed(asked, error.code().into(), Some(Str::from(error.to_string())))
                }
            })
            .collect(),
        Err(error) => {
            let (code, message) = refusal(&error);
            topics.iter().map(|asked| failed(asked, code, message.clone())).collect()
        }
    };
    DeleteTopicsResponse { responses, ..Default::default() }
}

fn by_name_or_id(state: DeleteTopicState) -> TopicRef {
    match state.name {
        Some(name) => TopicRef::Name(name.to_string()),
        None => TopicRef::Id(state.topic_id),
    }
}

/// The topic as the client named it, with why it is still there.
fn failed(asked: &TopicRef, error_code: i16, error_message: Option<Str>) -> DeletableTopicResult {
    let (name, topic_id) = match asked {
        TopicRef::Name(name) => (Some(Str::from(name.clone())), Uuid::ZERO),
        TopicRef::Id(id) => (None, *id),
    };
    DeletableTopicResult { name, topic_id, error_code, error_message }
}
