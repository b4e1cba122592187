//! Brokers that replicate, over sockets; a hand stands in for the controller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use protocol::messages::fetch_response::PartitionData;
use protocol::messages::{FetchRequest, FetchResponse, ProduceRequest};
use protocol::records::{Batch, BatchBuilder, Compression};
use protocol::{ErrorCode, Uuid};
use quorum::MetadataImage;
use quorum::record::{BrokerRecord, MetadataRecord, PartitionChange, PartitionRecord};
use replica::IsrOutcome;
use tempfile::TempDir;

use super::*;
use crate::context::Clock;
use crate::partition::{CommitWait, Partition};
use crate::peers::Channel;
use crate::{Broker, BrokerConfig, BrokerHandle};

const TOPIC: &str = "t";
const SOON: Duration = Duration::from_secs(10);

/// Three brokers, and the metadata that they all are given.
struct Cluster {
    brokers: Vec<Option<BrokerHandle>>,
    dirs: Vec<TempDir>,
    controller: Arc<Hand>,
    topic_id: Uuid,
}

#[derive(Debug)]
struct Hand {
    image: Mutex<Arc<MetadataImage>>,
    brokers: Mutex<Vec<Arc<Broker>>>,
}

impl Hand {
    fn record(&self, record: MetadataRecord) {
        let image = &mut *self.image.lock();
        *image = Arc::new(image.with(&[record]).unwrap());
        for broker in self.brokers.lock().iter() {
            broker.partitions.apply(image);
            broker.image.publish(Arc::clone(image));
        }
    }

    fn reassign(&self, topic_id: Uuid, replicas: Vec<i32>, isr: Vec<i32>) {
        self.record(MetadataRecord::PartitionChange(PartitionChange {
            isr: Some(isr),
            replicas: Some(replicas),
            ..PartitionChange::of(topic_id, 0)
        }));
    }

    fn change(&self, topic_id: Uuid, isr: Option<Vec<i32>>, leader: Option<i32>) {
        let change = PartitionChange { isr, leader, ..PartitionChange::of(topic_id, 0) };
        self.record(MetadataRecord::PartitionChange(change));
    }
}

impl IsrChanges for Hand {
    fn alter_partitions(
        &self,
        proposals: Vec<PartitionProposal>,
    ) -> BoxFuture<'_, Vec<IsrOutcome>> {
        let decide = |of: &PartitionProposal| {
            let image = Arc::clone(&self.image.lock());
            let now = image.topic_by_id(&of.topic_id)?.partition(of.partition)?.clone();
            let fits = now.leader_epoch == of.proposal.leader_epoch
                && now.partition_epoch == of.proposal.partition_epoch;
            if !fits {
                return None;
            }
            let isr: Vec<i32> = of.proposal.isr.iter().map(|(id, _)| *id).collect();
            self.change(of.topic_id, Some(isr.clone()), None);
            Some(IsrOutcome::Decided {
                leader: now.leader,
                leader_epoch: now.leader_epoch,
                partition_epoch: now.partition_epoch + 1,
                isr,
            })
        };
        let outcomes = proposals.iter().map(|of| decide(of).unwrap_or(IsrOutcome::Unknown));
        let outcomes = outcomes.collect();
        Box::pin(async move { outcomes })
    }
}

async fn start_broker(dir: &TempDir, id: i32) -> BrokerHandle {
    let mut config = BrokerConfig::local(dir.path())
        .with("replica.lag.time.max.ms", "600")
        .with("replica.fetch.wait.max.ms", "200")
        .with("replica.fetch.backoff.ms", "20")
        .with("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector");
    config.node_id = id;
    config.cluster_id = Some("test-cluster-000000000".to_owned());
    Broker::start(config).await.unwrap()
}

impl Cluster {
    async fn start() -> Self {
        let dirs: Vec<_> = (0..3).map(|_| TempDir::new().unwrap()).collect();
        let image = Mutex::new(Arc::new(MetadataImage::default()));
        let controller = Arc::new(Hand { image, brokers: Mutex::default() });
        let topic_id = Uuid::from_random(7);
        let mut cluster = Self { brokers: vec![None, None, None], dirs, controller, topic_id };
        for id in 0..3 {
            cluster.up(id).await;
        }
        let topic = MetadataRecord::Topic { name: TOPIC.to_owned(), topic_id };
        let partition = MetadataRecord::Partition(PartitionRecord {
            topic_id,
            partition: 0,
            replicas: vec![0, 1, 2],
            isr: vec![0, 1, 2],
            leader: 0,
            leader_epoch: 0,
            partition_epoch: 0,
            ..PartitionRecord::default()
        });
        {
            let image = &mut *cluster.controller.image.lock();
            *image = Arc::new(image.with(&[topic]).unwrap());
        }
        cluster.controller.record(partition);
        cluster
    }

    async fn up(&mut self, id: usize) {
        // Its own metadata does not know the topic: the folder would be put aside at the start.
        let (folder, hidden) =
            (self.dirs[id].path().join("t-0"), self.dirs[id].path().join("hidden"));
        let known = std::fs::rename(&folder, &hidden).is_ok();
        let handle = start_broker(&self.dirs[id], id as i32).await;
        if known {
            std::fs::rename(&hidden, &folder).unwrap();
        }
        let broker = Arc::clone(&handle.broker);
        let changes: Arc<dyn IsrChanges> = self.controller.clone();
        broker.isr_changes.set(changes).ok();
        let record = BrokerRecord {
            broker_id: id as i32,
            broker_epoch: broker.broker_epoch.load()
                + 100 * self.controller.image.lock().offset() as i64,
            host: "127.0.0.1".to_owned(),
            port: handle.addr().port(),
            rack: Some(format!("rack-{id}")),
            ..BrokerRecord::default()
        };
        broker.broker_epoch.set(record.broker_epoch);
        self.controller.brokers.lock().push(broker);
        self.controller.record(MetadataRecord::RegisterBroker(record));
        self.brokers[id] = Some(handle);
    }

    async fn down(&mut self, id: usize) {
        let handle = self.brokers[id].take().unwrap();
        let gone = Arc::clone(&handle.broker);
        self.controller.brokers.lock().retain(|broker| !Arc::ptr_eq(broker, &gone));
        drop(gone);
        handle.shutdown().await.unwrap();
    }

    fn partition(&self, id: usize) -> Arc<Partition> {
        self.brokers[id].as_ref().unwrap().broker.partitions.get(TOPIC, 0).unwrap()
    }

    fn isr(&self) -> Vec<i32> {
        self.controller.image.lock().partition(TOPIC, 0).unwrap().isr.to_vec()
    }

    async fn produce(&self, leader: usize, records: usize) -> Result<i64, ErrorCode> {
        let wait = CommitWait::new();
        let partition = self.partition(leader);
        let accepted =
            partition.append_own(&batch(records), &wait, 1).map_err(|refusal| refusal.code)?;
        match tokio::time::timeout(SOON, wait.committed()).await {
            Ok(outcome) => outcome.map(|()| accepted.base_offset),
            Err(_) => Err(ErrorCode::REQUEST_TIMED_OUT),
        }
    }

    /// A fetch of the partition from broker `to`, through broker 0's or 1's connections.
    async fn fetch(&self, to: usize, request: FetchRequest) -> (FetchResponse, PartitionData) {
        let through = &self.brokers[usize::from(to == 0)].as_ref().unwrap().broker;
        let peers = &through.peers;
        let mut response =
            peers.call(to as i32, Channel::Control, 17, &request, SOON).await.unwrap();
        let data = response.responses.remove(0).partitions.remove(0);
        (response, data)
    }

    fn request(&self, offset: i64) -> FetchRequest {
        FetchRequest {
            topics: vec![FetchTopic {
                topic_id: self.topic_id,
                partitions: vec![FetchPartition {
                    fetch_offset: offset,
                    partition_max_bytes: 1_000_000,
                    ..FetchPartition::default()
                }],
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        }
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + SOON;
        while !holds(self) {
            assert!(Instant::now() < deadline, "not in time: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stop(mut self) {
        for id in 0..3 {
            if self.brokers[id].is_some() {
                self.down(id).await;
            }
        }
    }
}

fn batch(records: usize) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    // Old ones would be retention's.
    let now_ms = crate::context::SystemClock::new().now_ms();
    for _ in 0..records {
        builder.append(now_ms, None, Some(b"value"), &[]).unwrap();
    }
    Batch::parse(&builder.build().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_committed_when_all_in_sync_have_them() {
    let cluster = Cluster::start().await;
    for i in 0..20 {
        assert_eq!(cluster.produce(0, 2).await, Ok(i * 2));
    }
    for id in 0..3 {
        // acks=all: they are on all disks already; the watermark follows.
        assert_eq!(cluster.partition(id).offset_range(), (0, 40));
    }
    cluster
        .until("followers learn what is committed", |c| {
            (0..3).all(|id| c.partition(id).committed_range() == (40, 0))
        })
        .await;
    assert_eq!(cluster.isr(), [0, 1, 2]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_follower_leaves_and_comes_back() {
    let mut cluster = Cluster::start().await;
    cluster.produce(0, 1).await.unwrap();
    cluster.down(2).await;
    // Committed as soon as the silent one is out.
    assert_eq!(cluster.produce(0, 1).await, Ok(1));
    assert_eq!(cluster.isr(), [0, 1]);
    cluster.up(2).await;
    cluster.until("it joins again", |c| c.isr().len() == 3).await;
    assert_eq!(cluster.partition(2).offset_range(), (0, 2));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_leader_goes_on_and_the_old_one_gives_up_what_it_alone_had() {
    let mut cluster = Cluster::start().await;
    for _ in 0..5 {
        cluster.produce(0, 1).await.unwrap();
    }
    // The old leader takes records that nobody else has: the others are gone when they come.
    cluster.down(1).await;
    cluster.down(2).await;
    let wait = CommitWait::new();
    cluster.partition(0).append_own(&batch(3), &wait, 1).unwrap();
    let topic_id = cluster.topic_id;
    cluster.controller.change(topic_id, Some(vec![1, 2]), Some(1));
    let outcome = tokio::time::timeout(SOON, wait.committed()).await.unwrap();
    assert_eq!(outcome, Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    cluster.up(1).await;
    cluster.up(2).await;
    assert_eq!(cluster.produce(1, 4).await, Ok(5));
    cluster.until("the old leader joins", |c| c.isr().len() == 3).await;
    for id in 0..3 {
        assert_eq!(cluster.partition(id).offset_range(), (0, 9), "broker {id}");
        assert_eq!(cluster.partition(id).read_epoch_of(6), Some(1), "broker {id}");
    }
    assert_eq!(cluster.produce(1, 1).await, Ok(9));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_replicas_fetch_as_replicas() {
    let cluster = Cluster::start().await;
    cluster.produce(0, 1).await.unwrap();
    let epoch = |id: usize| cluster.brokers[id].as_ref().unwrap().broker.broker_epoch.load();
    let as_replica = |replica_id: i32, replica_epoch: i64| {
        let state = ReplicaState { replica_id, replica_epoch };
        FetchRequest { replica_state: state, ..cluster.request(0) }
    };
    for (id, epoch, expected) in [
        (1, epoch(1), ErrorCode::NONE),
        (1, epoch(1) - 1, ErrorCode::NOT_LEADER_OR_FOLLOWER),
        (9, 1, ErrorCode::NOT_LEADER_OR_FOLLOWER),
    ] {
        let (_, data) = cluster.fetch(0, as_replica(id, epoch)).await;
        assert_eq!(ErrorCode(data.error_code), expected, "replica {id} of epoch {epoch}");
        assert_eq!(data.records.is_empty(), expected != ErrorCode::NONE);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_read_in_their_rack() {
    let cluster = Cluster::start().await;
    cluster.produce(0, 1).await.unwrap();
    let in_rack = |rack: &'static str| FetchRequest { rack_id: rack.into(), ..cluster.request(0) };
    for (rack, preferred) in [("rack-2", 2), ("rack-0", -1), ("elsewhere", -1), ("", -1)] {
        let (_, data) = cluster.fetch(0, in_rack(rack)).await;
        assert_eq!(data.preferred_read_replica, preferred, "{rack}");
        assert_eq!(data.records.is_empty(), preferred >= 0);
    }
    let learned = |c: &Cluster| c.partition(2).committed_range() == (1, 0);
    cluster.until("the follower learns what is committed", learned).await;
    let (_, data) = cluster.fetch(2, in_rack("rack-2")).await;
    assert_eq!((data.error_code, data.high_watermark), (0, 1));
    assert!(!data.records.is_empty());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_the_wrong_broker_is_told_the_right_one() {
    let cluster = Cluster::start().await;
    let mut request = cluster.request(0);
    request.topics[0].partitions[0].current_leader_epoch = 0;
    cluster.controller.change(cluster.topic_id, None, Some(1));
    let (response, data) = cluster.fetch(0, FetchRequest { max_wait_ms: 0, ..request }).await;
    assert_eq!(ErrorCode(data.error_code), ErrorCode::FENCED_LEADER_EPOCH);
    assert_eq!((data.current_leader.leader_id, data.current_leader.leader_epoch), (1, 1));
    let ports: Vec<_> = response.node_endpoints.iter().map(|n| (n.node_id, n.port)).collect();
    let port = cluster.brokers[1].as_ref().unwrap().addr().port();
    assert_eq!(ports, [(1, i32::from(port))]);

    let records = batch(1).bytes().clone();
    let data = protocol::messages::produce_request::PartitionProduceData {
        index: 0,
        records: Some(records),
    };
    let topic = protocol::messages::produce_request::TopicProduceData {
        topic_id: cluster.topic_id,
        partition_data: vec![data],
        ..Default::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 1_000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    };
    let peers = &cluster.brokers[1].as_ref().unwrap().broker.peers;
    let response = peers.call(0, Channel::Control, 13, &request, SOON).await.unwrap();
    let answered = &response.responses[0].partition_responses[0];
    assert_eq!(ErrorCode(answered.error_code), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(answered.current_leader.leader_id, 1);
    assert_eq!(response.node_endpoints.len(), 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_can_be_taken_away_and_given_back() {
    let cluster = Cluster::start().await;
    cluster.produce(0, 3).await.unwrap();
    let topic_id = cluster.topic_id;
    cluster.controller.reassign(topic_id, vec![0, 1], vec![0, 1]);
    assert!(!cluster.dirs[2].path().join("t-0").exists());
    let on_2 = |c: &Cluster| c.brokers[2].as_ref().unwrap().broker.partitions.get(TOPIC, 0);
    assert_eq!(on_2(&cluster).unwrap_err(), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(cluster.produce(0, 2).await, Ok(3));
    cluster.controller.reassign(topic_id, vec![0, 1, 2], vec![0, 1]);
    cluster.until("the new replica joins", |c| c.isr().len() == 3).await;
    assert_eq!(cluster.partition(2).offset_range(), (0, 5));
    cluster.stop().await;
}

/// Moves many records while leaders change, and then everybody has the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_change_under_load() {
    let cluster = Cluster::start().await;
    let mut acknowledged = 0;
    for round in 0..6 {
        let leader = round % 3;
        for _ in 0..30 {
            if cluster.produce(leader, 5).await.is_ok() {
                acknowledged += 5;
            }
        }
        cluster.until("all are in sync", |c| c.isr().len() == 3).await;
        let next = (leader + 1) % 3;
        cluster.controller.change(cluster.topic_id, None, Some(next as i32));
    }
    cluster.produce(0, 1).await.unwrap();
    let (_, end) = cluster.partition(0).offset_range();
    assert!(end > acknowledged, "{end} of {acknowledged}");
    cluster
        .until("all have the same", |c| {
            (0..3).all(|id| c.partition(id).committed_range() == (end, 0))
        })
        .await;
    cluster.stop().await;
}
