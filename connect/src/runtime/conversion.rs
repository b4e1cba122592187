//! Converts records of a task: those that cannot be converted go to the error handler.

use std::sync::Arc;

use client::{ConsumerRecord, ProducerRecord, TopicPartition};

use super::converters::Converters;
use super::tolerance::{Concerned, ErrorHandler, Stage};
use crate::api::{
    ConnectError, ConnectRecord, DataError, Header, RawRecord, SchemaAndValue, SinkRecord,
};
use crate::config::Config;
use crate::config::connector::{HEADER_CONVERTER, KEY_CONVERTER, VALUE_CONVERTER};

/// The classes of a task's converters and of the task, for messages about errors.
#[derive(Clone, Debug)]
pub struct Classes {
    key: String,
    value: String,
    header: String,
    task: String,
}

impl Classes {
    /// `worker` gives the class that the worker uses for a key such as `value.converter`.
    pub fn new(connector: &Config, worker: impl Fn(&str) -> String, task: &str) -> Classes {
        let class = |key: &str| connector.get(key).cloned().unwrap_or_else(|| worker(key));
        Classes {
            key: class(KEY_CONVERTER),
            value: class(VALUE_CONVERTER),
            header: class(HEADER_CONVERTER),
            task: task.to_owned(),
        }
    }

    pub fn of(&self, stage: Stage) -> &str {
        match stage {
            Stage::KeyConverter => &self.key,
            Stage::ValueConverter => &self.value,
            Stage::HeaderConverter => &self.header,
            Stage::KafkaProduce | Stage::TaskPut => &self.task,
        }
    }
}

/// From Connect's values to Kafka's bytes.
#[derive(Clone, Debug)]
pub struct SourceConversion {
    pub converters: Converters,
    pub errors: Arc<ErrorHandler>,
    pub classes: Classes,
}

impl SourceConversion {
    /// `None` for a record that was given up.
    ///
    /// # Errors
    /// When errors are not tolerated.
    pub async fn convert(
        &self,
        record: &ConnectRecord,
    ) -> Result<Option<ProducerRecord>, ConnectError> {
        let topic: &str = &record.topic;
        let Converters { key, value, header } = &self.converters;
        let mut headers = Vec::with_capacity(record.headers.len());
        for one in &record.headers {
            let written =
                self.write(Stage::HeaderConverter, topic, || header.from_connect(&one.value));
            match written.await? {
                Some(bytes) => headers.push((one.key.clone(), bytes)),
                None => return Ok(None),
            }
        }
        let written =
            self.write(Stage::KeyConverter, topic, || key.from_connect(topic, &record.key));
        let Some(key) = written.await? else { return Ok(None) };
        let written =
            self.write(Stage::ValueConverter, topic, || value.from_connect(topic, &record.value));
        let Some(value) = written.await? else { return Ok(None) };
        Ok(Some(ProducerRecord {
            topic: record.topic.clone(),
            partition: record.kafka_partition,
            key,
            value,
            headers,
            timestamp_ms: record.timestamp_ms,
        }))
    }

    async fn write<T>(
        &self,
        stage: Stage,
        topic: &str,
        operation: impl FnMut() -> Result<T, DataError>,
    ) -> Result<Option<T>, ConnectError> {
        match self.errors.retry(operation).await {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let class = self.classes.of(stage);
                let concerned = Concerned { stage, class, topic, consumed: None };
                self.errors.give_up(concerned, error).await.map(|()| None)
            }
        }
    }
}

/// From Kafka's bytes to Connect's values.
#[derive(Clone, Debug)]
pub struct SinkConversion {
    pub converters: Converters,
    pub errors: Arc<ErrorHandler>,
    pub classes: Classes,
}

/// Where a record is in Kafka, and its bytes.
type Consumed<'a> = (&'a TopicPartition, i64, &'a RawRecord);

impl SinkConversion {
    /// `None` for a record that was given up.
    ///
    /// # Errors
    /// When errors are not tolerated.
    pub async fn convert(
        &self,
        partition: TopicPartition,
        record: ConsumerRecord,
    ) -> Result<Option<SinkRecord>, ConnectError> {
        let ConsumerRecord { topic, offset, timestamp_ms, key, value, headers, .. } = record;
        let raw = RawRecord { key, value, headers };
        let consumed = (&partition, offset, &raw);
        let Converters { key, value, header } = &self.converters;
        let read =
            self.read(Stage::KeyConverter, consumed, || key.to_connect(&topic, raw.key.as_ref()));
        let Some(key) = read.await? else { return Ok(None) };
        let read = self
            .read(Stage::ValueConverter, consumed, || value.to_connect(&topic, raw.value.as_ref()));
        let Some(value) = read.await? else { return Ok(None) };
        let mut headers = Vec::with_capacity(raw.headers.len());
        for (name, bytes) in &raw.headers {
            let read =
                self.read(Stage::HeaderConverter, consumed, || header.to_connect(bytes.as_ref()));
            let Some(value) = read.await? else { return Ok(None) };
            headers.push(Header { key: name.clone(), value });
        }
        let record = ConnectRecord {
            kafka_partition: Some(partition.partition),
            topic,
            key,
            value,
            timestamp_ms: Some(timestamp_ms).filter(|timestamp| *timestamp >= 0),
            headers,
        };
        Ok(Some(SinkRecord { record, original: partition, offset, raw }))
    }

    async fn read(
        &self,
        stage: Stage,
        consumed: Consumed<'_>,
        operation: impl FnMut() -> Result<SchemaAndValue, DataError>,
    ) -> Result<Option<SchemaAndValue>, ConnectError> {
        match self.errors.retry(operation).await {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let (class, topic) = (self.classes.of(stage), &*consumed.0.topic);
                let concerned = Concerned { stage, class, topic, consumed: Some(consumed) };
                self.errors.give_up(concerned, error).await.map(|()| None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::Str;

    use super::*;
    use crate::api::{Schema, Value};
    use crate::config::connector::sink_def;
    use crate::config::{ConfigDef, WorkerSettings};
    use crate::herder::names::TaskId;
    use crate::plugins::Plugins;
    use crate::runtime::tolerance::ErrorPolicy;

    const LONG: &str = "org.apache.kafka.connect.converters.LongConverter";

    fn parts(def: ConfigDef, tolerance: &str) -> (Converters, Arc<ErrorHandler>, Classes) {
        let config: Config = [
            ("key.converter", "String"),
            ("value.converter", LONG),
            ("errors.tolerance", tolerance),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
        let settings = WorkerSettings::new(Config::new()).unwrap();
        let converters = Converters::make(&Plugins::builtin(), &settings, &config).unwrap();
        let policy = ErrorPolicy::new(&def.parse(&config).0);
        let errors = ErrorHandler { id: TaskId::new("a", 0), policy, dead_letters: None };
        let classes = Classes::new(&config, |key| settings.converter_class(key).to_owned(), "Task");
        (converters, Arc::new(errors), classes)
    }

    fn consumed(value: &'static [u8]) -> ConsumerRecord {
        ConsumerRecord {
            topic: Str::from_static("t"),
            partition: 0,
            offset: 4,
            timestamp_ms: -1,
            key: Some(Bytes::from_static(b"word")),
            value: Some(Bytes::from_static(value)),
            headers: vec![(Str::from_static("h"), Some(Bytes::from_static(b"1")))],
        }
    }

    fn sink(tolerance: &str) -> SinkConversion {
        let (converters, errors, classes) = parts(sink_def(), tolerance);
        SinkConversion { converters, errors, classes }
    }

    #[tokio::test]
    async fn a_consumed_record_is_converted_with_its_bytes_kept() {
        let record = consumed(&[0, 0, 0, 0, 0, 0, 0, 7]);
        let converted =
            sink("none").convert(record.topic_partition(), record).await.unwrap().unwrap();
        assert_eq!(converted.record.key.value, Value::string("word"));
        assert_eq!(converted.record.value.value, Value::Int64(7));
        assert_eq!(converted.record.timestamp_ms, None);
        assert_eq!(converted.record.headers[0].value.value, Value::Int8(1));
        assert_eq!(converted.raw.key.as_deref(), Some(&b"word"[..]));
    }

    #[tokio::test]
    async fn a_broken_record_is_skipped_or_ends_the_task() {
        let record = consumed(b"no long");
        let partition = record.topic_partition();
        assert!(sink("all").convert(partition.clone(), record.clone()).await.unwrap().is_none());
        let error = sink("none").convert(partition, record).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "Tolerance exceeded in error handler: VALUE_CONVERTER (record t-0 at offset 4): Failed to deserialize \
             int64: Size of data received is 7, not 8"
        );
    }

    #[tokio::test]
    async fn a_source_record_becomes_bytes() {
        let (converters, errors, classes) = parts(sink_def(), "all");
        let source = SourceConversion { converters, errors, classes };
        let mut record = ConnectRecord {
            topic: Str::from_static("t"),
            key: SchemaAndValue::new(Schema::string(), Value::string("word")),
            value: SchemaAndValue::new(Schema::int64(), Value::Int64(1)),
            headers: vec![Header::new("h", Schema::boolean(), Value::Boolean(true))],
            ..ConnectRecord::default()
        };
        let written = source.convert(&record).await.unwrap().unwrap();
        assert_eq!(written.value.as_deref(), Some(&[0, 0, 0, 0, 0, 0, 0, 1][..]));
        assert_eq!(written.headers[0].1.as_deref(), Some(&b"true"[..]));
        record.value.value = Value::string("one");
        assert!(source.convert(&record).await.unwrap().is_none());
    }
}
