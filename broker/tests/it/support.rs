//! A broker on a folder of its own, and a client that says exactly what the test wants, in the version that it wants.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

use broker::{Broker, BrokerConfig, BrokerHandle};
use bytes::Bytes;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::{CreateTopicsRequest, ProduceRequest};
use protocol::records::{BatchBuilder, Compression};
use protocol::{ErrorCode, Request, Str, frame};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Addresses that are known before anybody listens there: loopback addresses of this process alone, and ports that the system
/// gives to nobody. A port that was free a moment ago may be another test's by now.
pub(crate) fn own_addresses(count: usize) -> Vec<SocketAddr> {
    static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);
    // Process ids have 22 bits; 127.0 is everybody's.
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 64 | (a & 63), b, c);
    let count = u16::try_from(count).expect("few addresses");
    let first = NEXT_PORT.fetch_add(count, Ordering::Relaxed);
    (first..first + count).map(|port| (address, port).into()).collect()
}

/// A broker that can be stopped and started again on the same folder.
pub(crate) struct TestBroker {
    dir: TempDir,
    properties: Vec<(String, String)>,
    handle: Option<BrokerHandle>,
}

impl TestBroker {
    /// With quick groups and few partitions for offsets; `properties` override.
    pub(crate) async fn start(properties: &[(&str, &str)]) -> Self {
        let defaults =
            [("group.initial.rebalance.delay.ms", "0"), ("offsets.topic.num.partitions", "4")];
        let mut broker = Self {
            dir: TempDir::new().unwrap(),
            properties: defaults
                .iter()
                .chain(properties)
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            handle: None,
        };
        broker.up().await;
        broker
    }

    async fn up(&mut self) {
        let mut config = BrokerConfig::local(self.dir.path());
        for (key, value) in &self.properties {
            config = config.with(key, value);
        }
        self.handle = Some(Broker::start(config).await.unwrap());
    }

    fn handle(&self) -> &BrokerHandle {
        self.handle.as_ref().unwrap()
    }

    pub(crate) fn cluster_id(&self) -> &str {
        self.handle().cluster_id()
    }

    pub(crate) fn port(&self) -> u16 {
        self.handle().addr().port()
    }

    pub(crate) async fn connect(&self) -> Conn {
        Conn::to(self.handle().addr()).await
    }

    /// Stops the broker and starts it again on the same folder.
    pub(crate) async fn restart(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.shutdown().await.unwrap();
        }
        self.up().await;
    }

    /// Creates topics and checks that it worked.
    pub(crate) async fn create(&self, topics: &[(&str, i32)]) {
        let topics = topics.iter().map(|(name, partitions)| CreatableTopic {
            name: Str::copy(name),
            num_partitions: *partitions,
            replication_factor: -1,
            ..Default::default()
        });
        let request = CreateTopicsRequest { topics: topics.collect(), ..Default::default() };
        let response = self.connect().await.call(&request, 7).await;
        for topic in &response.topics {
            assert_eq!(ErrorCode(topic.error_code), ErrorCode::NONE, "{topic:?}");
        }
    }
}

/// A connection.
pub(crate) struct Conn {
    stream: TcpStream,
    next: i32,
}

impl Conn {
    pub(crate) async fn to(addr: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(addr).await.unwrap(), next: 0 }
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.next += 1;
        let bytes = frame::encode_request(self.next, Some("test"), version, request)
            .unwrap_or_else(|e| panic!("{} v{version}: {e}", R::NAME));
        self.stream.write_all(&bytes).await.unwrap();
        let len = self.stream.read_u32().await.unwrap();
        let mut answer = vec![0; len as usize];
        self.stream.read_exact(&mut answer).await.unwrap();
        let (id, response) = frame::decode_response::<R>(Bytes::from(answer), version).unwrap();
        assert_eq!(id, self.next);
        response
    }

    /// Produces one record with acks=all; gives the error code.
    pub(crate) async fn produce(&mut self, topic: &str, partition: i32, value: &str) -> ErrorCode {
        use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
        let mut batch = BatchBuilder::new(Compression::None);
        batch.append(0, Some(b"key"), Some(value.as_bytes()), &[]).unwrap();
        let data = PartitionProduceData { index: partition, records: Some(batch.build().unwrap()) };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 10_000,
            topic_data: vec![TopicProduceData {
                name: Str::copy(topic),
                partition_data: vec![data],
                ..Default::default()
            }],
            ..Default::default()
        };
        let response = self.call(&request, 9).await;
        ErrorCode(response.responses[0].partition_responses[0].error_code)
    }
}
