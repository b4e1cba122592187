//! Questions to the cluster, over a socket of our own: who leads, who coordinates, who controls; and the making of
//! the topic. Sockets belong to a namespace, so the harness runs itself in the clients': `faults ask …`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{
    CreateTopicsRequest, DescribeQuorumRequest, FindCoordinatorRequest, MetadataRequest,
};
use protocol::{Request, Str, frame};
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(5);
const METADATA_VERSION: i16 = 9;
const CREATE_TOPICS_VERSION: i16 = 5;
const FIND_COORDINATOR_VERSION: i16 = 3;
const DESCRIBE_QUORUM_VERSION: i16 = 0;
const TOPIC_ALREADY_EXISTS: i16 = 36;

/// A question; the answer is one line of JSON.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Question {
    /// Leader and in-sync replicas of each partition, and the brokers that are there
    Topic { name: String },
    /// Makes a topic, unless it is there
    Create { name: String, partitions: i32, replicas: i16 },
    /// Id of the group's coordinator
    Coordinator { group: String },
    /// Id of the active controller
    Controller,
}

impl Question {
    /// As arguments of our own command line.
    pub(crate) fn arguments(&self) -> Vec<String> {
        match self {
            Self::Topic { name } => vec!["topic".into(), name.clone()],
            Self::Create { name, partitions, replicas } => {
                vec!["create".into(), name.clone(), partitions.to_string(), replicas.to_string()]
            }
            Self::Coordinator { group } => vec!["coordinator".into(), group.clone()],
            Self::Controller => vec!["controller".into()],
        }
    }
}

/// Asks the broker at this address.
pub(crate) fn answer(address: &str, question: &Question) -> Result<Value> {
    let mut stream = TcpStream::connect_timeout(&address.parse()?, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    match question {
        Question::Topic { name } => topic(&mut stream, name),
        Question::Create { name, partitions, replicas } => {
            create(&mut stream, name, *partitions, *replicas)
        }
        Question::Coordinator { group } => coordinator(&mut stream, group),
        Question::Controller => controller(&mut stream),
    }
}

fn topic(stream: &mut TcpStream, name: &str) -> Result<Value> {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(Str::from(name.to_owned())),
            ..Default::default()
        }]),
        ..Default::default()
    };
    let response = call(stream, METADATA_VERSION, &request)?;
    let brokers: Vec<i32> = response.brokers.iter().map(|broker| broker.node_id).collect();
    let topic = response.topics.first().context("no topic in the answer")?;
    ensure!(topic.error_code == 0, "topic {name}: error {}", topic.error_code);
    let mut partitions: Vec<_> = topic.partitions.iter().collect();
    partitions.sort_by_key(|partition| partition.partition_index);
    let leaders: Vec<i32> = partitions.iter().map(|partition| partition.leader_id).collect();
    let isr: Vec<&Vec<i32>> = partitions.iter().map(|partition| &partition.isr_nodes).collect();
    Ok(json!({ "brokers": brokers, "leaders": leaders, "isr": isr }))
}

fn create(stream: &mut TcpStream, name: &str, partitions: i32, replicas: i16) -> Result<Value> {
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: Str::from(name.to_owned()),
            num_partitions: partitions,
            replication_factor: replicas,
            ..Default::default()
        }],
        timeout_ms: 5_000,
        ..Default::default()
    };
    let response = call(stream, CREATE_TOPICS_VERSION, &request)?;
    let topic = response.topics.first().context("no topic in the answer")?;
    match topic.error_code {
        0 | TOPIC_ALREADY_EXISTS => Ok(json!(name)),
        code => bail!("topic {name}: error {code} {:?}", topic.error_message),
    }
}

fn coordinator(stream: &mut TcpStream, group: &str) -> Result<Value> {
    let request = FindCoordinatorRequest { key: Str::from(group.to_owned()), ..Default::default() };
    let response = call(stream, FIND_COORDINATOR_VERSION, &request)?;
    ensure!(response.error_code == 0, "group {group}: error {}", response.error_code);
    Ok(json!(response.node_id))
}

fn controller(stream: &mut TcpStream) -> Result<Value> {
    let request = DescribeQuorumRequest {
        topics: vec![TopicData {
            topic_name: Str::from("__cluster_metadata"),
            partitions: vec![PartitionData { partition_index: 0 }],
        }],
    };
    let response = call(stream, DESCRIBE_QUORUM_VERSION, &request)?;
    ensure!(response.error_code == 0, "quorum: error {}", response.error_code);
    let partition = response.topics.first().and_then(|topic| topic.partitions.first());
    let partition = partition.context("no partition in the answer")?;
    ensure!(partition.error_code == 0, "quorum: error {}", partition.error_code);
    ensure!(partition.leader_id >= 0, "the quorum has no leader");
    Ok(json!(partition.leader_id))
}

fn call<R: Request>(stream: &mut TcpStream, version: i16, request: &R) -> Result<R::Response> {
    stream.write_all(&frame::encode_request(1, Some("faults"), version, request)?)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body)?;
    Ok(frame::decode_response::<R>(Bytes::from(body), version)?.1)
}
