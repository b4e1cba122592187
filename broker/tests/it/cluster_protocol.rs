//! What clients, replicas and operators are told by a cluster, message by message.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use protocol::messages::fetch_response::PartitionData;
use protocol::messages::{
    DescribeClusterRequest, DescribeQuorumRequest, DescribeTopicPartitionsRequest,
    ElectLeadersRequest, FetchRequest, FetchResponse, MetadataRequest,
};
use protocol::{ErrorCode, Uuid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cluster::create;
use crate::support::Conn;
use crate::three::Cluster;

pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) struct Topic {
    id: Uuid,
    leader: usize,
    leader_epoch: i32,
}

pub(crate) async fn connect(cluster: &Cluster, id: usize) -> Conn {
    Conn::to(cluster.addrs[id]).await
}

/// A topic that all brokers know.
pub(crate) async fn topic(cluster: &Cluster) -> Topic {
    let client = cluster.client();
    create(&client, "t", 1).await;
    let request = MetadataRequest { topics: None, ..Default::default() };
    let mut known = None;
    for id in 0..cluster.addrs.len() {
        let begun = Instant::now();
        loop {
            let answer = connect(cluster, id).await.call(&request, 12).await;
            if let Some(topic) = answer.topics.first() {
                let partition = &topic.partitions[0];
                let leader = usize::try_from(partition.leader_id).unwrap();
                let leader_epoch = partition.leader_epoch;
                known = Some(Topic { id: topic.topic_id, leader, leader_epoch });
                break;
            }
            assert!(begun.elapsed() < SOON, "broker {id} never learns of the topic");
        }
    }
    known.unwrap()
}

fn fetch_of(topic: &Topic, offset: i64) -> FetchRequest {
    FetchRequest {
        max_bytes: 1_000_000,
        topics: vec![FetchTopic {
            topic_id: topic.id,
            partitions: vec![FetchPartition {
                fetch_offset: offset,
                partition_max_bytes: 1_000_000,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

async fn fetch(
    cluster: &Cluster,
    from: usize,
    request: &FetchRequest,
) -> (FetchResponse, PartitionData) {
    let mut response = connect(cluster, from).await.call(request, 17).await;
    let data = response.responses.remove(0).partitions.remove(0);
    (response, data)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_registered_replicas_fetch_as_replicas() {
    let cluster = Cluster::start(3).await;
    let topic = topic(&cluster).await;
    connect(&cluster, topic.leader).await.produce("t", 0, "v").await;
    for (replica_id, replica_epoch) in [(9, 1), ((topic.leader as i32 + 1) % 3, 0)] {
        let replica_state = ReplicaState { replica_id, replica_epoch };
        let request = FetchRequest { replica_state, ..fetch_of(&topic, 0) };
        let (_, data) = fetch(&cluster, topic.leader, &request).await;
        assert_eq!(ErrorCode(data.error_code), ErrorCode::NOT_LEADER_OR_FOLLOWER);
        assert!(data.records.is_empty());
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_read_in_their_rack() {
    let cluster = Cluster::start(3).await;
    let topic = topic(&cluster).await;
    connect(&cluster, topic.leader).await.produce("t", 0, "v").await;
    let near = (topic.leader + 1) % 3;
    let in_rack = |rack: String| FetchRequest { rack_id: rack.into(), ..fetch_of(&topic, 0) };
    for (rack, preferred) in [
        (format!("rack-{near}"), near as i32),
        (format!("rack-{}", topic.leader), -1),
        ("x".into(), -1),
    ] {
        let (_, data) = fetch(&cluster, topic.leader, &in_rack(rack.clone())).await;
        assert_eq!(data.preferred_read_replica, preferred, "{rack}");
        assert_eq!(data.records.is_empty(), preferred >= 0);
    }
    let begun = Instant::now();
    loop {
        let (_, data) = fetch(&cluster, near, &in_rack(format!("rack-{near}"))).await;
        assert_eq!(ErrorCode(data.error_code), ErrorCode::NONE);
        if !data.records.is_empty() {
            break;
        }
        assert!(begun.elapsed() < SOON, "the follower never learns what is committed");
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_the_wrong_broker_is_told_the_right_one() {
    let cluster = Cluster::start(3).await;
    let topic = topic(&cluster).await;
    let wrong = (topic.leader + 1) % 3;
    let mut request = FetchRequest { max_wait_ms: 0, ..fetch_of(&topic, 0) };
    request.topics[0].partitions[0].current_leader_epoch = topic.leader_epoch;
    // Only a client that speaks to what it takes for the leader (no rack) is sent on.
    let (response, data) = fetch(&cluster, wrong, &request).await;
    if ErrorCode(data.error_code) != ErrorCode::NONE {
        assert_eq!(ErrorCode(data.error_code), ErrorCode::NOT_LEADER_OR_FOLLOWER);
        assert_eq!(data.current_leader.leader_id, topic.leader as i32);
        let ports: Vec<_> = response.node_endpoints.iter().map(|n| n.port).collect();
        assert_eq!(ports, [i32::from(cluster.addrs[topic.leader].port())]);
    }
    let code = connect(&cluster, wrong).await.produce("t", 0, "v").await;
    assert_eq!(code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_broker_answers_what_only_the_controller_knows() {
    let cluster = Cluster::start(3).await;
    let topic = topic(&cluster).await;
    let mut leaders = Vec::new();
    for id in 0..3 {
        use protocol::messages::describe_quorum_request::{PartitionData, TopicData};
        let mut conn = connect(&cluster, id).await;
        let partitions = vec![PartitionData { partition_index: 0 }];
        let quorum = TopicData { topic_name: "__cluster_metadata".into(), partitions };
        let request = DescribeQuorumRequest { topics: vec![quorum] };
        for version in 0..2 {
            let answer = conn.call(&request, version).await;
            assert_eq!(answer.topics[0].partitions[0].current_voters.len(), 3);
        }
        let answer = conn.call(&request, 2).await;
        let partition = &answer.topics[0].partitions[0];
        assert_eq!((partition.error_code, partition.current_voters.len()), (0, 3));
        assert!(partition.current_voters.iter().all(|voter| !voter.replica_directory_id.is_zero()));
        leaders.push(partition.leader_id);
        let described = conn.call(&DescribeClusterRequest::default(), 0).await;
        assert_eq!(described.brokers.len(), 3);
        let paged = conn.call(&DescribeTopicPartitionsRequest::default(), 0).await;
        assert!(paged.topics.iter().any(|t| t.topic_id == topic.id));
    }
    leaders.dedup();
    assert_eq!(leaders.len(), 1);
    let elect = ElectLeadersRequest {
        election_type: 0,
        topic_partitions: Some(vec![TopicPartitions { topic: "t".into(), partitions: vec![0, 7] }]),
        timeout_ms: 1_000,
    };
    let follower = (leaders[0] as usize + 1) % 3;
    let answer = connect(&cluster, follower).await.call(&elect, 2).await;
    let codes: Vec<_> = answer.replica_election_results[0]
        .partition_result
        .iter()
        .map(|result| ErrorCode(result.error_code))
        .collect();
    assert_eq!(codes, [ErrorCode::ELECTION_NOT_NEEDED, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
    cluster.end().await;
}

/// Status and body of a request to an admin port.
pub(crate) async fn http(addr: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

/// Asks each broker until the active controller has answered.
pub(crate) async fn ask(cluster: &Cluster, method: &str, path: &str) -> (u16, String) {
    let begun = Instant::now();
    loop {
        for broker in cluster.brokers.iter().flatten() {
            let (status, body) = http(broker.admin_addr().unwrap(), method, path).await;
            if status != 503 {
                return (status, body);
            }
        }
        assert!(begun.elapsed() < SOON, "{method} {path}: nobody answers");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_told_what_may_stop() {
    let mut cluster = Cluster::start(3).await;
    topic(&cluster).await;
    let (status, body) = ask(&cluster, "GET", "/safety/restart?brokers=0").await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""safe":true"#), "{body}");
    let (_, body) = ask(&cluster, "GET", "/safety/restart?brokers=0,1").await;
    assert!(body.contains(r#""safe":false"#) && body.contains(r#""kind":"partition""#), "{body}");
    let (status, _) = ask(&cluster, "GET", "/safety/restart?brokers=one").await;
    assert_eq!(status, 400);
    let (_, body) = ask(&cluster, "GET", "/safety/replicas?brokers=1").await;
    assert!(body.contains(r#""topics":["t"]"#), "{body}");
    assert!(body.contains(r#""behind":0,"sole":0"#), "{body}");
    let (status, body) = ask(&cluster, "POST", "/safety/unregister?broker=1").await;
    assert_eq!(status, 409, "{body}");
    let (_, body) = ask(&cluster, "POST", "/safety/evacuate?brokers=1").await;
    assert!(body.contains("add brokers"), "{body}");
    let (_, body) = ask(&cluster, "GET", "/safety/spread").await;
    assert!(body.contains(r#""moves":0"#) && body.contains(r#""partitions":[]"#), "{body}");
    // All brokers have told their traffic, and nothing is measured yet.
    assert!(body.contains("have not been measured for long enough"), "{body}");
    let (_, body) = ask(&cluster, "GET", "/safety/quorum").await;
    assert_eq!(body.matches("directoryId").count(), 3, "{body}");
    cluster.kill(2).await;
    let begun = Instant::now();
    loop {
        let (_, body) = ask(&cluster, "GET", "/safety/restart?brokers=0").await;
        if body.contains(r#""safe":false"#) {
            break;
        }
        assert!(begun.elapsed() < SOON, "still said to be safe: {body}");
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moves_are_limited_and_freed_again() {
    let cluster = Cluster::start(3).await;
    let shows = async |expected: &str| {
        let (status, body) = ask(&cluster, "GET", "/safety/bandwidth").await;
        assert_eq!((status, body.as_str()), (200, expected));
    };
    shows(r#"{"bytesPerSecond":null}"#).await;
    for _ in 0..2 {
        let (status, body) =
            ask(&cluster, "POST", "/safety/bandwidth?bytesPerSecond=52428800").await;
        assert_eq!(status, 200, "{body}");
        shows(r#"{"bytesPerSecond":52428800}"#).await;
    }
    let (status, _) = ask(&cluster, "POST", "/safety/bandwidth?bytesPerSecond=0").await;
    assert_eq!(status, 400, "nothing would ever arrive");
    let (status, body) = ask(&cluster, "POST", "/safety/bandwidth").await;
    assert_eq!(status, 200, "{body}");
    shows(r#"{"bytesPerSecond":null}"#).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_gets_fewer_and_more_replicas() {
    let cluster = Cluster::start(3).await;
    topic(&cluster).await;
    let replicas = async |wanted: usize| {
        let begun = Instant::now();
        let path = format!("/safety/resize?topic=t&replicas={wanted}");
        loop {
            let (status, body) = ask(&cluster, "POST", &path).await;
            assert_eq!(status, 200, "{body}");
            if body.contains(r#""left":0"#) {
                assert!(body.contains(r#""bytesLeft":0"#), "{body}");
                break;
            }
            assert!(begun.elapsed() < SOON, "still to do: {body}");
        }
        let request = DescribeTopicPartitionsRequest {
            topics: vec![protocol::messages::describe_topic_partitions_request::TopicRequest {
                name: "t".into(),
            }],
            ..Default::default()
        };
        // The active controller has answered; the broker that is asked now learns of it a moment later.
        loop {
            let answer = connect(&cluster, 0).await.call(&request, 0).await;
            let counts = answer.topics[0].partitions.iter();
            let counts: Vec<_> =
                counts.map(|p| (p.replica_nodes.len(), p.isr_nodes.len())).collect();
            assert!(!counts.is_empty());
            if counts.iter().all(|count| *count == (wanted, wanted)) {
                break;
            }
            assert!(begun.elapsed() < SOON, "{wanted} replicas, all in sync, are not {counts:?}");
        }
    };
    replicas(2).await;
    replicas(3).await;
    // The cluster's min.insync.replicas is 2.
    let (status, body) = ask(&cluster, "POST", "/safety/resize?topic=t&replicas=1").await;
    assert_eq!(status, 409, "{body}");
    assert!(body.contains("min.insync.replicas=2"), "{body}");
    let (status, body) = ask(&cluster, "POST", "/safety/resize?topic=t&replicas=4").await;
    assert_eq!(status, 200);
    assert!(body.contains("there are 3") && body.contains(r#""planned":0"#), "{body}");
    for (path, expected) in [("topic=t&replicas=0", 400), ("topic=other&replicas=1", 404)] {
        let (status, body) = ask(&cluster, "POST", &format!("/safety/resize?{path}")).await;
        assert_eq!(status, expected, "{body}");
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_of_the_administrative_apis_is_answered() {
    use protocol::Message;
    use protocol::messages::alter_partition_reassignments_request::{
        ReassignablePartition, ReassignableTopic,
    };
    use protocol::messages::update_features_request::FeatureUpdateKey;
    use protocol::messages::{
        AlterPartitionReassignmentsRequest, DescribeLogDirsRequest, UpdateFeaturesRequest,
    };
    let cluster = Cluster::start(3).await;
    topic(&cluster).await;
    let mut conn = connect(&cluster, 1).await;
    for version in DescribeLogDirsRequest::VERSIONS {
        let answer = conn.call(&DescribeLogDirsRequest { topics: None }, version).await;
        assert!(answer.results[0].topics.iter().any(|t| *t.name == *"t"), "v{version}");
    }
    for version in AlterPartitionReassignmentsRequest::VERSIONS {
        let partitions = vec![ReassignablePartition { partition_index: 0, replicas: None }];
        let topics = vec![ReassignableTopic { name: "t".into(), partitions }];
        let request = AlterPartitionReassignmentsRequest { topics, ..Default::default() };
        let answer = conn.call(&request, version).await;
        let code = ErrorCode(answer.responses[0].partitions[0].error_code);
        assert_eq!(code, ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, "v{version}");
    }
    for version in ElectLeadersRequest::VERSIONS {
        let partitions = vec![TopicPartitions { topic: "t".into(), partitions: vec![0] }];
        let topic_partitions = Some(partitions);
        let request = ElectLeadersRequest { topic_partitions, timeout_ms: 1, ..Default::default() };
        let answer = conn.call(&request, version).await;
        let code = answer.replica_election_results[0].partition_result[0].error_code;
        assert_eq!(ErrorCode(code), ErrorCode::ELECTION_NOT_NEEDED, "v{version}");
    }
    for version in UpdateFeaturesRequest::VERSIONS {
        let feature = FeatureUpdateKey {
            feature: "no.such.feature".into(),
            max_version_level: 1,
            upgrade_type: 1,
            ..Default::default()
        };
        let request =
            UpdateFeaturesRequest { feature_updates: vec![feature], ..Default::default() };
        let answer = conn.call(&request, version).await;
        assert_eq!(ErrorCode(answer.error_code), ErrorCode::INVALID_UPDATE_VERSION, "v{version}");
    }
    for version in DescribeClusterRequest::VERSIONS {
        let request = DescribeClusterRequest { endpoint_type: 1, ..Default::default() };
        assert_eq!(conn.call(&request, version).await.brokers.len(), 3, "v{version}");
    }
    cluster.end().await;
}

/// Voters of the quorum: id and folder; and the leader.
pub(crate) async fn quorum(cluster: &Cluster, through: usize) -> (Vec<(i32, Uuid)>, i32) {
    use protocol::messages::describe_quorum_request::{PartitionData, TopicData};
    let partitions = vec![PartitionData { partition_index: 0 }];
    let quorum = TopicData { topic_name: "__cluster_metadata".into(), partitions };
    let request = DescribeQuorumRequest { topics: vec![quorum] };
    let answer = connect(cluster, through).await.call(&request, 2).await;
    let partition = &answer.topics[0].partitions[0];
    let replicas = partition.current_voters.iter().chain(&partition.observers);
    let replicas = replicas.map(|voter| (voter.replica_id, voter.replica_directory_id));
    (replicas.collect(), partition.leader_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn voters_come_and_go_and_who_restarts_finds_those_that_are_left() {
    use protocol::messages::{AddRaftVoterRequest, RemoveRaftVoterRequest};
    let mut cluster = Cluster::start(5).await;
    let topic = topic(&cluster).await;
    let (replicas, _) = quorum(&cluster, 4).await;
    assert_eq!(replicas.len(), 5);
    let folder = |id: i32| replicas.iter().find(|(of, _)| *of == id).unwrap().1;
    for (add, remove) in [(3, 0), (4, 1)] {
        let begun = Instant::now();
        loop {
            let request = AddRaftVoterRequest {
                voter_id: add,
                cluster_id: None,
                voter_directory_id: folder(add),
                ..Default::default()
            };
            let code = connect(&cluster, 4).await.call(&request, 0).await.error_code;
            if code == 0 || ErrorCode(code) == ErrorCode::DUPLICATE_VOTER {
                break;
            }
            assert!(begun.elapsed() < SOON, "voter {add}: {:?}", ErrorCode(code));
        }
        loop {
            let request = RemoveRaftVoterRequest {
                cluster_id: None,
                voter_id: remove,
                voter_directory_id: folder(remove),
            };
            let code = connect(&cluster, 4).await.call(&request, 0).await.error_code;
            if code == 0 || ErrorCode(code) == ErrorCode::VOTER_NOT_FOUND {
                break;
            }
            assert!(begun.elapsed() < SOON, "voter {remove}: {:?}", ErrorCode(code));
        }
    }
    // Of those that every configuration names, only 2 is left, and it leads nothing that could be asked.
    cluster.stop(0).await;
    cluster.stop(1).await;
    for id in [2, 3, 4] {
        cluster.stop(id).await;
        cluster.come_back(id).await;
    }
    let (_, leader) = quorum(&cluster, 3).await;
    assert!([2, 3, 4].contains(&leader), "{leader}");
    assert!(!topic.id.is_zero());
    cluster.end().await;
}
