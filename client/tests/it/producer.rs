use client::{
    Acks, Compression, OffsetSpec, ProduceError, Producer, ProducerConfig, ProducerRecord,
    TopicPartition, partition_for_key,
};

use crate::cluster::{Cluster, numbered, read, texts, write};
use crate::proxy::Proxy;

#[tokio::test]
async fn records_keep_their_order_and_get_offsets() {
    let cluster = Cluster::start().await;
    let (client, topic) = (cluster.client(), cluster.topic(1).await);
    let config = ProducerConfig { batch_size_bytes: 300, linger_ms: 0, ..Default::default() };
    let producer = Producer::new(&client, config);
    let mut deliveries = Vec::new();
    for value in numbered(1000) {
        let record = ProducerRecord::new(topic.clone(), value);
        deliveries.push(producer.send(record).await.unwrap());
    }
    for (i, delivery) in deliveries.into_iter().enumerate() {
        let written = delivery.await.unwrap();
        assert_eq!((written.partition, written.offset), (0, i as i64));
    }
    assert_eq!(texts(&read(&client, &topic, 1000).await), numbered(1000));
}

#[tokio::test]
async fn every_part_of_a_record_survives_every_compression() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    for compression in [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let topic = cluster.topic(1).await;
        let config = ProducerConfig { compression, ..Default::default() };
        let producer = Producer::new(&client, config);
        let record = ProducerRecord {
            headers: vec![("h".into(), Some("1".into())), ("h".into(), None)],
            timestamp_ms: Some(1_700_000_000_123),
            ..ProducerRecord::new(topic.clone(), "value ".repeat(1000)).with_key("key")
        };
        let tombstone = ProducerRecord { value: None, ..record.clone() };
        producer.send(record.clone()).await.unwrap();
        producer.send(tombstone).await.unwrap();
        producer.flush().await.unwrap();
        let read = read(&client, &topic, 2).await;
        assert_eq!(read[0].key.as_deref(), Some(&b"key"[..]), "{compression:?}");
        assert_eq!(read[0].value, record.value);
        assert_eq!(read[0].headers, record.headers);
        assert_eq!(read[0].timestamp_ms, 1_700_000_000_123);
        assert_eq!((read[1].offset, &read[1].value), (1, &None));
    }
}

#[tokio::test]
async fn a_topic_is_created_by_being_written_to() {
    let cluster = Cluster::start().await;
    let (client, topic) = (cluster.client(), format!("auto-{:016x}", fastrand::u64(..)));
    let config = ProducerConfig { batch_size_bytes: 200, linger_ms: 0, ..Default::default() };
    let producer = Producer::new(&client, config);
    for value in numbered(500) {
        producer.send(ProducerRecord::new(topic.clone(), value)).await.unwrap();
    }
    producer.close().await.unwrap();
    let mut values = texts(&read(&client, &topic, 500).await);
    values.sort();
    let mut wanted = numbered(500);
    wanted.sort();
    assert_eq!(values, wanted);
}

#[tokio::test]
async fn keys_decide_the_partition() {
    let cluster = Cluster::start().await;
    let (client, topic) = (cluster.client(), cluster.topic(5).await);
    let producer = Producer::new(&client, ProducerConfig::default());
    for i in 0..50 {
        let key = format!("key {i}");
        let record = ProducerRecord::new(topic.clone(), "v").with_key(key.clone());
        let written = producer.send(record).await.unwrap();
        producer.flush().await.unwrap();
        assert_eq!(written.await.unwrap().partition, partition_for_key(key.as_bytes(), 5));
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_refused() {
    let cluster = Cluster::start().await;
    let (client, topic) = (cluster.client(), cluster.topic(1).await);
    let producer = Producer::new(&client, ProducerConfig::default());
    let large = ProducerRecord::new(topic.clone(), vec![0; 2_000_000]);
    assert!(matches!(
        producer.send(large).await.unwrap_err(),
        ProduceError::RecordTooLarge { limit: 1_048_576, .. }
    ));
    let beyond = ProducerRecord { partition: Some(1), ..ProducerRecord::new(topic.clone(), "v") };
    let error = producer.send(beyond).await.unwrap_err();
    assert!(matches!(error, ProduceError::UnknownPartition(_)));
    let bad_name = ProducerRecord::new("no such name!", "v");
    let error = producer.send(bad_name).await.unwrap_err();
    assert!(matches!(error, ProduceError::Metadata(_)), "{error}");
    // A refused batch fails alone: what comes after it is written.
    let config = vec![("max.message.bytes".to_owned(), client::ConfigOp::Set("1000".to_owned()))];
    client.admin().alter_topic_configs(&topic, config).await.unwrap();
    let large = producer.send(ProducerRecord::new(topic.clone(), vec![0; 5000])).await.unwrap();
    producer.flush().await.unwrap_err();
    let small = producer.send(ProducerRecord::new(topic.clone(), "small")).await.unwrap();
    producer.flush().await.unwrap();
    assert!(matches!(large.await.unwrap_err(), ProduceError::Refused { .. }));
    assert_eq!(small.await.unwrap().offset, 0);
    producer.close().await.unwrap();
    let error = producer.send(ProducerRecord::new(topic, "late")).await.unwrap_err();
    assert!(matches!(error, ProduceError::Closed));
}

#[tokio::test]
async fn fewer_acks_work_too() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    for acks in [Acks::None, Acks::Leader] {
        let topic = cluster.topic(1).await;
        let producer = Producer::new(&client, ProducerConfig { acks, ..Default::default() });
        for value in numbered(100) {
            producer.send(ProducerRecord::new(topic.clone(), value)).await.unwrap();
        }
        producer.close().await.unwrap();
        assert_eq!(texts(&read(&client, &topic, 100).await), numbered(100));
    }
}

#[tokio::test]
async fn a_small_buffer_makes_senders_wait_and_loses_nothing() {
    let cluster = Cluster::start().await;
    let (client, topic) = (cluster.client(), cluster.topic(3).await);
    let config = ProducerConfig { buffer_bytes: 4000, linger_ms: 1000, ..Default::default() };
    let producer = Producer::new(&client, config);
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..5 {
        let (producer, topic) = (producer.clone(), topic.clone());
        senders.spawn(async move {
            for i in 0..100 {
                let record = ProducerRecord::new(topic.clone(), format!("{sender} {i} {:200}", ""));
                producer.send(record).await.unwrap();
            }
        });
    }
    senders.join_all().await;
    producer.close().await.unwrap();
    assert_eq!(read(&client, &topic, 500).await.len(), 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idempotence_survives_a_network_that_breaks_off() {
    let cluster = Cluster::start().await;
    let topic = cluster.topic(2).await;
    let proxy = Proxy::start(&cluster.bootstrap).await;
    let client = proxy.client();
    let config = ProducerConfig { batch_size_bytes: 400, linger_ms: 0, ..Default::default() };
    let producer = Producer::new(&client, config);
    let count = 4000;
    let mut deliveries = Vec::new();
    for (i, value) in numbered(count).into_iter().enumerate() {
        let record = ProducerRecord {
            partition: Some((i % 2) as i32),
            ..ProducerRecord::new(topic.clone(), value)
        };
        deliveries.push(producer.send(record).await.unwrap());
        if i % 50 == 49 {
            proxy.cut_soon(fastrand::u64(0..4000));
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    producer.close().await.unwrap();
    assert!(proxy.cuts() >= 10, "the network was cut {} times", proxy.cuts());
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    let direct = cluster.client();
    let ends = [0, 1].map(|p| (TopicPartition::new(topic.clone(), p), OffsetSpec::Latest));
    for (_, end) in direct.admin().list_offsets(&ends).await {
        assert_eq!(end.unwrap().offset, count as i64 / 2, "each record once");
    }
    let read = read(&direct, &topic, count).await;
    for partition in 0..2 {
        let here: Vec<_> = read.iter().filter(|r| r.partition == partition).cloned().collect();
        let wanted = numbered(count).into_iter().skip(partition as usize).step_by(2);
        assert_eq!(texts(&here), wanted.collect::<Vec<_>>(), "in order");
    }
    write(&direct, &topic, 0, &numbered(1)).await;
}
