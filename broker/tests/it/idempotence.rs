use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::InitProducerIdRequest;

use crate::wire::*;

fn from_producer(id: i64, epoch: i16, sequence: i32, values: &[&str]) -> Bytes {
    let mut builder = builder(values);
    builder.set_producer(id, epoch, sequence);
    builder.build().unwrap()
}

pub(crate) async fn producer_id(conn: &mut Conn) -> i64 {
    let response =
        conn.call(4, &InitProducerIdRequest { transactional_id: None, ..Default::default() }).await;
    assert_eq!((response.error_code, response.producer_epoch), (0, 0));
    response.producer_id
}

#[tokio::test]
async fn a_retried_batch_is_appended_once_even_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[]).await;
    let id = producer_id(&mut conn).await;
    let first = from_producer(id, 0, 0, &["a", "b"]);
    let second = from_producer(id, 0, 2, &["c"]);
    for batch in [&first, &second, &first, &second] {
        let base_offset = if batch == &first { 0 } else { 2 };
        let response = conn.produce(TOPIC, batch.clone()).await;
        assert_eq!((response.error_code, response.base_offset), (0, base_offset));
    }
    broker.shutdown().await.unwrap();

    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    let response = conn.produce(TOPIC, second).await;
    assert_eq!((response.error_code, response.base_offset), (0, 2));
    assert_eq!(conn.values(TOPIC, 0).await, ["a", "b", "c"]);
    assert_ne!(producer_id(&mut conn).await, id, "ids are never given twice");
}

#[tokio::test]
async fn gaps_and_old_epochs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[]).await;
    conn.produce(TOPIC, from_producer(7, 3, 0, &["a"])).await;
    for (epoch, sequence, want) in [
        (3, 2, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        (2, 1, ErrorCode::INVALID_PRODUCER_EPOCH),
        (4, 1, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        (4, 0, ErrorCode::NONE),
        (3, 1, ErrorCode::INVALID_PRODUCER_EPOCH),
    ] {
        let response = conn.produce(TOPIC, from_producer(7, epoch, sequence, &["b"])).await;
        assert_eq!(response.error_code, want.0, "epoch {epoch}, sequence {sequence}");
    }
    assert_eq!(conn.values(TOPIC, 0).await, ["a", "b"]);
}
