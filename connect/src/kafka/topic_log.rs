//! A topic as a log that everybody reads to its end and that anybody may append to (Kafka's `KafkaBasedLog`).
//!
//! What a worker has written counts only once it has read it back: so every worker sees the same records in the same
//! order, whoever wrote them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use client::{
    ApiError, AutoOffsetReset, Client, ClientError, ConsumeError, Consumer, ConsumerConfig,
    OffsetSpec, ProduceError, Producer, ProducerRecord, TopicPartition,
};
use futures_util::future::BoxFuture;
use protocol::Str;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::topics::TopicSpec;

/// Why an internal topic cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot make the topic {topic}: {error}")]
    Create { topic: String, error: ApiError },
    #[error(
        "the topic {topic} must have cleanup.policy=compact and has {policy}: what the worker keeps there would be lost"
    )]
    NotCompacted { topic: String, policy: String },
    #[error("the topic {0} does not exist")]
    NoTopic(String),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("cannot read {topic}: {source}")]
    Consume { topic: String, source: ConsumeError },
    #[error("cannot write to {topic}: {source}")]
    Produce { topic: String, source: ProduceError },
    #[error("{0} was not read to its end in time")]
    Timeout(String),
}

/// A record of the log.
#[derive(Clone, Debug)]
pub struct LogRecord {
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
}

/// Takes the records in, in the order of each partition.
pub type Reader = Box<dyn FnMut(LogRecord) -> BoxFuture<'static, ()> + Send>;

/// The next offset to be read of each partition.
type Positions = BTreeMap<i32, i64>;

/// One log.
#[derive(Clone, Debug)]
pub struct TopicLog {
    client: Client,
    producer: Producer,
    topic: Str,
    positions: watch::Receiver<Positions>,
    _tail: std::sync::Arc<DropGuard>,
}

/// How long a read waits for records before it looks again.
const POLL: Duration = Duration::from_secs(1);

/// How long to wait after an error.
const BACK_OFF: Duration = Duration::from_millis(500);

/// How long to wait before a broker is asked again about a topic that it does not know.
const UNKNOWN_PAUSE: Duration = Duration::from_millis(50);

/// Longest wait for a topic that was made to be known, or for the end of the log.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

impl TopicLog {
    /// Makes the topic if it is not there, reads it to its end, and goes on reading.
    ///
    /// # Errors
    /// When the topic cannot be made, is not compacted, or cannot be read.
    pub async fn start(
        client: &Client,
        producer: &Producer,
        spec: &TopicSpec,
        reader: Reader,
    ) -> Result<TopicLog, StoreError> {
        if !spec.create(&client.admin()).await? {
            check_compacted(client, &spec.name).await?;
        }
        let partitions = partitions(client, &spec.name).await?;
        let start: Positions = partitions.iter().map(|partition| (*partition, 0)).collect();
        let (sender, positions) = watch::channel(start);
        let topic = Str::copy(&spec.name);
        let config = ConsumerConfig {
            group_id: None,
            auto_offset_reset: AutoOffsetReset::Earliest,
            ..ConsumerConfig::default()
        };
        let consumer = Consumer::new(client, config);
        let assigned: Vec<TopicPartition> = partitions
            .iter()
            .map(|partition| TopicPartition::new(topic.clone(), *partition))
            .collect();
        consumer.assign(assigned);
        let stop = CancellationToken::new();
        tokio::spawn(tail(consumer, topic.clone(), reader, sender, stop.clone()));
        let log = TopicLog {
            client: client.clone(),
            producer: producer.clone(),
            topic,
            positions,
            _tail: std::sync::Arc::new(stop.drop_guard()),
        };
        log.read_to_end().await?;
        Ok(log)
    }

    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Appends records in order and waits until they are acknowledged and read back.
    ///
    /// # Errors
    /// When one of them could not be written; those before it may be.
    pub async fn write(&self, records: Vec<(String, Option<String>)>) -> Result<(), StoreError> {
        let produce = |source| StoreError::Produce { topic: self.topic.to_string(), source };
        let mut deliveries = Vec::with_capacity(records.len());
        for (key, value) in records {
            let record = ProducerRecord {
                topic: self.topic.clone(),
                key: Some(Bytes::from(key)),
                value: value.map(Bytes::from),
                ..ProducerRecord::default()
            };
            deliveries.push(self.producer.send(record).await.map_err(produce)?);
        }
        let mut written = Positions::new();
        let mut unknown = false;
        for delivery in deliveries {
            let metadata = delivery.await.map_err(produce)?;
            // A repeated batch is acknowledged without its offset.
            unknown |= metadata.offset < 0;
            written.insert(metadata.partition, metadata.offset + 1);
        }
        if unknown { self.read_to_end().await } else { self.wait_for(written).await }
    }

    /// Waits until everything that is in the topic now has been read.
    ///
    /// # Errors
    /// When the topic's end cannot be had or is not reached.
    pub async fn read_to_end(&self) -> Result<(), StoreError> {
        let asked: Vec<_> = self
            .positions
            .borrow()
            .keys()
            .map(|partition| {
                (TopicPartition::new(self.topic.clone(), *partition), OffsetSpec::Latest)
            })
            .collect();
        let mut goal = Positions::new();
        for (partition, end) in self.client.admin().list_offsets(&asked).await {
            goal.insert(partition.partition, end?.offset);
        }
        self.wait_for(goal).await
    }

    async fn wait_for(&self, goal: Positions) -> Result<(), StoreError> {
        let mut positions = self.positions.clone();
        let reached = positions.wait_for(|positions| {
            goal.iter().all(|(partition, end)| positions.get(partition).is_some_and(|p| p >= end))
        });
        match tokio::time::timeout(READ_TIMEOUT, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StoreError::Timeout(self.topic.to_string())),
        }
    }
}

async fn check_compacted(client: &Client, topic: &str) -> Result<(), StoreError> {
    let described = client.admin().describe_topic_configs(&[topic.to_owned()]).await?;
    let configs = match described.into_iter().next() {
        Some((_, configs)) => configs.map_err(ClientError::from)?,
        None => return Ok(()),
    };
    let policy = configs.iter().find(|config| config.name == "cleanup.policy");
    match policy.and_then(|config| config.value.as_deref()) {
        Some(policy) if !policy.split(',').any(|word| word.trim() == "compact") => {
            Err(StoreError::NotCompacted { topic: topic.to_owned(), policy: policy.to_owned() })
        }
        _ => Ok(()),
    }
}

/// The topic's partitions. Any broker may be asked, and one that is behind does not know a topic that was made just now.
async fn partitions(client: &Client, topic: &str) -> Result<Vec<i32>, StoreError> {
    let deadline = Instant::now() + READ_TIMEOUT;
    loop {
        let described = client.admin().describe_topics(&[topic.to_owned()]).await?;
        let known = described.into_iter().next().filter(|description| description.error.is_none());
        match known {
            Some(description) if !description.partitions.is_empty() => {
                return Ok(description.partitions.iter().map(|partition| partition.id).collect());
            }
            _ if Instant::now() < deadline => tokio::time::sleep(UNKNOWN_PAUSE).await,
            _ => return Err(StoreError::NoTopic(topic.to_owned())),
        }
    }
}

/// Reads for as long as the log is used.
async fn tail(
    consumer: Consumer,
    topic: Str,
    mut reader: Reader,
    positions: watch::Sender<Positions>,
    stop: CancellationToken,
) {
    let mut failing = false;
    loop {
        let polled = tokio::select! {
            () = stop.cancelled() => break,
            polled = consumer.poll(POLL) => polled,
        };
        let records = match polled {
            Ok(records) => records,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%topic, %error, "cannot read an internal topic; trying again");
                }
                tokio::time::sleep(BACK_OFF).await;
                continue;
            }
        };
        failing = false;
        let mut next = Positions::new();
        for record in records {
            next.insert(record.partition, record.offset + 1);
            reader(LogRecord { key: record.key, value: record.value }).await;
        }
        positions.send_modify(|positions| positions.extend(next));
    }
    consumer.close().await;
}
