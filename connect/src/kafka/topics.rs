//! Makes topics that a worker needs.

use std::collections::BTreeMap;

use client::{Admin, NewTopic};
use protocol::ErrorCode;

use super::topic_log::StoreError;

/// A topic as it should be made when it does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: String,
    pub partitions: i32,
    /// -1 is the broker's default.
    pub replication_factor: i16,
    pub configs: BTreeMap<String, String>,
}

impl TopicSpec {
    /// One of a worker's internal topics: compacted, so that the last word on each key stays.
    pub fn internal(name: &str, partitions: i32, replication_factor: i16) -> TopicSpec {
        let configs = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
        TopicSpec { name: name.to_owned(), partitions, replication_factor, configs }
    }

    /// Makes the topic; true when it was not there before.
    ///
    /// # Errors
    /// When the broker refuses, or cannot be reached.
    pub async fn create(&self, admin: &Admin) -> Result<bool, StoreError> {
        let new = NewTopic {
            name: self.name.clone(),
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            configs: self.configs.clone(),
        };
        let results = admin.create_topics(vec![new]).await?;
        match results.into_iter().next() {
            Some((_, Err(error))) if error.code != ErrorCode::TOPIC_ALREADY_EXISTS => {
                Err(StoreError::Create { topic: self.name.clone(), error })
            }
            Some((_, Err(_))) => Ok(false),
            _ => Ok(true),
        }
    }
}
