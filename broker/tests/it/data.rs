use broker::Broker;
use protocol::ErrorCode;
use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use protocol::messages::{
    ApiVersionsRequest, DeleteRecordsRequest, OffsetForLeaderEpochRequest, ProduceRequest,
};
use protocol::records::{BatchBuilder, Compression};

use crate::wire::*;

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[]).await;
    let mut ids = Vec::new();
    for i in 0..300 {
        let acks = if i % 3 == 0 { 1 } else { -1 };
        let request = produce_request(TOPIC, acks, batch(&[&format!("value {i}")]));
        ids.push(conn.send(9, &request).await);
    }
    let last = conn.send(0, &ApiVersionsRequest::default()).await;
    for (offset, id) in (0..).zip(ids) {
        let response = conn.receive::<ProduceRequest>(9, id).await;
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (0, offset));
    }
    conn.receive::<ApiVersionsRequest>(0, last).await;
    let values = conn.values(TOPIC, 0).await;
    assert_eq!(values, (0..300).map(|i| format!("value {i}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn large_reads_leave_the_log_file_whole() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[("segment.bytes", "1048576")]).await;
    let values: Vec<String> = (0..40).map(|i| format!("{i} {}", "x".repeat(100_000))).collect();
    for value in &values {
        assert_eq!(conn.produce(TOPIC, batch(&[value])).await.error_code, 0);
    }
    assert!(conn.values(TOPIC, 0).await == values);
    assert!(conn.values(TOPIC, 23).await == values[23..]);
}

#[tokio::test]
async fn the_first_batch_is_returned_even_above_the_limits() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[]).await;
    conn.produce(TOPIC, batch(&[&"x".repeat(50_000)])).await;
    conn.produce(TOPIC, batch(&["y"])).await;
    let mut request = fetch_request(TOPIC, 0, 0);
    request.max_bytes = 10;
    request.topics[0].partitions[0].partition_max_bytes = 10;
    let response = conn.call(12, &request).await;
    assert_eq!(decode(&response.responses[0].partitions[0].records).len(), 1);
}

#[tokio::test]
async fn log_append_time_is_the_brokers() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[("message.timestamp.type", "LogAppendTime")]).await;
    let produced = conn.produce(TOPIC, batch(&["a", "b"])).await;
    assert!(produced.log_append_time_ms > 1_000_000);
    let records = decode(&conn.fetch(TOPIC, 0).await.records);
    assert!(records.iter().all(|record| record.timestamp == produced.log_append_time_ms));
}

#[tokio::test]
async fn the_topics_compression_is_applied() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[("compression.type", "zstd")]).await;
    conn.produce(TOPIC, batch(&["a", "b"])).await;
    let data = conn.fetch(TOPIC, 0).await;
    let bytes = data.records.as_bytes().unwrap();
    let header = protocol::records::BatchHeader::parse(bytes).unwrap();
    assert_eq!(header.compression(), Ok(Compression::Zstd));
    assert_eq!(decode(&data.records).len(), 2);
}

#[tokio::test]
async fn batches_that_may_not_be_are_refused_each_for_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[("max.message.bytes", "1000")]).await;
    conn.create("compacted", &[("cleanup.policy", "compact")]).await;
    let large = conn.produce(TOPIC, batch(&[&"x".repeat(2_000)])).await;
    assert_eq!(large.error_code, ErrorCode::MESSAGE_TOO_LARGE.0);
    let mut torn = batch(&["x"]).to_vec();
    *torn.last_mut().unwrap() ^= 1;
    let corrupt = conn.produce(TOPIC, torn.into()).await;
    assert_eq!(corrupt.error_code, ErrorCode::CORRUPT_MESSAGE.0);
    let mut keyless = BatchBuilder::new(Compression::Lz4);
    keyless.append(1, None, Some(b"v"), &[]).unwrap();
    let refused = conn.produce("compacted", keyless.build().unwrap()).await;
    assert_eq!(refused.error_code, ErrorCode::INVALID_RECORD.0);
    assert_eq!(refused.record_errors[0].batch_index, 0);
    let good = conn.produce(TOPIC, batch(&["x"])).await;
    assert_eq!((good.error_code, good.base_offset), (0, 0));
}

#[tokio::test]
async fn deleted_records_stay_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[]).await;
    conn.produce(TOPIC, batch(&["a", "b", "c"])).await;
    for (offset, want_code, want_low) in
        [(2, ErrorCode::NONE, 2), (1, ErrorCode::NONE, 2), (4, ErrorCode::OFFSET_OUT_OF_RANGE, -1)]
    {
        let partition = DeleteRecordsPartition { partition_index: 0, offset };
        let topic = DeleteRecordsTopic { name: TOPIC.into(), partitions: vec![partition] };
        let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: LONG_MS };
        let response = conn.call(1, &request).await;
        let partition = &response.topics[0].partitions[0];
        assert_eq!((partition.error_code, partition.low_watermark), (want_code.0, want_low));
    }
    let early = conn.fetch(TOPIC, 1).await;
    assert_eq!(early.error_code, ErrorCode::OFFSET_OUT_OF_RANGE.0);
    broker.shutdown().await.unwrap();

    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    assert_eq!(conn.offset(TOPIC, -2).await.offset, 2);
    assert_eq!(conn.values(TOPIC, 2).await, ["c"]);
}

#[tokio::test]
async fn leader_epochs_have_ends() {
    let dir = tempfile::tempdir().unwrap();
    let mut epochs = Vec::new();
    for round in 0..2 {
        let broker = start(dir.path()).await;
        let mut conn = Conn::to(broker.addr()).await;
        if round == 0 {
            conn.create(TOPIC, &[]).await;
        }
        conn.produce(TOPIC, batch(&["a", "b"])).await;
        epochs.push(conn.offset(TOPIC, -1).await.leader_epoch);
        let ask = |epoch| OffsetForLeaderPartition {
            leader_epoch: epoch,
            current_leader_epoch: -1,
            ..Default::default()
        };
        let partitions = epochs.iter().map(|epoch| ask(*epoch)).collect();
        let topics = vec![OffsetForLeaderTopic { topic: TOPIC.into(), partitions }];
        let request = OffsetForLeaderEpochRequest { topics, ..Default::default() };
        let response = conn.call(4, &request).await;
        let ends: Vec<_> = response.topics[0].partitions.iter().map(|p| p.end_offset).collect();
        assert_eq!(ends, [2, 4][..=round]);
        broker.shutdown().await.unwrap();
    }
    assert!(epochs[0] < epochs[1], "a restart begins a new leader epoch: {epochs:?}");
}

#[tokio::test]
async fn flushing_before_the_answer_can_be_turned_off() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path()).with("log.flush.before.ack", "false");
    let broker = Broker::start(config).await.unwrap();
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[]).await;
    for acks in [1, -1] {
        conn.call(9, &produce_request(TOPIC, acks, batch(&["a"]))).await;
    }
    // Nothing waits for the disk: what is answered is committed.
    assert_eq!(conn.values(TOPIC, 0).await, ["a", "a"]);
}
