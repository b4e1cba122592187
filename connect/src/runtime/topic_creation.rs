//! Makes the topics that a source writes to, where its configuration says how (KIP-158, the default group only).

use client::Client;

use crate::api::ConnectError;
use crate::config::connector::{
    TOPIC_CREATION_DEFAULT_PREFIX, TOPIC_CREATION_PARTITIONS, TOPIC_CREATION_REPLICATION,
};
use crate::config::{Config, Parsed, with_prefix};
use crate::kafka::TopicSpec;

/// How a source's topics are made; without a configuration the broker's automatic creation decides.
#[derive(Clone, Debug)]
pub struct TopicCreation {
    client: Client,
    template: Option<TopicSpec>,
}

impl TopicCreation {
    pub fn new(client: &Client, enabled: bool, parsed: &Parsed, config: &Config) -> TopicCreation {
        let template = template(parsed, config).filter(|_| enabled);
        TopicCreation { client: client.clone(), template }
    }

    /// Makes the topic if it does not exist and the configuration says how.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn ensure(&self, topic: &str) -> Result<(), ConnectError> {
        let Some(template) = &self.template else { return Ok(()) };
        let spec = TopicSpec { name: topic.to_owned(), ..template.clone() };
        spec.create(&self.client.admin())
            .await
            .map(|_| ())
            .map_err(|e| ConnectError::fatal(e.to_string()))
    }
}

fn template(parsed: &Parsed, config: &Config) -> Option<TopicSpec> {
    let partitions = parsed.int(TOPIC_CREATION_PARTITIONS);
    let replicas = parsed.int(TOPIC_CREATION_REPLICATION);
    if partitions.is_none() && replicas.is_none() {
        return None;
    }
    let mut configs = with_prefix(config, TOPIC_CREATION_DEFAULT_PREFIX);
    configs.retain(|key, _| !matches!(key.as_str(), "partitions" | "replication.factor"));
    Some(TopicSpec {
        name: String::new(),
        partitions: partitions.and_then(|n| i32::try_from(n).ok()).unwrap_or(-1),
        replication_factor: replicas.and_then(|n| i16::try_from(n).ok()).unwrap_or(-1),
        configs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::connector::source_def;

    #[test]
    fn topics_are_made_as_configured() {
        let config: Config = [
            ("topic.creation.default.partitions", "3"),
            ("topic.creation.default.cleanup.policy", "compact"),
            ("file", "a"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
        let spec = template(&source_def().parse(&config).0, &config).unwrap();
        assert_eq!((spec.partitions, spec.replication_factor), (3, -1));
        assert_eq!(spec.configs.len(), 1);
        assert_eq!(spec.configs["cleanup.policy"], "compact");
        assert_eq!(template(&source_def().parse(&Config::new()).0, &Config::new()), None);
    }
}
