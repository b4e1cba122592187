use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::messages::FetchRequest;
use protocol::messages::fetch_request::FetchTopic;

use crate::wire::*;

#[tokio::test]
async fn a_waiting_fetch_is_woken_by_a_record() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut producer = Conn::to(broker.addr()).await;
    let mut consumer = Conn::to(broker.addr()).await;
    producer.create(TOPIC, &[]).await;
    let id = consumer.send(12, &fetch_request(TOPIC, 0, LONG_MS)).await;
    producer.produce(TOPIC, batch(&["a"])).await;
    let response = consumer.receive::<FetchRequest>(12, id).await;
    assert_eq!(decode(&response.responses[0].partitions[0].records).len(), 1);
}

#[tokio::test]
async fn a_fetch_waits_for_min_bytes_over_all_its_partitions() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut producer = Conn::to(broker.addr()).await;
    let mut consumer = Conn::to(broker.addr()).await;
    producer.create("a", &[]).await;
    producer.create("b", &[]).await;
    let mut request = fetch_request("a", 0, LONG_MS);
    let partitions = request.topics[0].partitions.clone();
    request.topics.push(FetchTopic { topic: "b".into(), partitions, ..Default::default() });
    request.min_bytes = (batch(&["x"]).len() * 2) as i32;
    let id = consumer.send(12, &request).await;
    producer.produce("a", batch(&["x"])).await;
    producer.produce("b", batch(&["x"])).await;
    let response = consumer.receive::<FetchRequest>(12, id).await;
    for topic in &response.responses {
        assert_eq!(decode(&topic.partitions[0].records).len(), 1);
    }
}

#[tokio::test]
async fn a_fetch_gives_up_after_its_wait_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[]).await;
    let before = Instant::now();
    let response = conn.call(12, &fetch_request(TOPIC, 0, 50)).await;
    assert!(before.elapsed() >= Duration::from_millis(50));
    let partition = &response.responses[0].partitions[0];
    assert_eq!((partition.error_code, partition.records.len()), (0, 0));
}

#[tokio::test]
async fn an_error_ends_the_wait() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[]).await;
    for (topic, offset, want) in [
        (TOPIC, 1, ErrorCode::OFFSET_OUT_OF_RANGE),
        ("missing", 0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ] {
        let response = conn.call(12, &fetch_request(topic, offset, LONG_MS)).await;
        assert_eq!(response.responses[0].partitions[0].error_code, want.0);
    }
    let mut request = fetch_request("", 0, LONG_MS);
    request.topics[0].topic_id = protocol::Uuid([9; 16]);
    let response = conn.call(16, &request).await;
    let code = response.responses[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_ID.0);
    request.session_id = 77;
    let code = conn.call(16, &request).await.error_code;
    assert_eq!(code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND.0);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_long_polls() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[]).await;
    conn.send(12, &fetch_request(TOPIC, 0, LONG_MS)).await;
    broker.shutdown().await.unwrap();
    assert!(conn.frame().await.is_none());
}
