use std::collections::BTreeMap;
use std::slice::from_ref;

use client::{ConfigOp, NewTopic, OffsetSpec, TopicPartition};
use protocol::ErrorCode;

use crate::cluster::{Cluster, PATIENCE, numbered, write};

#[tokio::test]
async fn topics_are_created_described_grown_and_deleted() {
    let cluster = Cluster::start().await;
    let admin = cluster.client().admin();
    let name = cluster.topic(2).await;
    let again = admin.create_topics(vec![NewTopic::new(&name)]).await.unwrap();
    let code = again[0].1.as_ref().unwrap_err().code;
    assert_eq!(code, ErrorCode::TOPIC_ALREADY_EXISTS);
    assert!(admin.list_topics().await.unwrap().iter().any(|t| t.name == name));

    let described = admin.describe_topics(&["missing".to_owned(), name.clone()]).await.unwrap();
    let missing = described[0].error.as_ref().unwrap();
    assert_eq!(missing.code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!((described[1].name.as_str(), described[1].partitions.len()), (&*name, 2));
    assert!(!described[1].topic_id.is_zero());
    assert!(described[1].partitions.iter().all(|p| p.leader >= 0 && p.isr == p.replicas));

    let grown = admin.create_partitions(&[(name.clone(), 5)]).await.unwrap();
    assert_eq!(grown, [(name.clone(), Ok(()))]);
    let shrunk = admin.create_partitions(&[(name.clone(), 3)]).await.unwrap();
    assert_eq!(shrunk[0].1.as_ref().unwrap_err().code, ErrorCode::INVALID_PARTITIONS);

    let deleted = admin.delete_topics(from_ref(&name)).await.unwrap();
    assert_eq!(deleted, [(name.clone(), Ok(()))]);
    let deleted = admin.delete_topics(&[name]).await.unwrap();
    let code = deleted[0].1.as_ref().unwrap_err().code;
    assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[tokio::test]
async fn configs_are_set_and_reset() {
    let cluster = Cluster::start().await;
    let admin = cluster.client().admin();
    let name = format!("configured-{:016x}", fastrand::u64(..));
    let topic = NewTopic::new(&name).with_partitions(1).with_config("retention.ms", "12345");
    cluster.create(topic).await;
    let values = async || -> BTreeMap<String, (Option<String>, bool)> {
        let described = admin.describe_topic_configs(from_ref(&name)).await.unwrap();
        let entries = described[0].1.as_ref().unwrap().iter();
        entries.map(|e| (e.name.clone(), (e.value.clone(), e.is_of_topic()))).collect()
    };
    assert_eq!(values().await["retention.ms"], (Some("12345".to_owned()), true));
    assert_eq!(values().await["cleanup.policy"], (Some("delete".to_owned()), false));
    let changes = vec![
        ("retention.ms".to_owned(), ConfigOp::Delete),
        ("cleanup.policy".to_owned(), ConfigOp::Set("compact".to_owned())),
    ];
    admin.alter_topic_configs(&name, changes).await.unwrap();
    // Apache Kafka answers a little before the change is to be seen.
    let changed = async {
        while values().await["retention.ms"].1 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, changed).await.is_ok());
    assert_eq!(values().await["cleanup.policy"], (Some("compact".to_owned()), true));
    let wrong = vec![("cleanup.policy".to_owned(), ConfigOp::Set("burn".to_owned()))];
    let refused = admin.alter_topic_configs(&name, wrong).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::INVALID_CONFIG));
}

#[tokio::test]
async fn offsets_are_listed() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    let topic = cluster.topic(1).await;
    write(&client, &topic, 0, &numbered(7)).await;
    let partition = TopicPartition::new(topic, 0);
    let offset = async |spec| {
        let listed = client.admin().list_offsets(&[(partition.clone(), spec)]).await;
        listed[0].1.as_ref().unwrap().offset
    };
    assert_eq!(offset(OffsetSpec::Earliest).await, 0);
    assert_eq!(offset(OffsetSpec::Latest).await, 7);
    assert_eq!(offset(OffsetSpec::Timestamp(0)).await, 0);
    assert_eq!(offset(OffsetSpec::Timestamp(i64::MAX / 2)).await, -1);
    let missing = (TopicPartition::new("nowhere", 0), OffsetSpec::Latest);
    let impatient = client::ClientConfig {
        retry_timeout_ms: 300,
        ..client::ClientConfig::new(&cluster.bootstrap)
    };
    let listed = client::Client::new(impatient).admin().list_offsets(&[missing]).await;
    let code = listed[0].1.as_ref().unwrap_err().code();
    assert_eq!(code, Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}

#[tokio::test]
async fn a_group_without_members_is_changed_and_deleted() {
    let cluster = Cluster::start().await;
    let admin = cluster.client().admin();
    let (topic, group) = (cluster.topic(2).await, crate::cluster::group_name());
    let offsets = [(TopicPartition::new(topic.clone(), 0), 3), (TopicPartition::new(topic, 1), 4)];
    admin.alter_offsets(&group, &offsets).await.unwrap();
    let committed = admin.committed_offsets(&group).await.unwrap();
    assert_eq!(committed.into_iter().collect::<Vec<_>>(), offsets);
    assert!(admin.list_groups().await.unwrap().iter().any(|g| g.group_id == group));
    assert_eq!(admin.describe_group(&group).await.unwrap().state, "Empty");
    admin.delete_group(&group).await.unwrap();
    assert!(admin.committed_offsets(&group).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_cluster_is_described() {
    let cluster = Cluster::start().await;
    let described = cluster.client().admin().describe_cluster().await.unwrap();
    assert!(described.cluster_id.is_some_and(|id| !id.is_empty()));
    let address = format!("{}:{}", described.brokers[0].host, described.brokers[0].port);
    assert_eq!(address, cluster.bootstrap);
}
