use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use protocol::messages::{HeartbeatRequest, HeartbeatResponse};
use protocol::{ApiKey, Decoder, Segment, Str, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const SOON: Duration = Duration::from_secs(5);

fn peers() -> Arc<Peers> {
    Arc::new(Peers::new(PeerSettings {
        client_id: Str::from("broker-1"),
        max_frame_bytes: 1024,
        connect_timeout: SOON,
    }))
}

async fn read_request(stream: &mut TcpStream) -> i32 {
    let len = stream.read_i32().await.unwrap();
    let mut frame = vec![0; len as usize];
    stream.read_exact(&mut frame).await.unwrap();
    frame::decode_request_header(&mut Decoder::new(frame.into())).unwrap().correlation_id
}

async fn answer(stream: &mut TcpStream, correlation_id: i32, error_code: i16) {
    let response = HeartbeatResponse { error_code, ..Default::default() };
    let segments = frame::encode_response(ApiKey::Heartbeat, 4, correlation_id, &response).unwrap();
    let mut out = BytesMut::new();
    for segment in segments {
        if let Segment::Bytes(bytes) = segment {
            out.extend_from_slice(&bytes);
        }
    }
    while out.has_remaining() {
        stream.write_buf(&mut out).await.unwrap();
    }
}

async fn call(peers: Arc<Peers>, timeout: Duration) -> Result<i16, PeerError> {
    let request = HeartbeatRequest::default();
    let response = peers.call(2, Channel::Control, 4, &request, timeout).await?;
    Ok(response.error_code)
}

#[tokio::test]
async fn answers_find_their_requests_in_whatever_order() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = peers();
    assert!(matches!(call(peers.clone(), SOON).await, Err(PeerError::Unknown(2))));
    let port = listener.local_addr().unwrap().port();
    peers.set_addresses([(2, "127.0.0.1".to_owned(), port)]);
    let first = tokio::spawn(call(peers.clone(), SOON));
    let (mut stream, _) = listener.accept().await.unwrap();
    let one = read_request(&mut stream).await;
    let second = tokio::spawn(call(peers.clone(), SOON));
    let two = read_request(&mut stream).await;
    answer(&mut stream, two, 22).await;
    answer(&mut stream, one, 11).await;
    assert_eq!(first.await.unwrap().unwrap(), 11);
    assert_eq!(second.await.unwrap().unwrap(), 22);
}

#[tokio::test]
async fn a_connection_that_ended_is_made_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = peers();
    let port = listener.local_addr().unwrap().port();
    peers.set_addresses([(2, "127.0.0.1".to_owned(), port)]);
    let first = tokio::spawn(call(peers.clone(), SOON));
    let (stream, _) = listener.accept().await.unwrap();
    drop(stream);
    assert!(matches!(first.await.unwrap(), Err(PeerError::Closed)));
    let second = tokio::spawn(call(peers.clone(), SOON));
    let (mut stream, _) = listener.accept().await.unwrap();
    let id = read_request(&mut stream).await;
    answer(&mut stream, id, 7).await;
    assert_eq!(second.await.unwrap().unwrap(), 7);
}

#[tokio::test]
async fn silence_and_nonsense_close_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peers = peers();
    let port = listener.local_addr().unwrap().port();
    peers.set_addresses([(2, "127.0.0.1".to_owned(), port)]);
    let silent = tokio::spawn(call(peers.clone(), Duration::from_millis(50)));
    let (mut stream, _) = listener.accept().await.unwrap();
    assert!(matches!(silent.await.unwrap(), Err(PeerError::TimedOut)));
    read_request(&mut stream).await;
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the caller has hung up");

    let huge = tokio::spawn(call(peers.clone(), SOON));
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_i32(4096).await.unwrap();
    assert!(matches!(huge.await.unwrap(), Err(PeerError::Closed)));
}

#[test]
fn a_suggested_address_serves_until_the_metadata_knows_better() {
    let peers = peers();
    peers.suggest(7, "a", 1);
    assert_eq!(peers.address(7), Some(("a".to_owned(), 1)));
    peers.set_addresses([(7, "b".to_owned(), 2)]);
    peers.suggest(7, "c", 3);
    assert_eq!(peers.address(7), Some(("b".to_owned(), 2)));
    for node in 0..200 {
        peers.suggest(1_000 + node, "x", 1);
    }
    assert_eq!(peers.address(1_199), None, "strangers are not remembered without end");
}
