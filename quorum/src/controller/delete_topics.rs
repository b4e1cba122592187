use std::collections::HashMap;

use protocol::{ErrorCode, Uuid};
use thiserror::Error;

use super::{Command, Controller, Decision, Draft, Entropy};
use crate::record::MetadataRecord;

/// Deletes topics with their records and configs.
#[derive(Debug, Clone, PartialEq)]
pub struct DeleteTopics {
    /// Each is answered by itself.
    pub topics: Vec<TopicRef>,
}

/// A topic by name or by id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TopicRef {
    /// By name.
    Name(String),
    /// By id.
    Id(Uuid),
}

/// Why a topic was not deleted.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum DeleteTopicError {
    /// No topic of that name.
    #[error("This server does not host this topic-partition.")]
    UnknownName,
    /// No topic of that id.
    #[error("This server does not host this topic ID.")]
    UnknownId,
    /// The request names the topic twice.
    #[error("Duplicate topic name or id.")]
    Duplicate,
    /// `delete.topic.enable=false`.
    #[error("Topic deletion is disabled.")]
    Disabled,
}

impl DeleteTopicError {
    /// Kafka's code for it.
    pub fn code(self) -> ErrorCode {
        match self {
            DeleteTopicError::UnknownName => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            DeleteTopicError::UnknownId => ErrorCode::UNKNOWN_TOPIC_ID,
            DeleteTopicError::Duplicate => ErrorCode::INVALID_REQUEST,
            DeleteTopicError::Disabled => ErrorCode::TOPIC_DELETION_DISABLED,
        }
    }
}

impl Command for DeleteTopics {
    /// Name and id of what was deleted.
    type Answer = Vec<Result<(String, Uuid), DeleteTopicError>>;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let image = &controller.image;
        let found: Vec<_> = self
            .topics
            .iter()
            .map(|topic| match topic {
                TopicRef::Name(name) => image.topic(name).ok_or(DeleteTopicError::UnknownName),
                TopicRef::Id(id) => image.topic_by_id(id).ok_or(DeleteTopicError::UnknownId),
            })
            .collect();
        let mut times: HashMap<Uuid, usize> = HashMap::new();
        for topic in found.iter().flatten() {
            *times.entry(topic.id).or_default() += 1;
        }
        let mut draft = Draft::of(controller);
        let answer = found.into_iter().map(|topic| {
            if !controller.settings.delete_topic_enable {
                return Err(DeleteTopicError::Disabled);
            }
            let topic = topic?;
            if times.get(&topic.id).is_some_and(|&n| n > 1) {
                return Err(DeleteTopicError::Duplicate);
            }
            draft.add(vec![MetadataRecord::RemoveTopic { topic_id: topic.id }]);
            Ok((topic.name.to_string(), topic.id))
        });
        let answer = answer.collect();
        draft.decision(false, answer)
    }
}
