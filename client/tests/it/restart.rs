//! A broker that goes away and comes back.

use std::net::SocketAddr;
use std::time::Duration;

use broker::{Broker, BrokerConfig, BrokerHandle};
use client::{
    Client, ClientConfig, Consumer, ConsumerConfig, Delivery, NewTopic, Producer, ProducerConfig,
    ProducerRecord,
};

use crate::cluster::{PATIENCE, from_start, group_name, numbered, read, texts};

async fn start(data: &tempfile::TempDir, listen: SocketAddr) -> BrokerHandle {
    let mut config = BrokerConfig::local(data.path());
    config.listen = listen;
    Broker::start(config.with("group.initial.rebalance.delay.ms", "0")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn producer_and_group_go_on_where_they_were() {
    let data = tempfile::tempdir().unwrap();
    let mut broker = start(&data, SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let address = broker.addr();
    let client = Client::new(ClientConfig {
        retry_backoff_max_ms: 100,
        ..ClientConfig::new(&address.to_string())
    });
    let topic = NewTopic::new("t").with_partitions(1);
    client.admin().create_topics(vec![topic]).await.unwrap()[0].1.as_ref().unwrap();
    let config = ConsumerConfig {
        group_id: Some(group_name()),
        heartbeat_interval_ms: 100,
        max_poll_records: 10,
        ..from_start()
    };
    let consumer = Consumer::new(&client, config);
    consumer.subscribe(vec!["t".to_owned()]).unwrap();
    let producer =
        Producer::new(&client, ProducerConfig { batch_size_bytes: 200, ..Default::default() });
    let mut deliveries: Vec<Delivery> = Vec::new();
    let mut seen = Vec::new();
    for (i, value) in numbered(600).into_iter().enumerate() {
        deliveries.push(producer.send(ProducerRecord::new("t", value)).await.unwrap());
        if i % 20 == 0 {
            for record in consumer.poll(Duration::from_millis(20)).await.unwrap() {
                consumer.commit(&[(record.topic_partition(), record.offset + 1)]).await.unwrap();
                seen.push(record);
            }
        }
        if i % 200 == 199 {
            broker.shutdown().await.unwrap();
            broker = start(&data, address).await;
        }
    }
    producer.close().await.unwrap();
    for (i, delivery) in deliveries.into_iter().enumerate() {
        let offset = delivery.await.unwrap().offset;
        assert!(offset == i as i64 || offset == -1, "record {i} at {offset}");
    }
    let rest = async {
        while seen.len() < 600 {
            seen.extend(consumer.poll(Duration::from_millis(100)).await.unwrap());
        }
    };
    assert!(tokio::time::timeout(PATIENCE, rest).await.is_ok(), "{} arrived", seen.len());
    assert_eq!(texts(&seen), numbered(600), "each once, in order");
    assert_eq!(texts(&read(&client, "t", 600).await), numbered(600));
    consumer.close().await;
    broker.shutdown().await.unwrap();
}
