//! The dead-letter topic of a sink: the records that it could not handle, as they were.

use bytes::Bytes;
use client::{Delivery, Producer, ProducerRecord};
use parking_lot::Mutex;
use protocol::Str;

use super::tolerance::Concerned;
use crate::api::ConnectError;
use crate::herder::names::TaskId;

/// Kafka's prefix of the headers that tell what went wrong.
const PREFIX: &str = "__connect.errors.";

/// Dead letters that may wait to be acknowledged; the next one waits for the first of them.
const MAX_PENDING: usize = 10_000;

/// Writes dead letters.
#[derive(Debug)]
pub struct DeadLetters {
    producer: Producer,
    topic: Str,
    context_headers: bool,
    pending: Mutex<Vec<Delivery>>,
}

impl DeadLetters {
    pub fn new(producer: Producer, topic: &str, context_headers: bool) -> DeadLetters {
        let (topic, pending) = (Str::copy(topic), Mutex::new(Vec::new()));
        DeadLetters { producer, topic, context_headers, pending }
    }

    /// Sends a record on; it is written when [`DeadLetters::flush`] says so.
    ///
    /// # Errors
    /// When it cannot be sent: the record would be lost.
    pub async fn send(
        &self,
        id: &TaskId,
        concerned: Concerned<'_>,
        error: &ConnectError,
    ) -> Result<(), ConnectError> {
        let Some((_, _, raw)) = concerned.consumed else { return Ok(()) };
        if self.pending.lock().len() >= MAX_PENDING {
            self.flush().await?;
        }
        let mut headers = raw.headers.clone();
        if self.context_headers {
            headers.extend(context_headers(id, concerned, error));
        }
        let record = ProducerRecord {
            topic: self.topic.clone(),
            partition: None,
            key: raw.key.clone(),
            value: raw.value.clone(),
            headers,
            timestamp_ms: None,
        };
        let delivery = self.producer.send(record).await.map_err(|e| self.lost(&e))?;
        self.pending.lock().push(delivery);
        Ok(())
    }

    /// Waits until every dead letter is acknowledged; only then may the offsets of their records be committed.
    ///
    /// # Errors
    /// When one of them was not written.
    pub async fn flush(&self) -> Result<(), ConnectError> {
        let pending = std::mem::take(&mut *self.pending.lock());
        for delivery in pending {
            delivery.await.map_err(|e| self.lost(&e))?;
        }
        Ok(())
    }

    fn lost(&self, error: &client::ProduceError) -> ConnectError {
        ConnectError::fatal(format!(
            "Could not write to the dead letter topic {}: {error}",
            self.topic
        ))
    }
}

fn context_headers(
    id: &TaskId,
    concerned: Concerned<'_>,
    error: &ConnectError,
) -> Vec<(Str, Option<Bytes>)> {
    let mut headers = Vec::new();
    let mut add = |name: &str, value: String| {
        headers.push((Str::from(format!("{PREFIX}{name}")), Some(Bytes::from(value))));
    };
    if let Some((partition, offset, _)) = concerned.consumed {
        add("topic", partition.topic.to_string());
        add("partition", partition.partition.to_string());
        add("offset", offset.to_string());
    }
    add("connector.name", id.connector.clone());
    add("task.id", id.task.to_string());
    add("stage", concerned.stage.name().to_owned());
    add("class.name", concerned.class.to_owned());
    add("exception.class.name", error.java_class().to_owned());
    add("exception.message", error.to_string());
    add("exception.stacktrace", format!("{}: {error}", error.java_class()));
    headers
}

#[cfg(test)]
mod tests {
    use super::super::tolerance::Stage;
    use super::*;
    use crate::api::{DataError, RawRecord, TopicPartition};

    #[test]
    fn context_headers_are_kafkas() {
        let partition = TopicPartition::new("counts", 2);
        let raw = RawRecord::default();
        let concerned = Concerned {
            stage: Stage::ValueConverter,
            class: "org.apache.kafka.connect.converters.LongConverter",
            topic: "counts",
            consumed: Some((&partition, 9, &raw)),
        };
        let error = ConnectError::from(DataError::new("too short"));
        let headers = context_headers(&TaskId::new("sink", 0), concerned, &error);
        let find = |name: &str| {
            let key = format!("__connect.errors.{name}");
            let found = headers.iter().find(|(header, _)| *header == key.as_str())?;
            found.1.as_ref().map(|value| String::from_utf8_lossy(value).into_owned())
        };
        for (name, value) in [
            ("topic", "counts"),
            ("partition", "2"),
            ("offset", "9"),
            ("connector.name", "sink"),
            ("task.id", "0"),
            ("stage", "VALUE_CONVERTER"),
            ("class.name", "org.apache.kafka.connect.converters.LongConverter"),
            ("exception.class.name", "org.apache.kafka.connect.errors.DataException"),
            ("exception.message", "too short"),
        ] {
            assert_eq!(find(name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(headers.len(), 10);
    }
}
