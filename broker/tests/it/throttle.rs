//! Replicas that a reassignment adds are filled no faster than they may be; those in sync are left alone.

use std::time::{Duration, Instant};

use client::{Acks, Client, Producer, ProducerConfig, ProducerRecord};
use protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use protocol::messages::{
    AlterPartitionReassignmentsRequest, CreateTopicsRequest, IncrementalAlterConfigsRequest,
};
use protocol::{ErrorCode, Str};

use crate::cluster_protocol::http;
use crate::support::Conn;
use crate::three::Cluster;

const SOON: Duration = Duration::from_secs(60);
const RATE: u64 = 30_000;
const RECORD: usize = 10_000;
const RECORDS: usize = 60;
/// What may go beyond the rate: a second's worth, and the batch that it ends in.
const BEYOND: u64 = RATE + 2 * RECORD as u64;

async fn conn(cluster: &Cluster) -> Conn {
    Conn::to(cluster.addrs[0]).await
}

/// A topic of one partition on these brokers, with some records.
async fn topic(cluster: &Cluster, name: &'static str, brokers: &[i32]) {
    let assignment =
        CreatableReplicaAssignment { partition_index: 0, broker_ids: brokers.to_vec() };
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: -1,
        replication_factor: -1,
        assignments: vec![assignment],
        ..Default::default()
    };
    let request =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    let answer = conn(cluster).await.call(&request, 7).await;
    assert_eq!(ErrorCode(answer.topics[0].error_code), ErrorCode::NONE);
    write(&cluster.client(), name, RECORDS).await;
}

async fn write(client: &Client, topic: &'static str, records: usize) {
    let config =
        ProducerConfig { acks: Acks::All, linger_ms: 0, batch_size_bytes: 1, ..Default::default() };
    let producer = Producer::new(client, config);
    for _ in 0..records {
        let record = ProducerRecord::new(topic, "x".repeat(RECORD));
        producer.send(record).await.unwrap().await.unwrap();
    }
}

/// Sets configs of a broker (type 4) or a topic (type 2).
async fn set(cluster: &Cluster, kind: i8, name: &str, configs: &[(&str, &str)]) {
    let configs = configs.iter().map(|(key, value)| AlterableConfig {
        name: Str::copy(key),
        config_operation: 0,
        value: Some(Str::copy(value)),
    });
    let resource = AlterConfigsResource {
        resource_type: kind,
        resource_name: Str::copy(name),
        configs: configs.collect(),
    };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    let answer = conn(cluster).await.call(&request, 1).await;
    assert_eq!(ErrorCode(answer.responses[0].error_code), ErrorCode::NONE, "{answer:?}");
}

async fn reassign(cluster: &Cluster, topic: &str, brokers: &[i32]) {
    let partitions =
        vec![ReassignablePartition { partition_index: 0, replicas: Some(brokers.to_vec()) }];
    let topics = vec![ReassignableTopic { name: Str::copy(topic), partitions }];
    let request =
        AlterPartitionReassignmentsRequest { timeout_ms: 10_000, topics, ..Default::default() };
    let answer = conn(cluster).await.call(&request, 0).await;
    let code = answer.responses[0].partitions[0].error_code;
    assert_eq!(ErrorCode(code), ErrorCode::NONE);
}

/// Bytes that a broker has taken, or sent, under a throttle.
async fn throttled(cluster: &Cluster, broker: usize, direction: &str) -> u64 {
    counted(cluster, broker, &format!("throttled_replication_bytes_{direction}")).await
}

/// A counter of a broker.
async fn counted(cluster: &Cluster, broker: usize, what: &str) -> u64 {
    let addr = cluster.brokers[broker].as_ref().unwrap().admin_addr().unwrap();
    let (_, text) = http(addr, "GET", "/metrics").await;
    let name = format!("vltava_broker_{what}_total ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().parse().unwrap()
}

async fn in_sync(client: &Client, topic: &str) -> Vec<i32> {
    let described = client.admin().describe_topics(&[topic.to_owned()]).await.unwrap();
    described[0].partitions[0].isr.clone()
}

/// Watches a move until some seconds' worth has gone: at no time more than the rate allows has. Then lets it go on, to its end.
async fn keeps_to_the_rate(
    cluster: &Cluster,
    topic: &'static str,
    begun: Instant,
    lift: impl AsyncFnOnce(),
) {
    let client = cluster.client();
    let watched = Instant::now();
    loop {
        // The bytes first: what comes before the clock is read may only make the bound larger.
        let taken = throttled(cluster, 3, "in").await;
        let allowed = RATE * begun.elapsed().as_millis() as u64 / 1_000 + BEYOND;
        assert!(taken <= allowed, "{taken} bytes, {allowed} allowed");
        if taken > 3 * RATE {
            break;
        }
        assert!(watched.elapsed() < SOON, "nothing moves: {taken} bytes");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Replicas in sync are not held up by it.
    write(&client, topic, 1).await;
    lift().await;
    let lifted = Instant::now();
    while !in_sync(&client, topic).await.contains(&3) {
        assert!(lifted.elapsed() < SOON, "the move never ends");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_moves_partitions_keeps_to_the_bandwidth_of_reassignments() {
    let cluster = Cluster::start(4).await;
    topic(&cluster, "t", &[0, 1, 2]).await;
    assert_eq!(throttled(&cluster, 1, "in").await, 0, "nobody was limited so far");
    let key = "reassignment.replication.throttled.rate";
    let begun = Instant::now();
    set(&cluster, 4, "", &[(key, &RATE.to_string())]).await;
    reassign(&cluster, "t", &[0, 1, 3]).await;
    let lift = async || set(&cluster, 4, "", &[(key, "9223372036854775807")]).await;
    keeps_to_the_rate(&cluster, "t", begun, lift).await;
    assert!(throttled(&cluster, 0, "out").await > 2 * RATE, "the leader counts it too");
    assert_eq!(throttled(&cluster, 1, "in").await, 0, "in sync all the time");
    cluster.end().await;
}

/// KIP-73, as `kafka-reassign-partitions --throttle` sets it.
#[tokio::test(flavor = "multi_thread")]
async fn listed_replicas_keep_to_kafkas_throttles_on_either_side() {
    for side in ["leader", "follower"] {
        let cluster = Cluster::start(4).await;
        topic(&cluster, "t", &[0, 1, 2]).await;
        let rate = format!("{side}.replication.throttled.rate");
        let begun = Instant::now();
        for broker in ["0", "1", "2", "3"] {
            set(&cluster, 4, broker, &[(&rate, &RATE.to_string())]).await;
        }
        let lists = [
            ("leader.replication.throttled.replicas", "0:0,0:1,0:2"),
            ("follower.replication.throttled.replicas", "0:3"),
        ];
        set(&cluster, 2, "t", &lists).await;
        if side == "leader" {
            // So that what is taken is counted as well; as good as no limit.
            let follower = [("follower.replication.throttled.rate", "1000000000")];
            set(&cluster, 4, "3", &follower).await;
        }
        reassign(&cluster, "t", &[0, 1, 3]).await;
        let lift = async || {
            for broker in ["0", "1", "2", "3"] {
                set(&cluster, 4, broker, &[(&rate, "1000000000")]).await;
            }
        };
        keeps_to_the_rate(&cluster, "t", begun, lift).await;
        cluster.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reassignment_copies_is_counted_once_and_nothing_else() {
    let cluster = Cluster::start(4).await;
    topic(&cluster, "t", &[0, 1, 2]).await;
    for broker in 0..4 {
        assert_eq!(counted(&cluster, broker, "reassignment_bytes_in").await, 0, "no move");
    }
    reassign(&cluster, "t", &[3, 1, 2]).await;
    let (client, begun) = (cluster.client(), Instant::now());
    let moved = async || {
        let described = client.admin().describe_topics(&["t".to_owned()]).await.unwrap();
        described[0].partitions[0].replicas == [3, 1, 2]
    };
    while !moved().await {
        assert!(begun.elapsed() < SOON, "the move never ends");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Replication to replicas that have been there is no move.
    write(&client, "t", 1).await;
    let taken = counted(&cluster, 3, "reassignment_bytes_in").await;
    let records = (RECORDS * RECORD) as u64;
    assert!((records..records + records / 10).contains(&taken), "{taken} bytes of {records}");
    assert_eq!(counted(&cluster, 0, "reassignment_bytes_out").await, taken);
    for broker in 0..3 {
        assert_eq!(counted(&cluster, broker, "reassignment_bytes_in").await, 0);
    }
    cluster.end().await;
}
