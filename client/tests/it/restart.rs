//! A broker that goes away and comes back.

use std::net::SocketAddr;
use std::time::Duration;

use broker::{Broker, BrokerConfig, BrokerHandle};
use client::{
    Client, ClientConfig, Consumer, ConsumerConfig, Delivery, NewTopic, OffsetSpec, ProduceError,
    Producer, ProducerConfig, ProducerRecord, TopicPartition,
};

use crate::cluster::{PATIENCE, from_start, group_name, numbered, read, texts};

/// Starts a broker, as soon as the one before has let go of the folder.
async fn start(data: &tempfile::TempDir, listen: SocketAddr) -> BrokerHandle {
    let mut config = BrokerConfig::local(data.path());
    config.listen = listen;
    let config = config.with("group.initial.rebalance.delay.ms", "0");
    let starting = async {
        loop {
            match Broker::start(config.clone()).await {
                Ok(broker) => return broker,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, starting).await.unwrap()
}

async fn end(client: &Client) -> usize {
    let wanted = [(TopicPartition::new("t", 0), OffsetSpec::Latest)];
    let listed = client.admin().list_offsets(&wanted).await;
    listed[0].1.as_ref().unwrap().offset as usize
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
    let _each_delivery_tells = producer.close().await;
    // What is acknowledged is there. Where the producer says that it cannot tell, either is right.
    let log = texts(&read(&client, "t", end(&client).await).await);
    let mut wanted = Vec::new();
    for (delivery, value) in deliveries.into_iter().zip(numbered(600)) {
        match delivery.await {
            Ok(_) => wanted.push(value),
            Err(ProduceError::Unknown { .. }) if log.contains(&value) => wanted.push(value),
            Err(error) => assert!(matches!(error, ProduceError::Unknown { .. }), "{error}"),
        }
    }
    assert_eq!(log, wanted, "each once, in order");
    let rest = async {
        while seen.len() < wanted.len() {
            seen.extend(consumer.poll(Duration::from_millis(100)).await.unwrap());
        }
    };
    assert!(tokio::time::timeout(PATIENCE, rest).await.is_ok(), "{} arrived", seen.len());
    assert_eq!(texts(&seen), wanted, "the group saw each once, in order");
    consumer.close().await;
    broker.shutdown().await.unwrap();
}
