use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use client::{
    Assigned, Assignor, BoxFuture, Client, ClientConfig, ClientError, CommitError, Consumer,
    ConsumerConfig, GroupConfig, GroupError, GroupMember, GroupProtocol, JoinedMember, LostReason,
    RebalanceEvent, RebalanceListener, TopicPartition,
};
use parking_lot::Mutex;

use crate::cluster::{
    Cluster, PATIENCE, from_start, group_name, numbered, poll_until, texts, write,
};

fn config(group: &str) -> ConsumerConfig {
    ConsumerConfig {
        group_id: Some(group.to_owned()),
        heartbeat_interval_ms: 100,
        session_timeout_ms: 6_000,
        ..from_start()
    }
}

fn member(client: &Client, group: &str, topic: &str) -> Consumer {
    let consumer = Consumer::new(client, config(group));
    consumer.subscribe(vec![topic.to_owned()]).unwrap();
    consumer
}

/// Polls all consumers until the condition holds.
async fn poll_while(consumers: &[&Consumer], not_yet: impl Fn() -> bool) {
    let polling = async {
        while not_yet() {
            for consumer in consumers {
                consumer.poll(Duration::from_millis(20)).await.unwrap();
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, polling).await.is_ok(), "it does not happen");
}

fn partitions(consumer: &Consumer) -> BTreeSet<i32> {
    consumer.assignment().iter().map(|p| p.partition).collect()
}

#[tokio::test]
async fn members_share_the_partitions() {
    let cluster = Cluster::start().await;
    let (client, topic, group) = (cluster.client(), cluster.topic(4).await, group_name());
    let first = member(&client, &group, &topic);
    poll_while(&[&first], || first.assignment().len() < 4).await;
    let all: Vec<_> = (0..4).map(|p| TopicPartition::new(topic.clone(), p)).collect();
    assert_eq!(first.take_rebalance_events(), [RebalanceEvent::Assigned(all.clone())]);

    let second = member(&client, &group, &topic);
    poll_while(&[&first, &second], || {
        first.assignment().len() != 2 || second.assignment().len() != 2
    })
    .await;
    assert!(partitions(&first).is_disjoint(&partitions(&second)));
    let events = first.take_rebalance_events();
    assert_eq!(events[0], RebalanceEvent::Revoked(all));
    assert!(matches!(&events[1], RebalanceEvent::Assigned(p) if p.len() == 2));

    let described = client.admin().describe_group(&group).await.unwrap();
    assert_eq!((described.state.as_str(), described.members.len()), ("Stable", 2));
    assert_eq!(described.protocol, "range");

    second.close().await;
    poll_while(&[&first], || first.assignment().len() < 4).await;
}

/// Commits what was read before partitions are given up.
#[derive(Debug)]
struct Committer {
    consumer: Mutex<Option<Consumer>>,
    progress: Arc<Mutex<BTreeMap<TopicPartition, i64>>>,
}

impl RebalanceListener for Committer {
    fn revoked<'a>(&'a self, partitions: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let offsets: Vec<_> = {
                let progress = self.progress.lock();
                partitions.iter().filter_map(|p| Some((p.clone(), *progress.get(p)?))).collect()
            };
            let consumer = self.consumer.lock().clone().unwrap();
            consumer.commit(&offsets).await.unwrap();
        })
    }

    fn assigned<'a>(&'a self, _partitions: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

#[tokio::test]
async fn who_commits_before_giving_up_hands_over_without_repetition() {
    let cluster = Cluster::start().await;
    let (client, topic, group) = (cluster.client(), cluster.topic(4).await, group_name());
    for partition in 0..4 {
        write(&client, &topic, partition, &numbered(100)).await;
    }
    let seen: Arc<Mutex<Vec<(i32, i64)>>> = Arc::default();
    let mut tasks = tokio::task::JoinSet::new();
    for joins_after in [0, 60, 150] {
        let (client, topic, group) = (client.clone(), topic.clone(), group.clone());
        let seen = Arc::clone(&seen);
        tasks.spawn(async move {
            while seen.lock().len() < joins_after {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let config = ConsumerConfig { max_poll_records: 5, ..config(&group) };
            let consumer = Consumer::new(&client, config);
            let progress: Arc<Mutex<BTreeMap<TopicPartition, i64>>> = Arc::default();
            let listener = Arc::new(Committer {
                consumer: Mutex::new(Some(consumer.clone())),
                progress: Arc::clone(&progress),
            });
            consumer.subscribe_with(vec![topic], Arc::clone(&listener) as _).unwrap();
            while seen.lock().len() < 400 {
                for record in consumer.poll(Duration::from_millis(50)).await.unwrap() {
                    progress.lock().insert(record.topic_partition(), record.offset + 1);
                    seen.lock().push((record.partition, record.offset));
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            consumer.close().await;
            *listener.consumer.lock() = None;
        });
    }
    assert!(tokio::time::timeout(PATIENCE, tasks.join_all()).await.is_ok());
    let seen = seen.lock().clone();
    let unique: BTreeSet<_> = seen.iter().copied().collect();
    assert_eq!((seen.len(), unique.len()), (400, 400), "each record once");
}

#[tokio::test]
async fn a_slow_caller_stays_a_member_and_a_stuck_one_does_not() {
    let cluster = Cluster::start().await;
    let (client, topic, group) = (cluster.client(), cluster.topic(2).await, group_name());
    write(&client, &topic, 0, &numbered(1)).await;
    let slow_config =
        ConsumerConfig { max_poll_interval_ms: 4_000, session_timeout_ms: 6_000, ..config(&group) };
    let slow = Consumer::new(&client, slow_config);
    slow.subscribe(vec![topic.clone()]).unwrap();
    poll_until(&slow, 1).await;
    let generation = client.admin().describe_group(&group).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    let later = client.admin().describe_group(&group).await.unwrap();
    assert_eq!(generation.members, later.members, "it has not polled for 2 s of 4");
    slow.take_rebalance_events();
    // Now it does not poll for too long: the other member gets everything.
    let other = member(&client, &group, &topic);
    poll_while(&[&other], || other.assignment().len() < 2).await;
    let at_0 = [(TopicPartition::new(topic.clone(), 0), 1)];
    let refused = slow.commit(&at_0).await;
    assert!(matches!(refused, Err(CommitError::Rebalanced(_)) | Ok(())), "{refused:?}");
    // When it polls again it is told, and joins again.
    let lost = std::cell::Cell::new(false);
    poll_while(&[&slow, &other], || {
        let events = slow.take_rebalance_events();
        lost.set(lost.get() || events.iter().any(|e| matches!(e, RebalanceEvent::Lost(_))));
        slow.assignment().len() != 1 || other.assignment().len() != 1
    })
    .await;
    assert!(lost.get());
}

#[tokio::test]
async fn a_subscription_can_change() {
    let cluster = Cluster::start().await;
    let (client, group) = (cluster.client(), group_name());
    let (one, two) = (cluster.topic(1).await, cluster.topic(1).await);
    let consumer = member(&client, &group, &one);
    poll_while(&[&consumer], || consumer.assignment().len() != 1).await;
    consumer.subscribe(vec![one, two.clone()]).unwrap();
    poll_while(&[&consumer], || consumer.assignment().len() != 2).await;
    write(&client, &two, 0, &numbered(3)).await;
    assert_eq!(texts(&poll_until(&consumer, 3).await), numbered(3));
}

#[tokio::test]
async fn a_topic_that_grows_is_noticed() {
    let cluster = Cluster::start().await;
    let (topic, group) = (cluster.topic(1).await, group_name());
    let soon = ClientConfig { metadata_max_age_ms: 100, ..ClientConfig::new(&cluster.bootstrap) };
    let consumer = member(&Client::new(soon), &group, &topic);
    poll_while(&[&consumer], || consumer.assignment().len() != 1).await;
    let admin = cluster.client().admin();
    admin.create_partitions(&[(topic.clone(), 3)]).await.unwrap()[0].1.as_ref().unwrap();
    poll_while(&[&consumer], || consumer.assignment().len() != 3).await;
}

#[tokio::test]
async fn round_robin_and_auto_commit() {
    let cluster = Cluster::start().await;
    let (client, topic, group) = (cluster.client(), cluster.topic(3).await, group_name());
    write(&client, &topic, 1, &numbered(5)).await;
    let config = ConsumerConfig {
        assignor: Assignor::RoundRobin,
        auto_commit_interval_ms: Some(60_000),
        ..config(&group)
    };
    let consumer = Consumer::new(&client, config.clone());
    consumer.subscribe(vec![topic.clone()]).unwrap();
    poll_until(&consumer, 5).await;
    consumer.close().await;
    let error = consumer.poll(Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, client::ConsumeError::Closed));
    let committed = client.admin().committed_offsets(&group).await.unwrap();
    assert_eq!(committed.get(&TopicPartition::new(topic, 1)), Some(&5));
    assert_eq!(client.admin().describe_group(&group).await.unwrap().state, "Empty");
}

/// A protocol that is not the consumer's: the leader tells each member how many there are.
#[derive(Debug, Default)]
struct Counting {
    assigned: Mutex<Vec<Assigned>>,
}

impl GroupProtocol for Counting {
    fn protocol_type(&self) -> protocol::Str {
        "counting".into()
    }

    fn protocols(&self) -> Vec<(protocol::Str, bytes::Bytes)> {
        vec![("v1".into(), bytes::Bytes::from_static(b"hello"))]
    }

    fn assign<'a>(
        &'a self,
        protocol: &'a str,
        members: &'a [JoinedMember],
    ) -> BoxFuture<'a, Result<Vec<(protocol::Str, bytes::Bytes)>, ClientError>> {
        assert_eq!(protocol, "v1");
        assert!(members.iter().all(|m| &m.metadata[..] == b"hello"));
        let count = bytes::Bytes::from(members.len().to_string());
        let each = members.iter().map(|m| (m.member_id.clone(), count.clone())).collect();
        Box::pin(async { Ok(each) })
    }

    fn revoke(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn lost(&self, reason: LostReason) {
        panic!("lost: {reason:?}");
    }

    fn assigned(&self, assigned: Assigned) {
        self.assigned.lock().push(assigned);
    }

    fn failed(&self, error: GroupError) {
        panic!("failed: {error}");
    }
}

#[tokio::test]
async fn a_group_can_have_a_protocol_of_its_own() {
    let cluster = Cluster::start().await;
    let (client, group) = (cluster.client(), group_name());
    let config = GroupConfig { heartbeat_interval_ms: 50, ..GroupConfig::new(&group) };
    let protocols = [Arc::new(Counting::default()), Arc::new(Counting::default())];
    let start = |p: &Arc<Counting>| {
        GroupMember::start(&client, config.clone(), Arc::clone(p) as Arc<dyn GroupProtocol>)
    };
    let members: Vec<GroupMember> = protocols.iter().map(start).collect();
    let last = |p: &Arc<Counting>| p.assigned.lock().last().cloned();
    let both = |a: &Option<Assigned>| a.as_ref().is_some_and(|a| &a.data[..] == b"2");
    let settled = async {
        while !protocols.iter().all(|p| both(&last(p))) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, settled).await.is_ok());
    let (a, b) = (last(&protocols[0]).unwrap(), last(&protocols[1]).unwrap());
    assert_eq!((a.generation, &a.leader_id), (b.generation, &b.leader_id));
    assert!(a.is_leader() != b.is_leader());
    // A follower that has nothing new to say would get the same generation again.
    let generation = a.generation;
    members[usize::from(b.is_leader())].rejoin();
    let next = async {
        while members.iter().any(|m| m.generation() <= generation) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, next).await.is_ok());
    for member in &members {
        member.leave().await;
    }
    let state = client.admin().describe_group(&group).await.unwrap().state;
    assert!(matches!(state.as_str(), "Empty" | "Dead"), "{state}");
}
