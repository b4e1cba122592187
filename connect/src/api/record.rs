//! Records on their way between a connector and Kafka.

use bytes::Bytes;
pub use client::TopicPartition;
use protocol::Str;
use serde_json::{Map, Value as Json};

use super::schema::Schema;
use super::value::{SchemaAndValue, Value};

/// One record, with its key, value and headers in Connect's data model.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ConnectRecord {
    pub topic: Str,
    /// The partition in Kafka; none lets the producer choose.
    pub kafka_partition: Option<i32>,
    pub key: SchemaAndValue,
    pub value: SchemaAndValue,
    /// Milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    pub headers: Vec<Header>,
}

/// A header: its key may occur more than once in a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    pub key: Str,
    pub value: SchemaAndValue,
}

impl Header {
    pub fn new(key: impl Into<Str>, schema: Schema, value: Value) -> Header {
        Header { key: key.into(), value: SchemaAndValue::new(schema, value) }
    }
}

/// A source partition (`{"filename":"a.txt"}`) or a source offset (`{"position":30}`): a flat JSON object.
pub type OffsetMap = Map<String, Json>;

/// A record that a source task read, with the place to go on from after it.
#[derive(Clone, Debug)]
pub struct SourceRecord {
    pub record: ConnectRecord,
    /// Which part of the source the offset belongs to.
    pub source_partition: std::sync::Arc<OffsetMap>,
    pub source_offset: OffsetMap,
}

/// A record that a sink task is to write.
#[derive(Clone, Debug)]
pub struct SinkRecord {
    pub record: ConnectRecord,
    /// The partition and offset it has in Kafka, whatever a transformation made of its topic.
    pub original: TopicPartition,
    pub offset: i64,
    /// The record as it is in Kafka: what a dead-letter topic gets.
    pub raw: RawRecord,
}

/// A record's bytes in Kafka.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RawRecord {
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(Str, Option<Bytes>)>,
}

/// The form of an offset map by which two equal ones are the same string: its keys sorted, as JSON.
pub fn canonical(map: &OffsetMap) -> String {
    let mut entries: Vec<(&String, &Json)> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    let sorted: Map<String, Json> =
        entries.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    Json::Object(sorted).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_form_does_not_depend_on_the_order_of_keys() {
        let a: OffsetMap = serde_json::from_str(r#"{"x":1,"a":"b"}"#).unwrap();
        let b: OffsetMap = serde_json::from_str(r#"{"a":"b","x":1}"#).unwrap();
        assert_eq!(canonical(&a), canonical(&b));
        assert_eq!(canonical(&a), r#"{"a":"b","x":1}"#);
    }
}
