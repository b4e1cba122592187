use std::slice::from_ref;
use std::time::Duration;

use client::{AutoOffsetReset, ConsumeError, Consumer, ConsumerConfig, TopicPartition};

use crate::cluster::{Cluster, from_start, group_name, numbered, poll_until, read, texts, write};

#[tokio::test]
async fn reads_from_the_start_or_the_end() {
    let cluster = Cluster::start().await;
    let (client, topic) = (cluster.client(), cluster.topic(1).await);
    write(&client, &topic, 0, &numbered(10)).await;
    let partition = TopicPartition::new(topic.clone(), 0);
    let late = Consumer::new(&client, ConsumerConfig::default());
    late.assign(vec![partition.clone()]);
    assert!(late.poll(Duration::from_millis(300)).await.unwrap().is_empty());
    while late.position(&partition).is_none() {
        late.poll(Duration::from_millis(50)).await.unwrap();
    }
    assert_eq!(late.position(&partition), Some(10));
    assert_eq!(texts(&read(&client, &topic, 10).await), numbered(10));
    write(&client, &topic, 0, &["new".to_owned()]).await;
    let records = poll_until(&late, 1).await;
    assert_eq!((texts(&records), records[0].offset), (vec!["new".to_owned()], 10));
    assert_eq!(late.position(&partition), Some(11));
}

#[tokio::test]
async fn seeks_and_pauses() {
    let cluster = Cluster::start().await;
    let (client, topic) = (cluster.client(), cluster.topic(2).await);
    write(&client, &topic, 0, &numbered(10)).await;
    write(&client, &topic, 1, &numbered(10)).await;
    let partition = |p| TopicPartition::new(topic.clone(), p);
    let consumer = Consumer::new(&client, from_start());
    consumer.assign(vec![partition(0), partition(1)]);
    consumer.pause(&[partition(1)]);
    let records = poll_until(&consumer, 10).await;
    assert!(records.iter().all(|r| r.partition == 0));
    consumer.seek(&partition(0), 7).unwrap();
    assert_eq!(texts(&poll_until(&consumer, 3).await), numbered(10)[7..]);
    consumer.resume(&[partition(1)]);
    let records = poll_until(&consumer, 10).await;
    assert!(records.iter().all(|r| r.partition == 1));
    let elsewhere = consumer.seek(&partition(9), 0).unwrap_err();
    assert!(matches!(elsewhere, ConsumeError::NotAssigned(_)));
}

#[tokio::test]
async fn a_poll_gives_no_more_than_asked_and_misses_nothing() {
    let cluster = Cluster::start().await;
    let (client, topic) = (cluster.client(), cluster.topic(1).await);
    write(&client, &topic, 0, &numbered(2000)).await;
    let config =
        ConsumerConfig { max_poll_records: 7, max_partition_fetch_bytes: 1000, ..from_start() };
    let consumer = Consumer::new(&client, config);
    consumer.assign(vec![TopicPartition::new(topic, 0)]);
    let mut all = Vec::new();
    while all.len() < 2000 {
        let records = consumer.poll(Duration::from_secs(5)).await.unwrap();
        assert!(!records.is_empty() && records.len() <= 7);
        all.extend(records);
    }
    assert_eq!(texts(&all), numbered(2000));
}

#[tokio::test]
async fn committed_offsets_are_where_the_next_consumer_begins() {
    let cluster = Cluster::start().await;
    let (client, topic) = (cluster.client(), cluster.topic(1).await);
    write(&client, &topic, 0, &numbered(10)).await;
    let partition = TopicPartition::new(topic, 0);
    let config = ConsumerConfig { group_id: Some(group_name()), ..from_start() };
    let first = Consumer::new(&client, config.clone());
    first.assign(vec![partition.clone()]);
    poll_until(&first, 10).await;
    assert!(first.committed(from_ref(&partition)).await.unwrap().is_empty());
    first.commit(&[(partition.clone(), 4)]).await.unwrap();
    let committed = first.committed(from_ref(&partition)).await.unwrap();
    assert_eq!(committed, [(partition.clone(), 4)]);
    let second = Consumer::new(&client, config);
    second.assign(vec![partition]);
    assert_eq!(texts(&poll_until(&second, 6).await), numbered(10)[4..]);
}

#[tokio::test]
async fn an_offset_that_does_not_exist() {
    let cluster = Cluster::start().await;
    let (client, topic) = (cluster.client(), cluster.topic(1).await);
    write(&client, &topic, 0, &numbered(10)).await;
    let partition = TopicPartition::new(topic, 0);
    let strict =
        ConsumerConfig { auto_offset_reset: AutoOffsetReset::None, ..ConsumerConfig::default() };
    let consumer = Consumer::new(&client, strict);
    consumer.assign(vec![partition.clone()]);
    let mut error = None;
    while error.is_none() {
        error = consumer.poll(Duration::from_millis(100)).await.err();
    }
    let reason = "nothing is committed";
    assert!(matches!(error, Some(ConsumeError::NoPosition { reason: r, .. }) if r == reason));
    consumer.seek(&partition, 3).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 7 {
        // The error may have been found again before the seek.
        seen.extend(consumer.poll(Duration::from_millis(100)).await.unwrap_or_default());
    }
    assert_eq!(texts(&seen), numbered(10)[3..]);
    consumer.seek(&partition, 1000).unwrap();
    let mut error = None;
    while error.is_none() {
        error = consumer.poll(Duration::from_millis(100)).await.err();
    }
    assert!(error.unwrap().to_string().contains("does not exist"));
    let lenient = Consumer::new(&client, from_start());
    lenient.assign(vec![partition.clone()]);
    lenient.seek(&partition, 1000).unwrap();
    assert_eq!(texts(&poll_until(&lenient, 10).await), numbered(10));
}
