//! Three brokers lose nothing that was acknowledged, whoever stops or is killed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use client::{
    Acks, AutoOffsetReset, Client, Consumer, ConsumerConfig, NewTopic, Producer, ProducerConfig,
    ProducerRecord, TopicPartition,
};

use crate::three::Cluster;

/// Nothing here takes so long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn create(client: &Client, topic: &str, partitions: i32) {
    let topic = NewTopic::new(topic).with_partitions(partitions);
    for (_, created) in client.admin().create_topics(vec![topic]).await.unwrap() {
        created.unwrap();
    }
}

fn producer(client: &Client) -> Producer {
    let config = ProducerConfig { acks: Acks::All, linger_ms: 0, ..Default::default() };
    Producer::new(client, config)
}

async fn write(producer: &Producer, topic: &'static str, range: std::ops::Range<usize>) {
    for i in range {
        let record = ProducerRecord::new(topic, format!("{i}"));
        let delivery = producer.send(record).await.unwrap();
        tokio::time::timeout(PATIENCE, delivery).await.expect("a write hangs").unwrap();
    }
}

/// All values of a topic, read to where the partitions end.
async fn read_all(
    client: &Client,
    topic: &'static str,
    partitions: i32,
    count: usize,
) -> Vec<usize> {
    let config = ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        ..ConsumerConfig::default()
    };
    let consumer = Consumer::new(client, config);
    consumer.assign((0..partitions).map(|p| TopicPartition::new(topic, p)).collect());
    let mut values = Vec::new();
    let begun = Instant::now();
    while values.len() < count && begun.elapsed() < PATIENCE {
        for record in consumer.poll(Duration::from_millis(200)).await.unwrap() {
            let text = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
            values.push(text.parse().unwrap());
        }
    }
    values
}

/// Waits until every partition of a topic has all its replicas in sync.
async fn in_sync(client: &Client, topic: &str) {
    let begun = Instant::now();
    loop {
        let described = client.admin().describe_topics(&[topic.to_owned()]).await.unwrap();
        if described[0].partitions.iter().all(|p| p.isr.len() == 3 && p.leader >= 0) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "never in sync: {described:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn producer_ids_of_all_brokers_differ() {
    let cluster = Cluster::start(3).await;
    let mut ids = BTreeSet::new();
    for addr in &cluster.addrs {
        let mut conn = crate::wire::Conn::to(*addr).await;
        for _ in 0..3 {
            assert!(ids.insert(crate::idempotence::producer_id(&mut conn).await));
        }
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_records_outlive_every_broker_in_turn() {
    let mut cluster = Cluster::start(3).await;
    let client = cluster.client();
    create(&client, "t", 3).await;
    let producer = producer(&client);
    write(&producer, "t", 0..100).await;
    for id in 0..3 {
        let from = 100 + id * 200;
        cluster.stop(id).await;
        write(&producer, "t", from..from + 100).await;
        cluster.come_back(id).await;
        in_sync(&client, "t").await;
        cluster.kill(id).await;
        write(&producer, "t", from + 100..from + 200).await;
        cluster.come_back(id).await;
        in_sync(&client, "t").await;
    }
    let mut values = read_all(&client, "t", 3, 700).await;
    values.sort_unstable();
    assert_eq!(values, (0..700).collect::<Vec<_>>());
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_at_once_lose_nothing() {
    let mut cluster = Cluster::start(3).await;
    let client = cluster.client();
    create(&client, "t", 3).await;
    write(&producer(&client), "t", 0..100).await;
    for id in 0..3 {
        cluster.kill(id).await;
    }
    for id in 0..3 {
        cluster.brokers[id] = Some(cluster.boot(id).await);
    }
    for broker in cluster.brokers.iter().flatten() {
        broker.ready().await.unwrap();
    }
    write(&producer(&client), "t", 100..200).await;
    let mut values = read_all(&client, "t", 3, 200).await;
    values.sort_unstable();
    assert_eq!(values, (0..200).collect::<Vec<_>>());
    cluster.end().await;
}
