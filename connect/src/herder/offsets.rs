//! A connector's offsets, shown and edited (KIP-875).
//!
//! A source's are in the offset topic: `{"partition":{"filename":"a"},"offset":{"position":3}}`. A sink's are those of
//! its consumer group: `{"partition":{"kafka_topic":"t","kafka_partition":0},"offset":{"kafka_offset":5}}`.

use std::time::Duration;

use protocol::Str;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::error::HerderError;
use super::names::TargetState;
use super::service::{Herder, Started};
use crate::api::{ConnectError, OffsetMap, TopicPartition};
use crate::config::connector::CONNECTOR_CLASS;
use crate::plugins::{AnyConnector, PluginKind};
use crate::runtime::sink_task::group_id;

/// `ConnectorOffset`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConnectorOffset {
    pub partition: OffsetMap,
    pub offset: Option<OffsetMap>,
}

/// How long a request waits for the tasks of a connector that is being stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

const TOPIC: &str = "kafka_topic";
const PARTITION: &str = "kafka_partition";
const OFFSET: &str = "kafka_offset";

impl Herder {
    /// The committed offsets of a connector.
    ///
    /// # Errors
    /// When there is no such connector, or Kafka cannot be asked.
    pub async fn offsets(&self, name: &str) -> Result<Vec<ConnectorOffset>, HerderError> {
        let started = self.started()?;
        let entry = self.entry(name)?;
        if self.type_of(&entry.config) != PluginKind::Sink.name() {
            started.shared.offsets.refresh().await?;
            let offsets = started.shared.offsets.all(name).into_iter();
            return Ok(offsets
                .map(|(partition, offset)| ConnectorOffset { partition, offset: Some(offset) })
                .collect());
        }
        let admin = started.shared.client.admin();
        let committed = admin.committed_offsets(&group_id(name)).await?;
        let offsets = committed.into_iter().map(|(partition, offset)| ConnectorOffset {
            partition: object(
                json!({ TOPIC: partition.topic.to_string(), PARTITION: partition.partition }),
            ),
            offset: Some(object(json!({ OFFSET: offset }))),
        });
        Ok(offsets.collect())
    }

    /// Sets offsets, or forgets those that are `None`. The connector must be STOPPED.
    ///
    /// # Errors
    /// When it is not, when an offset is none of this connector's, or when they cannot be written.
    pub async fn alter_offsets(
        &self,
        name: &str,
        offsets: Vec<ConnectorOffset>,
    ) -> Result<(), HerderError> {
        let started = self.started()?;
        let _one_at_a_time = started.writing.lock().await;
        let config = self.stopped_config(name, &started).await?;
        let class = config.get(CONNECTOR_CLASS).map(String::as_str).unwrap_or_default();
        let refused = |error: ConnectError| HerderError::BadRequest(error.to_string());
        match self.plugins.connector(class) {
            Some((_, AnyConnector::Source(source))) => {
                let offsets: Vec<_> =
                    offsets.into_iter().map(|one| (one.partition, one.offset)).collect();
                source.alter_offsets(&config, &offsets).map_err(refused)?;
                started.shared.offsets.write(name, offsets).await?;
                Ok(())
            }
            Some((_, AnyConnector::Sink(sink))) => {
                let offsets = offsets.iter().map(sink_offset).collect::<Result<Vec<_>, _>>()?;
                sink.alter_offsets(&config, &offsets).map_err(refused)?;
                alter_group(&started, name, offsets).await
            }
            None => Err(HerderError::BadRequest(format!("unknown connector class {class:?}"))),
        }
    }

    /// Forgets all offsets. The connector must be STOPPED.
    ///
    /// # Errors
    /// As [`Herder::alter_offsets`].
    pub async fn reset_offsets(&self, name: &str) -> Result<(), HerderError> {
        let started = self.started()?;
        let entry = self.entry(name)?;
        if self.type_of(&entry.config) != PluginKind::Sink.name() {
            let offsets = self.offsets(name).await?.into_iter();
            let none = offsets.map(|one| ConnectorOffset { offset: None, ..one }).collect();
            return self.alter_offsets(name, none).await;
        }
        let _one_at_a_time = started.writing.lock().await;
        self.stopped_config(name, &started).await?;
        match started.shared.client.admin().delete_group(&group_id(name)).await {
            Ok(()) => Ok(()),
            Err(error) if error.code() == Some(protocol::ErrorCode::GROUP_ID_NOT_FOUND) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The configuration of a connector whose target is STOPPED, once everything of it has stopped.
    async fn stopped_config(
        &self,
        name: &str,
        started: &Started,
    ) -> Result<std::sync::Arc<crate::config::Config>, HerderError> {
        let entry = self.entry(name)?;
        let running = || {
            HerderError::BadRequest(format!(
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for \
                 the specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
            ))
        };
        if entry.target != TargetState::Stopped {
            return Err(running());
        }
        let mut changes = self.changes();
        let stopped = changes.wait_for(|_| started.machine.lock().is_stopped(name));
        match tokio::time::timeout(STOP_TIMEOUT, stopped).await {
            Ok(Ok(_)) => Ok(entry.config),
            _ => Err(running()),
        }
    }
}

async fn alter_group(
    started: &Started,
    name: &str,
    offsets: Vec<(TopicPartition, Option<i64>)>,
) -> Result<(), HerderError> {
    let commits: Option<Vec<_>> = offsets
        .into_iter()
        .map(|(partition, offset)| offset.map(|offset| (partition, offset)))
        .collect();
    let Some(commits) = commits else {
        return Err(HerderError::BadRequest(
            "the offset of a single partition of a sink cannot be reset to null yet; set it to a number, or reset all \
             of them with DELETE"
                .to_owned(),
        ));
    };
    let admin = started.shared.client.admin();
    Ok(admin.alter_offsets(&group_id(name), &commits).await?)
}

fn sink_offset(one: &ConnectorOffset) -> Result<(TopicPartition, Option<i64>), HerderError> {
    let wrong = |what: &str| HerderError::BadRequest(what.to_owned());
    let topic = one.partition.get(TOPIC).and_then(Json::as_str).ok_or_else(|| {
        wrong("The partition for a sink connector offset must contain the key 'kafka_topic'")
    })?;
    // Kafka takes numbers written as text, too.
    let number = |json: &Json| match json {
        Json::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    let partition = one
        .partition
        .get(PARTITION)
        .and_then(number)
        .and_then(|partition| i32::try_from(partition).ok())
        .filter(|partition| *partition >= 0)
        .ok_or_else(|| {
            wrong("The partition for a sink connector offset must contain the key 'kafka_partition' with a number")
        })?;
    let offset = match &one.offset {
        None => None,
        Some(offset) => {
            let offset = offset.get(OFFSET).and_then(number).filter(|offset| *offset >= 0);
            Some(offset.ok_or_else(|| {
                wrong("The offset for a sink connector must be null or contain the key 'kafka_offset' with a number")
            })?)
        }
    };
    Ok((TopicPartition::new(Str::copy(topic), partition), offset))
}

fn object(json: Json) -> OffsetMap {
    match json {
        Json::Object(map) => map,
        _ => OffsetMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(partition: &str, offset: Option<&str>) -> Option<(TopicPartition, Option<i64>)> {
        let map = |text: &str| serde_json::from_str::<OffsetMap>(text).unwrap();
        sink_offset(&ConnectorOffset { partition: map(partition), offset: offset.map(map) }).ok()
    }

    #[test]
    fn sink_offsets_are_read_as_kafka_reads_them() {
        let partition = r#"{"kafka_topic":"t","kafka_partition":1}"#;
        let expected = TopicPartition::new("t", 1);
        assert_eq!(
            parse(partition, Some(r#"{"kafka_offset":5}"#)),
            Some((expected.clone(), Some(5)))
        );
        assert_eq!(
            parse(partition, Some(r#"{"kafka_offset":"5"}"#)),
            Some((expected.clone(), Some(5)))
        );
        assert_eq!(parse(partition, None), Some((expected, None)));
        assert_eq!(parse(partition, Some(r#"{"offset":5}"#)), None);
        assert_eq!(parse(partition, Some(r#"{"kafka_offset":-1}"#)), None);
        assert_eq!(parse(r#"{"kafka_topic":"t"}"#, None), None);
        assert_eq!(parse(r#"{"kafka_partition":1}"#, None), None);
    }
}
