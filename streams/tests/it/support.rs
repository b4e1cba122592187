//! A broker, topics, and what is in them.

use broker::{Broker, BrokerConfig, BrokerHandle};
use bytes::Bytes;
use client::{
    Admin, AutoOffsetReset, Client, ClientConfig, Consumer, ConsumerConfig, NewTopic, OffsetSpec,
    Producer, ProducerConfig, ProducerRecord, TopicPartition,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use streams::{Serde, Topology, Value, Worker, WorkerConfig, WorkerHandle, WorkerStatus};
use tempfile::TempDir;

pub(crate) struct Cluster {
    broker: Option<BrokerHandle>,
    pub(crate) client: Client,
    pub(crate) admin: Admin,
    data: TempDir,
}

fn config(data: &Path) -> BrokerConfig {
    BrokerConfig::local(data)
        .with("group.initial.rebalance.delay.ms", "0")
        .with("auto.create.topics.enable", "false")
}

impl Cluster {
    pub(crate) async fn start() -> Cluster {
        let data = tempfile::tempdir().unwrap();
        let broker = Broker::start(config(data.path())).await.unwrap();
        let client = Client::new(ClientConfig::new(&broker.addr().to_string()));
        let admin = client.admin();
        Cluster { broker: Some(broker), client, admin, data }
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.broker.as_ref().unwrap().addr().to_string()
    }

    /// Stops the broker and starts it again, with the same data and address.
    pub(crate) async fn restart(&mut self) {
        let broker = self.broker.take().unwrap();
        let listen = broker.addr();
        broker.shutdown().await.unwrap();
        let config = BrokerConfig { listen, ..config(self.data.path()) };
        self.broker = Some(Broker::start(config).await.unwrap());
    }

    pub(crate) async fn create(&self, topics: &[(&str, i32)]) {
        let topics =
            topics.iter().map(|(name, n)| NewTopic::new(*name).with_partitions(*n)).collect();
        for (topic, made) in self.admin.create_topics(topics).await.unwrap() {
            made.unwrap_or_else(|e| panic!("{topic}: {e}"));
        }
    }

    pub(crate) async fn produce(&self, records: Vec<ProducerRecord>) {
        let producer = Producer::new(&self.client, ProducerConfig::default());
        for record in records {
            drop(producer.send(record).await.unwrap());
        }
        producer.close().await.unwrap();
    }

    pub(crate) async fn produce_lines(&self, lines: &[&str]) {
        let record =
            |line: &&str| ProducerRecord::new("lines", Bytes::copy_from_slice(line.as_bytes()));
        self.produce(lines.iter().map(record).collect()).await;
    }

    /// Everything in a topic: partition by partition, in order.
    pub(crate) async fn read(&self, topic: &str) -> Vec<client::ConsumerRecord> {
        let described = self.admin.describe_topics(&[topic.to_owned()]).await.unwrap();
        let partitions: Vec<TopicPartition> = described[0]
            .partitions
            .iter()
            .map(|p| TopicPartition::new(topic.to_owned(), p.id))
            .collect();
        let asked: Vec<_> = partitions.iter().map(|p| (p.clone(), OffsetSpec::Latest)).collect();
        let mut left: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        for (id, listed) in self.admin.list_offsets(&asked).await {
            left.insert(id, listed.unwrap().offset);
        }
        let config = ConsumerConfig {
            auto_offset_reset: AutoOffsetReset::Earliest,
            ..ConsumerConfig::default()
        };
        let consumer = Consumer::new(&self.client, config);
        consumer.assign(partitions);
        let mut records = Vec::new();
        left.retain(|_, end| *end > 0);
        while !left.is_empty() {
            for record in consumer.poll(Duration::from_millis(500)).await.unwrap() {
                let id = record.topic_partition();
                if left.get(&id).is_some_and(|end| record.offset + 1 >= *end) {
                    left.remove(&id);
                }
                records.push(record);
            }
        }
        records.sort_by_key(|r| (r.partition, r.offset));
        records
    }

    /// The last value of every key, and how many records there are.
    pub(crate) async fn latest(&self, topic: &str) -> (BTreeMap<String, i64>, usize) {
        let records = self.read(topic).await;
        let count = records.len();
        let mut latest = BTreeMap::new();
        for record in records {
            let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
            let Value::Int(value) = Serde::Long.read(record.value.as_ref()).unwrap() else {
                panic!("{key} has no long");
            };
            latest.insert(key, value);
        }
        (latest, count)
    }

    pub(crate) async fn worker(
        &self,
        app: &str,
        topology: &Arc<Topology>,
        state_dir: &Path,
    ) -> WorkerHandle {
        Worker::start(WorkerConfig {
            bootstrap: self.bootstrap(),
            application_id: app.to_owned(),
            state_dir: state_dir.to_owned(),
            topology: topology.clone(),
            commit_interval_ms: 100,
            admin_listen: Some("127.0.0.1:0".parse().unwrap()),
        })
        .await
        .unwrap()
    }

    pub(crate) async fn shutdown(self) {
        drop(self.client);
        self.broker.unwrap().shutdown().await.unwrap();
    }
}

/// Waits until the worker's status is as wanted.
pub(crate) async fn wait_for(
    worker: &WorkerHandle,
    wanted: impl Fn(&WorkerStatus) -> bool,
) -> WorkerStatus {
    loop {
        let status = worker.status();
        if wanted(&status) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn words(lines: &[&str]) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for word in lines.iter().flat_map(|line| line.split_whitespace()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts
}

pub(crate) fn word_count() -> Arc<Topology> {
    let builder = streams::StreamsBuilder::new();
    builder
        .stream::<Option<String>, String>("lines")
        .flat_map_values(|line: String| {
            line.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>()
        })
        .group_by("by-word", |_, word: String| (word.clone(), word))
        .count("counts")
        .to_stream()
        .to("word-counts");
    Arc::new(builder.build().unwrap())
}
