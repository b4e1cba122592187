use broker::{Broker, StartError};
use protocol::ErrorCode;
use protocol::messages::ApiVersionsRequest;

use crate::wire::*;

#[tokio::test]
async fn a_bad_frame_costs_its_own_connection_only() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path()).with("socket.request.max.bytes", "100000");
    let broker = Broker::start(config).await.unwrap();
    let mut good = Conn::to(broker.addr()).await;
    good.create(TOPIC, &[]).await;
    let frames: [&[u8]; 7] = [
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\x00\x01\x86\xa1",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\x02\0\0",
        // Produce version 2, which is advertised and not served.
        b"\0\0\0\x0a\0\0\0\x02\0\0\0\x01\xff\xff",
        // Metadata that claims two billion topics.
        b"\0\0\0\x0e\0\x03\0\x01\0\0\0\x01\xff\xff\x7f\xff\xff\xff",
    ];
    for frame in frames {
        let mut bad = Conn::to(broker.addr()).await;
        bad.write(frame).await;
        assert!(bad.frame().await.is_none(), "{frame:?} is not answered");
        good.call(0, &ApiVersionsRequest::default()).await;
    }
    // The start of a frame and nothing more: the others do not wait for it.
    let mut slow = Conn::to(broker.addr()).await;
    slow.write(b"\0\0\x10\0\0\x03").await;
    assert_eq!(good.produce(TOPIC, batch(&["a"])).await.error_code, 0);
}

#[tokio::test]
async fn random_bytes_never_stop_the_broker() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for key in 0..70_u8 {
        let mut body = vec![0, key, 0, key % 14, 0, 0, 0, 1, 0xff, 0xff];
        for _ in 0..key {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            body.push(random as u8);
        }
        let mut conn = Conn::to(broker.addr()).await;
        conn.write(&(body.len() as u32).to_be_bytes()).await;
        conn.write(&body).await;
    }
    Conn::to(broker.addr()).await.call(0, &ApiVersionsRequest::default()).await;
}

#[tokio::test]
async fn acks_0_is_never_answered_and_its_failure_closes() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[]).await;
    conn.send(9, &produce_request(TOPIC, 0, batch(&["a"]))).await;
    let produced = conn.produce(TOPIC, batch(&["b"])).await;
    assert_eq!(produced.base_offset, 1);
    conn.send(9, &produce_request("missing", 0, batch(&["a"]))).await;
    assert!(conn.frame().await.is_none());

    let mut conn = Conn::to(broker.addr()).await;
    let response = conn.call(9, &produce_request(TOPIC, 2, batch(&["a"]))).await;
    let code = response.responses[0].partition_responses[0].error_code;
    assert_eq!(code, ErrorCode::INVALID_REQUIRED_ACKS.0);
}

#[tokio::test]
async fn what_stops_a_start_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let other = tempfile::tempdir().unwrap();

    let mut same_port = config(other.path());
    same_port.listen = broker.addr();
    let error = Broker::start(same_port).await.unwrap_err();
    assert!(matches!(error, StartError::Listen(_)));
    assert!(error.to_string().contains("is in use: stop the process"), "{error}");

    let error = Broker::start(config(dir.path())).await.unwrap_err();
    assert!(error.to_string().contains("in use by another process"), "{error}");

    let typo = config(other.path()).with("num.partition", "3");
    let error = Broker::start(typo).await.unwrap_err();
    assert!(error.to_string().contains("num.partitions"), "{error}");
}
