//! Brokers that replicate, over sockets; a hand stands in for the controller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use protocol::records::{Batch, BatchBuilder, Compression};
use protocol::{ErrorCode, Uuid};
use quorum::MetadataImage;
use quorum::record::{BrokerRecord, MetadataRecord, PartitionChange, PartitionRecord};
use replica::IsrOutcome;
use tempfile::TempDir;

use super::*;
use crate::partition::{CommitWait, Partition};
use crate::{Broker, BrokerConfig, BrokerHandle};

const TOPIC: &str = "t";
/// Far enough from now that retention lets it be.
const NOW_MS: i64 = 4_000_000_000_000;
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

    fn change(&self, topic_id: Uuid, isr: Option<Vec<i32>>, leader: Option<i32>) {
        let change = PartitionChange { topic_id, partition: 0, isr, leader, replicas: None };
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
        .with("replica.fetch.backoff.ms", "20");
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
            fenced: false,
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
    for _ in 0..records {
        builder.append(NOW_MS, None, Some(b"value"), &[]).unwrap();
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
