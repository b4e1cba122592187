//! The first acknowledged record, over a socket of our own: a client that needs a second to start would hide what is
//! measured.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{CreateTopicsRequest, ProduceRequest};
use protocol::records::{BatchBuilder, Compression};
use protocol::{Request, Str, frame};

use crate::server::Server;

/// How long a broker may take to answer for the first time.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two tries; small against what is measured.
const RETRY_DELAY: Duration = Duration::from_millis(2);
/// Versions that both brokers serve.
const CREATE_TOPICS_VERSION: i16 = 5;
const PRODUCE_VERSION: i16 = 9;

/// Seconds from the start of the process until a record is acknowledged with acks=all.
pub(crate) fn acknowledged(server: &mut Server) -> Result<f64> {
    loop {
        server.check_alive()?;
        if matches!(attempt(&server.bootstrap), Ok(true)) {
            return Ok(server.started.elapsed().as_secs_f64());
        }
        ensure!(
            server.started.elapsed() < START_TIMEOUT,
            "no record acknowledged in {START_TIMEOUT:?}"
        );
        std::thread::sleep(RETRY_DELAY);
    }
}

/// Makes the topic if need be and writes one record; false while the broker cannot take it yet.
fn attempt(bootstrap: &str) -> Result<bool> {
    let mut stream = TcpStream::connect(bootstrap)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let create = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: Str::from("first"),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        }],
        timeout_ms: 5_000,
        ..Default::default()
    };
    call(&mut stream, CREATE_TOPICS_VERSION, &create)?;
    let produce = ProduceRequest {
        acks: -1,
        timeout_ms: 5_000,
        topic_data: vec![TopicProduceData {
            name: Str::from("first"),
            partition_data: vec![PartitionProduceData { index: 0, records: Some(one_record()?) }],
            ..Default::default()
        }],
        ..Default::default()
    };
    // A new topic may not have its leader yet: ask again on the same connection.
    for _ in 0..500 {
        let response = call(&mut stream, PRODUCE_VERSION, &produce)?;
        let partition =
            response.responses.first().and_then(|topic| topic.partition_responses.first());
        match partition.context("a produce response without a partition")?.error_code {
            0 => return Ok(true),
            // unknown topic or partition, leader not available, not leader
            3 | 5 | 6 => std::thread::sleep(RETRY_DELAY),
            other => bail!("produce failed with error code {other}"),
        }
    }
    Ok(false)
}

fn one_record() -> Result<Bytes> {
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
    let mut batch = BatchBuilder::new(Compression::None);
    batch.append(now_ms as i64, None, Some(b"first"), &[])?;
    Ok(batch.build()?)
}

fn call<R: Request>(stream: &mut TcpStream, version: i16, request: &R) -> Result<R::Response> {
    stream.write_all(&frame::encode_request(1, Some("bench"), version, request)?)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body)?;
    Ok(frame::decode_response::<R>(Bytes::from(body), version)?.1)
}
