//! A client of a few requests over a socket of our own, for what has to be measured without a client's own delays.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::MetadataResponsePartition;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{CreateTopicsRequest, MetadataRequest, ProduceRequest};
use protocol::records::{BatchBuilder, Compression};
use protocol::{Request, Str, frame};

/// Versions that both brokers serve.
const CREATE_TOPICS_VERSION: i16 = 5;
const PRODUCE_VERSION: i16 = 9;
const METADATA_VERSION: i16 = 9;
/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What a broker may take for a request.
const REQUEST_TIMEOUT_MS: i32 = 30_000;

/// A connection.
#[derive(Debug)]
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self(stream))
    }

    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        self.0.write_all(&frame::encode_request(1, Some("bench"), version, request)?)?;
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut body)?;
        Ok(frame::decode_response::<R>(Bytes::from(body), version)?.1)
    }

    /// Asks for a topic whose partitions all have these replicas, the first one as leader; gives the error code.
    pub(crate) fn create(&mut self, topic: &str, partitions: i32, replicas: &[i32]) -> Result<i16> {
        let broker_ids = replicas.to_vec();
        let assign = |partition_index| CreatableReplicaAssignment {
            partition_index,
            broker_ids: broker_ids.clone(),
        };
        let topic = CreatableTopic {
            name: Str::copy(topic),
            num_partitions: -1,
            replication_factor: -1,
            assignments: (0..partitions).map(assign).collect(),
            ..Default::default()
        };
        self.create_topic(topic)
    }

    /// Asks for a topic whose replicas the brokers place; gives the error code.
    pub(crate) fn create_anywhere(
        &mut self,
        topic: &str,
        partitions: i32,
        replicas: usize,
    ) -> Result<i16> {
        self.create_topic(CreatableTopic {
            name: Str::copy(topic),
            num_partitions: partitions,
            replication_factor: replicas as i16,
            ..Default::default()
        })
    }

    fn create_topic(&mut self, topic: CreatableTopic) -> Result<i16> {
        let topics = vec![topic];
        let request = CreateTopicsRequest {
            topics,
            timeout_ms: REQUEST_TIMEOUT_MS,
            ..CreateTopicsRequest::default()
        };
        let answer = self.call(CREATE_TOPICS_VERSION, &request)?;
        Ok(answer.topics.first().context("an answer without the topic")?.error_code)
    }

    /// Writes a record to each of the partitions, with acks=all; gives their error codes.
    pub(crate) fn produce(&mut self, topic: &str, partitions: &[i32]) -> Result<Vec<(i32, i16)>> {
        self.produce_batch(topic, partitions, &one_batch(b"first")?)
    }

    /// The same with a batch of one's own.
    pub(crate) fn produce_batch(
        &mut self,
        topic: &str,
        partitions: &[i32],
        batch: &Bytes,
    ) -> Result<Vec<(i32, i16)>> {
        let data =
            |index: &i32| PartitionProduceData { index: *index, records: Some(batch.clone()) };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: REQUEST_TIMEOUT_MS,
            topic_data: vec![TopicProduceData {
                name: Str::copy(topic),
                partition_data: partitions.iter().map(data).collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let answer = self.call(PRODUCE_VERSION, &request)?;
        let topic = answer.responses.first().context("an answer without the topic")?;
        Ok(topic.partition_responses.iter().map(|data| (data.index, data.error_code)).collect())
    }

    /// How many brokers this one knows to be there.
    pub(crate) fn brokers(&mut self) -> Result<usize> {
        let request = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
        Ok(self.call(METADATA_VERSION, &request)?.brokers.len())
    }

    /// What the broker knows of the topic's partitions.
    pub(crate) fn partitions(&mut self, topic: &str) -> Result<Vec<MetadataResponsePartition>> {
        let name = Some(Str::copy(topic));
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic { name, ..Default::default() }]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let answer = self.call(METADATA_VERSION, &request)?;
        Ok(answer.topics.into_iter().next().context("an answer without the topic")?.partitions)
    }
}

/// A batch of one record with this value.
pub(crate) fn one_batch(value: &[u8]) -> Result<Bytes> {
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
    let mut batch = BatchBuilder::new(Compression::None);
    batch.append(now_ms as i64, None, Some(value), &[])?;
    Ok(batch.build()?)
}
