//! Source offsets in the offset topic, in Kafka's format: key `["<connector>",{partition}]`, value `{offset}`, null for
//! none any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use client::{Client, Producer};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::topic_log::{LogRecord, StoreError, TopicLog};
use super::topics::TopicSpec;
use crate::api::{OffsetMap, OffsetReader, canonical};

/// The offsets of one connector: by the canonical form of the partition, the partition and its offset.
type Offsets = BTreeMap<String, (OffsetMap, OffsetMap)>;

/// All source offsets.
#[derive(Clone, Debug)]
pub struct OffsetStore {
    log: TopicLog,
    offsets: Arc<Mutex<BTreeMap<String, Offsets>>>,
}

impl OffsetStore {
    /// Reads the topic to its end.
    ///
    /// # Errors
    /// When the topic cannot be made or read.
    pub async fn start(
        client: &Client,
        producer: &Producer,
        spec: &TopicSpec,
    ) -> Result<OffsetStore, StoreError> {
        let offsets: Arc<Mutex<BTreeMap<String, Offsets>>> = Arc::default();
        let known = Arc::clone(&offsets);
        let reader = move |record: LogRecord| {
            apply(&mut known.lock(), &record);
            Box::pin(std::future::ready(())) as futures_util::future::BoxFuture<'static, ()>
        };
        let log = TopicLog::start(client, producer, spec, Box::new(reader)).await?;
        Ok(OffsetStore { log, offsets })
    }

    /// Waits until everything that was written before has been read.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.log.read_to_end().await
    }

    /// Every partition of a connector with its offset.
    pub fn all(&self, connector: &str) -> Vec<(OffsetMap, OffsetMap)> {
        let offsets = self.offsets.lock();
        offsets.get(connector).map(|of| of.values().cloned().collect()).unwrap_or_default()
    }

    /// The offset of one partition.
    pub fn offset(&self, connector: &str, partition: &OffsetMap) -> Option<OffsetMap> {
        let offsets = self.offsets.lock();
        offsets.get(connector)?.get(&canonical(partition)).map(|(_, offset)| offset.clone())
    }

    /// Writes offsets, `None` to forget one, and waits until they are acknowledged and read back.
    ///
    /// # Errors
    /// When they could not be written.
    pub async fn write(
        &self,
        connector: &str,
        offsets: impl IntoIterator<Item = (OffsetMap, Option<OffsetMap>)>,
    ) -> Result<(), StoreError> {
        let records = offsets.into_iter().map(|(partition, offset)| {
            let partition = self.as_stored(connector, partition);
            let key = json!([connector, partition]).to_string();
            (key, offset.map(|offset| Json::Object(offset).to_string()))
        });
        self.log.write(records.collect()).await
    }

    /// The partition in the form in which it is stored already, so that compaction sees one key and not two.
    fn as_stored(&self, connector: &str, partition: OffsetMap) -> OffsetMap {
        let offsets = self.offsets.lock();
        let stored = offsets.get(connector).and_then(|of| of.get(&canonical(&partition)));
        stored.map_or(partition, |(stored, _)| stored.clone())
    }

    /// The view of one connector's tasks.
    pub fn reader(&self, connector: &str) -> Arc<dyn OffsetReader> {
        Arc::new(ConnectorOffsets { store: self.clone(), connector: connector.to_owned() })
    }
}

#[derive(Debug)]
struct ConnectorOffsets {
    store: OffsetStore,
    connector: String,
}

impl OffsetReader for ConnectorOffsets {
    fn offset(&self, partition: &OffsetMap) -> Option<OffsetMap> {
        self.store.offset(&self.connector, partition)
    }
}

/// Takes a record in; one that is not in Kafka's format is passed over.
fn apply(offsets: &mut BTreeMap<String, Offsets>, record: &LogRecord) {
    let Some((connector, partition)) = record.key.as_deref().and_then(parse_key) else {
        tracing::warn!("a record of the offset topic is not in Kafka's format; passing over it");
        return;
    };
    let of = offsets.entry(connector).or_default();
    let name = canonical(&partition);
    let offset = record.value.as_deref().and_then(|value| serde_json::from_slice(value).ok());
    match offset {
        Some(Json::Object(offset)) => {
            of.insert(name, (partition, offset));
        }
        // A null inside the value means the same as no value, as in Kafka.
        _ => {
            of.remove(&name);
        }
    }
}

fn parse_key(key: &[u8]) -> Option<(String, OffsetMap)> {
    match serde_json::from_slice(key).ok()? {
        Json::Array(parts) => match <[Json; 2]>::try_from(parts).ok()? {
            [Json::String(connector), Json::Object(partition)] => Some((connector, partition)),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn record(key: &'static str, value: Option<&'static str>) -> LogRecord {
        LogRecord {
            key: Some(Bytes::from_static(key.as_bytes())),
            value: value.map(|value| Bytes::from_static(value.as_bytes())),
        }
    }

    #[test]
    fn the_last_offset_of_a_partition_counts_whatever_the_order_of_its_keys() {
        let mut offsets = BTreeMap::new();
        for record in [
            record(r#"["a",{"x":1,"y":2}]"#, Some(r#"{"position":1}"#)),
            record(r#"["a",{"y":2,"x":1}]"#, Some(r#"{"position":2}"#)),
            record(r#"["b",{"filename":"f"}]"#, Some(r#"{"position":3}"#)),
            record(r#"["b",{"filename":"f"}]"#, None),
            record("nonsense", Some("{}")),
            record(r#"["c"]"#, Some("{}")),
        ] {
            apply(&mut offsets, &record);
        }
        assert_eq!(offsets["a"].len(), 1);
        assert_eq!(offsets["a"].values().next().unwrap().1["position"], 2);
        assert!(offsets["b"].is_empty());
        assert!(!offsets.contains_key("c"));
    }
}
