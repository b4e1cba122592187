//! A client in raw frames, for what a proper client would never send.

use std::net::SocketAddr;
use std::path::Path;

use broker::{Broker, BrokerConfig, BrokerHandle};
use bytes::{Bytes, BytesMut};
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::fetch_response::PartitionData;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::PartitionProduceResponse;
use protocol::messages::{CreateTopicsRequest, FetchRequest, ListOffsetsRequest, ProduceRequest};
use protocol::records::{BatchBuilder, Compression, Record, batches};
use protocol::{Records, Request, Str, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const TOPIC: &str = "t";
/// Long enough for any machine; only a failing test waits for it.
pub(crate) const LONG_MS: i32 = 60_000;

pub(crate) async fn start(dir: &Path) -> BrokerHandle {
    Broker::start(config(dir)).await.expect("the broker starts")
}

/// Records of the tests are of 1970: retention would take them.
pub(crate) fn config(dir: &Path) -> BrokerConfig {
    BrokerConfig::local(dir).with("log.retention.ms", "-1")
}

/// A client that numbers its requests.
pub(crate) struct Conn {
    stream: TcpStream,
    correlation_id: i32,
}

impl Conn {
    pub(crate) async fn to(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.expect("connect");
        Self { stream, correlation_id: 0 }
    }

    pub(crate) async fn send<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        self.correlation_id += 1;
        let id = self.correlation_id;
        let frame = frame::encode_request(id, Some("test"), version, request).expect("encodes");
        self.write(&frame).await;
        id
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("write");
    }

    /// The next response; panics unless it answers request `id`.
    pub(crate) async fn receive<R: Request>(&mut self, version: i16, id: i32) -> R::Response {
        let frame = self.frame().await.expect("the broker answers");
        let (answered, response) = frame::decode_response::<R>(frame, version).expect("a response");
        assert_eq!(answered, id, "responses come in the order of requests");
        response
    }

    /// The next frame; `None` when the broker has closed the connection.
    pub(crate) async fn frame(&mut self) -> Option<Bytes> {
        let len = self.stream.read_u32().await.ok()?;
        let mut frame = BytesMut::zeroed(len as usize);
        self.stream.read_exact(&mut frame).await.ok()?;
        Some(frame.freeze())
    }

    pub(crate) async fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let id = self.send(version, request).await;
        self.receive::<R>(version, id).await
    }

    pub(crate) async fn create(&mut self, name: &str, configs: &[(&str, &str)]) {
        let configs = configs.iter().map(|(key, value)| CreatableTopicConfig {
            name: Str::copy(key),
            value: Some(Str::copy(value)),
        });
        let topic = CreatableTopic {
            name: Str::copy(name),
            num_partitions: 1,
            replication_factor: 1,
            configs: configs.collect(),
            ..Default::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: LONG_MS, ..Default::default() };
        let response = self.call(5, &request).await;
        assert_eq!(response.topics[0].error_code, 0, "{response:?}");
    }

    /// Produces to partition 0 of a topic with acks=all.
    pub(crate) async fn produce(&mut self, topic: &str, batch: Bytes) -> PartitionProduceResponse {
        let mut response = self.call(9, &produce_request(topic, -1, batch)).await;
        response.responses.remove(0).partition_responses.remove(0)
    }

    /// Fetches partition 0 without waiting.
    pub(crate) async fn fetch(&mut self, topic: &str, offset: i64) -> PartitionData {
        let mut response = self.call(12, &fetch_request(topic, offset, 0)).await;
        response.responses.remove(0).partitions.remove(0)
    }

    /// Values of all committed records from `offset` on.
    pub(crate) async fn values(&mut self, topic: &str, mut offset: i64) -> Vec<String> {
        let mut values = Vec::new();
        loop {
            let data = self.fetch(topic, offset).await;
            assert_eq!(data.error_code, 0, "{data:?}");
            let records = decode(&data.records);
            let Some(last) = records.last() else { return values };
            let new = records.iter().filter(|record| record.offset >= offset);
            values.extend(new.map(value_of));
            offset = last.offset + 1;
        }
    }

    pub(crate) async fn offset(
        &mut self,
        topic: &str,
        timestamp: i64,
    ) -> ListOffsetsPartitionResponse {
        let partition = ListOffsetsPartition { timestamp, ..Default::default() };
        let topic = ListOffsetsTopic { name: Str::copy(topic), partitions: vec![partition] };
        let request = ListOffsetsRequest { topics: vec![topic], ..Default::default() };
        self.call(7, &request).await.topics.remove(0).partitions.remove(0)
    }
}

pub(crate) fn produce_request(topic: &str, acks: i16, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData { index: 0, records: Some(batch) };
    let topic_data = vec![TopicProduceData {
        name: Str::copy(topic),
        partition_data: vec![data],
        ..Default::default()
    }];
    ProduceRequest { acks, timeout_ms: LONG_MS, topic_data, ..Default::default() }
}

pub(crate) fn fetch_request(topic: &str, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition =
        FetchPartition { fetch_offset: offset, partition_max_bytes: 1 << 20, ..Default::default() };
    let topics = vec![FetchTopic {
        topic: Str::copy(topic),
        partitions: vec![partition],
        ..Default::default()
    }];
    FetchRequest { max_wait_ms, min_bytes: 1, max_bytes: 50 << 20, topics, ..Default::default() }
}

/// A batch of records with these values, timestamps 1000, 1001, …
pub(crate) fn batch(values: &[&str]) -> Bytes {
    builder(values).build().expect("builds")
}

pub(crate) fn builder(values: &[&str]) -> BatchBuilder {
    let mut builder = BatchBuilder::new(Compression::None);
    for (i, value) in values.iter().enumerate() {
        builder
            .append(1_000 + i as i64, Some(b"key"), Some(value.as_bytes()), &[])
            .expect("a small record");
    }
    builder
}

pub(crate) fn decode(records: &Records) -> Vec<Record> {
    let bytes = records.as_bytes().cloned().unwrap_or_default();
    batches(bytes)
        .flat_map(|batch| {
            let batch = batch.expect("a batch");
            batch.verify_crc().expect("a valid CRC");
            batch.records().expect("records").map(|r| r.expect("a record"))
        })
        .collect()
}

fn value_of(record: &Record) -> String {
    String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned()
}
