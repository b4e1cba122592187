//! Something that answers, but not as a broker should.

use std::time::Duration;

use client::{CallError, Connection, ConnectionConfig};
use protocol::messages::api_versions_response::ApiVersion;
use protocol::messages::{ApiVersionsResponse, MetadataRequest};
use protocol::{ApiKey, Segment, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn config() -> ConnectionConfig {
    ConnectionConfig {
        client_id: "test".to_owned(),
        connect_timeout: Duration::from_secs(20),
        request_timeout: Duration::from_secs(20),
        max_response_bytes: 10_000,
    }
}

async fn request(socket: &mut TcpStream) -> (i16, i32) {
    let length = socket.read_i32().await.unwrap();
    let mut bytes = vec![0; length as usize];
    socket.read_exact(&mut bytes).await.unwrap();
    let version = i16::from_be_bytes([bytes[2], bytes[3]]);
    (version, i32::from_be_bytes(bytes[4..8].try_into().unwrap()))
}

/// Answers ApiVersions, then a Metadata request with the given bytes.
async fn broker(answer: impl Fn(i32) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let (version, id) = request(&mut socket).await;
        socket.write_all(&versions(version, id, 0, &[(3, 0, 12), (18, 0, 4)])).await.unwrap();
        let (_, id) = request(&mut socket).await;
        socket.write_all(&answer(id)).await.unwrap();
        // Until the client goes.
        let _ = socket.read(&mut [0]).await;
    });
    address
}

fn versions(version: i16, id: i32, error_code: i16, apis: &[(i16, i16, i16)]) -> Vec<u8> {
    let api = |(api_key, min_version, max_version): &(i16, i16, i16)| ApiVersion {
        api_key: *api_key,
        min_version: *min_version,
        max_version: *max_version,
    };
    let response = ApiVersionsResponse {
        error_code,
        api_keys: apis.iter().map(api).collect(),
        ..Default::default()
    };
    let segments = frame::encode_response(ApiKey::ApiVersions, version, id, &response).unwrap();
    let [Segment::Bytes(bytes)] = &segments[..] else { panic!("one segment is expected") };
    bytes.to_vec()
}

async fn ask(address: &str, config: ConnectionConfig) -> CallError {
    let connection = Connection::open(address, config).await.unwrap();
    let error = connection.call(&MetadataRequest::default()).await.unwrap_err();
    let closed = |e: &CallError| matches!(e, CallError::Decode { .. });
    assert!(connection.is_closed() || closed(&error));
    error
}

#[tokio::test]
async fn an_answer_longer_than_allowed_ends_the_connection() {
    let address = broker(|_| vec![0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]).await;
    let error = ask(&address, config()).await;
    assert!(error.to_string().contains("more than the allowed 10000"), "{error}");
}

#[tokio::test]
async fn a_negative_length_ends_the_connection() {
    let address = broker(|_| vec![0xff; 8]).await;
    let error = ask(&address, config()).await;
    assert!(error.to_string().contains("negative length"), "{error}");
}

#[tokio::test]
async fn an_answer_to_nothing_ends_the_connection() {
    let address = broker(|id| {
        let mut bytes = 4_i32.to_be_bytes().to_vec();
        bytes.extend((id + 77).to_be_bytes());
        bytes
    })
    .await;
    let error = ask(&address, config()).await;
    assert!(error.to_string().contains("unknown correlation id"), "{error}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_an_error() {
    let address = broker(|id| {
        let mut bytes = 10_i32.to_be_bytes().to_vec();
        bytes.extend(id.to_be_bytes());
        bytes.extend([0, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        bytes
    })
    .await;
    let error = ask(&address, config()).await;
    assert!(matches!(error, CallError::Decode { .. }), "{error}");
}

#[tokio::test]
async fn no_answer_is_not_waited_for_for_ever() {
    let address = broker(|_| Vec::new()).await;
    let patience = ConnectionConfig { request_timeout: Duration::from_millis(100), ..config() };
    let error = ask(&address, patience).await;
    assert!(matches!(error, CallError::Timeout { timeout_ms: 100, .. }), "{error}");
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = Connection::open(&address, config()).await.unwrap_err();
    assert!(matches!(error, CallError::Connect { .. }), "{error}");
    assert!(error.is_retriable() && !error.may_have_happened());
}

#[tokio::test]
async fn a_broker_that_does_not_know_our_api_versions_is_asked_again_in_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let broker = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let (_, id) = request(&mut socket).await;
        socket.write_all(&versions(0, id, 35, &[(18, 0, 2)])).await.unwrap();
        let (version, id) = request(&mut socket).await;
        socket.write_all(&versions(version, id, 0, &[(3, 0, 5), (18, 0, 2)])).await.unwrap();
        version
    });
    let connection = Connection::open(&address, config()).await.unwrap();
    assert_eq!(broker.await.unwrap(), 2);
    assert_eq!(connection.version(ApiKey::Metadata), Some(5));
    assert_eq!(connection.version(ApiKey::Fetch), None);
}
