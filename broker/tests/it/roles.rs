//! Controllers and brokers as nodes of their own (`process.roles`).

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use broker::{Broker, BrokerConfig, BrokerHandle, StartError};
use client::{Acks, Client, ClientConfig, Producer, ProducerConfig, ProducerRecord};
use protocol::ErrorCode;
use protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use protocol::messages::{
    ApiVersionsRequest, DescribeClusterRequest, DescribeQuorumRequest, DescribeQuorumResponse,
    MetadataRequest,
};
use tempfile::TempDir;

use crate::cluster::create;
use crate::cluster_protocol::http;
use crate::support::{Conn, own_addresses};

const SOON: Duration = Duration::from_secs(60);
const CONTROLLERS: [i32; 3] = [100, 101, 102];
const BROKERS: [i32; 3] = [0, 1, 2];

/// Three of each.
struct Cluster {
    dirs: Vec<TempDir>,
    addrs: Vec<SocketAddr>,
    nodes: Vec<Option<BrokerHandle>>,
}

impl Cluster {
    async fn start() -> Self {
        let addrs = own_addresses(6);
        let dirs = (0..6).map(|_| TempDir::new().unwrap()).collect();
        let mut cluster = Self { dirs, addrs, nodes: Vec::new() };
        for node in 0..6 {
            let handle = cluster.boot(node).await;
            cluster.nodes.push(Some(handle));
        }
        for node in cluster.nodes.iter().flatten() {
            node.ready().await.unwrap();
        }
        cluster
    }

    /// Nodes 0 to 2 are controllers, 3 to 5 brokers; the last of these knows two addresses alone.
    async fn boot(&self, node: usize) -> BrokerHandle {
        let addresses = self.addrs.iter().take(3);
        let voters = CONTROLLERS.iter().zip(addresses).map(|(id, addr)| format!("{id}@{addr}"));
        let voters = voters.collect::<Vec<_>>().join(",");
        let servers = format!("{},{}", self.addrs[0], self.addrs[1]);
        let (id, role) = match node {
            0..3 => (CONTROLLERS[node], "controller"),
            _ => (BROKERS[node - 3], "broker"),
        };
        let known = match node {
            5 => ("controller.quorum.bootstrap.servers", servers),
            _ => ("controller.quorum.voters", voters),
        };
        let mut config = BrokerConfig::local(self.dirs[node].path())
            .with("process.roles", role)
            .with(known.0, &known.1)
            .with("min.insync.replicas", "2")
            .with("default.replication.factor", "3")
            .with("broker.session.timeout.ms", "2000")
            .with("broker.heartbeat.interval.ms", "200");
        config.node_id = id;
        config.cluster_id = Some("roles".to_owned());
        config.listen = self.addrs[node];
        config.admin_listen = Some((Ipv4Addr::LOCALHOST, 0).into());
        Broker::start(config).await.unwrap()
    }

    fn client(&self) -> Client {
        let servers = self.addrs[3..].iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        Client::new(ClientConfig::new(&servers))
    }

    async fn quorum(&self, through: usize) -> DescribeQuorumResponse {
        let partitions = vec![PartitionData { partition_index: 0 }];
        let topics = vec![TopicData { topic_name: "__cluster_metadata".into(), partitions }];
        let request = DescribeQuorumRequest { topics };
        Conn::to(self.addrs[through]).await.call(&request, 2).await
    }
}

async fn write(client: &Client, topic: &'static str) {
    let config = ProducerConfig { acks: Acks::All, linger_ms: 0, ..Default::default() };
    let producer = Producer::new(client, config);
    let delivery = producer.send(ProducerRecord::new(topic, "x")).await.unwrap();
    tokio::time::timeout(SOON, delivery).await.expect("a write hangs").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn controllers_of_their_own_lead_the_quorum_and_nothing_else() {
    let mut cluster = Cluster::start().await;
    let client = cluster.client();
    create(&client, "t", 6).await;
    write(&client, "t").await;
    for through in [0, 5] {
        let answer = cluster.quorum(through).await;
        let partition = &answer.topics[0].partitions[0];
        let ids = |replicas: &[protocol::messages::describe_quorum_response::ReplicaState]| {
            let mut ids: Vec<i32> = replicas.iter().map(|replica| replica.replica_id).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(ids(&partition.current_voters), CONTROLLERS, "through {through}");
        assert_eq!(ids(&partition.observers), BROKERS, "through {through}");
        assert!(CONTROLLERS.contains(&partition.leader_id));
        let ports: Vec<_> = answer.nodes.iter().map(|node| node.listeners[0].port).collect();
        let mut expected: Vec<_> = cluster.addrs[..3].iter().map(SocketAddr::port).collect();
        assert_eq!(ports.len(), 3);
        expected.retain(|port| !ports.contains(port));
        assert!(expected.is_empty(), "{answer:?}");
    }
    // Java's clients send administrative requests to this one alone.
    let request = MetadataRequest { topics: None, ..Default::default() };
    let answer = Conn::to(cluster.addrs[4]).await.call(&request, 12).await;
    assert_eq!(answer.controller_id, BROKERS[1]);
    let described = client.admin().describe_topics(&["t".to_owned()]).await.unwrap();
    let leaders = described[0].partitions.iter().map(|partition| partition.leader);
    assert!(leaders.clone().all(|leader| BROKERS.contains(&leader)), "{described:?}");
    let leader = cluster.quorum(5).await.topics[0].partitions[0].leader_id;
    let active = CONTROLLERS.iter().position(|id| *id == leader).unwrap();
    cluster.nodes[active].take().unwrap().abort().await;
    create(&client, "after", 3).await;
    write(&client, "after").await;
    cluster.nodes[active] = Some(cluster.boot(active).await);
    // A broker that stops gives its leaderships away; a controller has none.
    for node in [4, (active + 1) % 3] {
        cluster.nodes[node].take().unwrap().shutdown().await.unwrap();
    }
    write(&client, "after").await;
    for node in cluster.nodes.into_iter().flatten() {
        node.abort().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_answers_what_tools_ask_controllers() {
    let cluster = Cluster::start().await;
    let mut conn = Conn::to(cluster.addrs[1]).await;
    let request = ApiVersionsRequest {
        client_software_name: "test".into(),
        client_software_version: "1".into(),
    };
    let versions = conn.call(&request, 3).await;
    let offers = |key: i16| versions.api_keys.iter().any(|api| api.api_key == key);
    assert!(offers(55) && offers(60) && !offers(0) && !offers(1), "{versions:?}");
    let request = DescribeClusterRequest { endpoint_type: 2, ..Default::default() };
    let described = conn.call(&request, 1).await;
    let mut ids: Vec<_> = described.brokers.iter().map(|broker| broker.broker_id).collect();
    ids.sort_unstable();
    assert_eq!((described.endpoint_type, ids), (2, CONTROLLERS.to_vec()));
    let request = DescribeClusterRequest { endpoint_type: 1, ..Default::default() };
    let refused = ErrorCode(conn.call(&request, 1).await.error_code);
    assert_eq!(refused, ErrorCode::MISMATCHED_ENDPOINT_TYPE);
    let admin = cluster.nodes[1].as_ref().unwrap().admin_addr().unwrap();
    let begun = Instant::now();
    while http(admin, "GET", "/readyz").await.0 != 200 {
        assert!(begun.elapsed() < SOON, "a controller is never ready");
    }
    for node in cluster.nodes.into_iter().flatten() {
        node.abort().await;
    }
}

#[tokio::test]
async fn a_broker_that_knows_no_controllers_is_told_what_to_do() {
    let dir = TempDir::new().unwrap();
    let alone = BrokerConfig::local(dir.path()).with("process.roles", "broker");
    let refused = Broker::start(alone.clone()).await.unwrap_err();
    assert!(matches!(refused, StartError::Roles(_)), "{refused}");
    assert!(refused.to_string().contains("controller.quorum.bootstrap.servers"), "{refused}");
    let itself = alone.with("controller.quorum.voters", "0@127.0.0.1:1");
    let refused = Broker::start(itself).await.unwrap_err();
    assert!(refused.to_string().contains("add the role controller"), "{refused}");
}
