//! A broker for tests.

use std::time::Duration;

use broker::{Broker, BrokerConfig, BrokerHandle};
use client::{
    AutoOffsetReset, Client, ClientConfig, Consumer, ConsumerConfig, ConsumerRecord, NewTopic,
    Producer, ProducerConfig, ProducerRecord, TopicPartition,
};

/// Longest that a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A broker of its own for each test.
pub(crate) struct Cluster {
    pub(crate) bootstrap: String,
    /// Holds the broker and its data. `None` when the tests run against another broker.
    _broker: Option<(BrokerHandle, tempfile::TempDir)>,
}

impl Cluster {
    /// A broker in this process; or, so that the tests themselves can be tested against Apache Kafka, the one that
    /// the environment variable `KAFKA_BOOTSTRAP` names.
    pub(crate) async fn start() -> Self {
        if let Ok(bootstrap) = std::env::var("KAFKA_BOOTSTRAP") {
            return Self { bootstrap, _broker: None };
        }
        let data = tempfile::tempdir().unwrap();
        let mut config = BrokerConfig::local(data.path().to_owned());
        config.properties.insert("group.initial.rebalance.delay.ms".to_owned(), "0".to_owned());
        let broker = Broker::start(config).await.unwrap();
        Self { bootstrap: broker.addr().to_string(), _broker: Some((broker, data)) }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(ClientConfig::new(&self.bootstrap))
    }

    /// Creates a topic under a name of its own.
    pub(crate) async fn topic(&self, partitions: i32) -> String {
        let name = format!("topic-{:016x}", fastrand::u64(..));
        self.create(NewTopic::new(&name).with_partitions(partitions)).await;
        name
    }

    /// Creates a topic, and waits until the broker says that it is there: Apache Kafka answers a little earlier.
    pub(crate) async fn create(&self, topic: NewTopic) {
        let (admin, name) = (self.client().admin(), topic.name.clone());
        let created = admin.create_topics(vec![topic]).await.unwrap();
        assert_eq!(created, [(name.clone(), Ok(()))]);
        let known = async {
            while admin.describe_topics(std::slice::from_ref(&name)).await.unwrap()[0]
                .error
                .is_some()
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, known).await.is_ok());
    }
}

pub(crate) fn group_name() -> String {
    format!("group-{:016x}", fastrand::u64(..))
}

/// Writes values to one partition, in order.
pub(crate) async fn write(client: &Client, topic: &str, partition: i32, values: &[String]) {
    let producer = Producer::new(client, ProducerConfig::default());
    for value in values {
        let record = ProducerRecord {
            partition: Some(partition),
            ..ProducerRecord::new(topic.to_owned(), value.clone())
        };
        producer.send(record).await.unwrap();
    }
    producer.close().await.unwrap();
}

pub(crate) fn from_start() -> ConsumerConfig {
    ConsumerConfig { auto_offset_reset: AutoOffsetReset::Earliest, ..Default::default() }
}

/// Reads a whole topic, outside any group, until there are so many records.
pub(crate) async fn read(client: &Client, topic: &str, count: usize) -> Vec<ConsumerRecord> {
    let consumer = Consumer::new(client, from_start());
    let described = client.admin().describe_topics(&[topic.to_owned()]).await.unwrap();
    let partitions = described[0].partitions.iter();
    consumer.assign(partitions.map(|p| TopicPartition::new(topic.to_owned(), p.id)).collect());
    poll_until(&consumer, count).await
}

/// Polls until there are at least so many records.
pub(crate) async fn poll_until(consumer: &Consumer, count: usize) -> Vec<ConsumerRecord> {
    let mut records = Vec::new();
    let all = async {
        while records.len() < count {
            records.extend(consumer.poll(Duration::from_millis(200)).await.unwrap());
        }
    };
    let done = tokio::time::timeout(PATIENCE, all).await;
    assert!(done.is_ok(), "{} of {count} records arrived", records.len());
    records
}

pub(crate) fn texts(records: &[ConsumerRecord]) -> Vec<String> {
    let text = |r: &ConsumerRecord| String::from_utf8(r.value.clone().unwrap().to_vec()).unwrap();
    records.iter().map(text).collect()
}

pub(crate) fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("value {i}")).collect()
}
