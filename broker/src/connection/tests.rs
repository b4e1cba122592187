//! A connection over real sockets with a service that answers in known ways.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::{FileSlice, Segment};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::*;

/// Answers by the first byte of a frame; see [`Service::call`] below.
#[derive(Default)]
struct Script {
    gate: Arc<Notify>,
    file: Option<Arc<std::fs::File>>,
}

fn framed(text: &[u8]) -> Vec<Segment> {
    let mut frame = (text.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(text);
    vec![Segment::Bytes(Bytes::from(frame))]
}

impl Service for Script {
    fn call(self: &Arc<Self>, _peer: SocketAddr, frame: Bytes) -> Reply {
        let waits = |frame: Bytes| -> reply::ReplyFuture {
            let gate = Arc::clone(&self.gate);
            Box::pin(async move {
                gate.notified().await;
                Ok(framed(&frame))
            })
        };
        match frame.first() {
            Some(b'l') => Reply::Later(waits(frame)),
            Some(b'x') => Reply::Exclusive(waits(frame)),
            Some(b'0') => Reply::Nothing,
            Some(b'f') => {
                let file = self.file.clone().expect("this test has a file");
                let len = file.metadata().expect("metadata").len() as u32;
                let mut segments = vec![Segment::Bytes(Bytes::copy_from_slice(&len.to_be_bytes()))];
                segments.push(Segment::File(FileSlice { file, position: 0, len }));
                Reply::Now(segments)
            }
            Some(b'!') => Reply::Close(CloseReason::NotServed { api_key: 1, api_version: 1 }),
            _ => Reply::Now(framed(&frame)),
        }
    }
}

/// A client's end, and the reason with which the server's end closed.
async fn connect(script: Script) -> (TcpStream, tokio::task::JoinHandle<CloseReason>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let client = TcpStream::connect(listener.local_addr().expect("addr")).await.expect("connect");
    let (stream, peer) = listener.accept().await.expect("accept");
    let limits = Limits { max_frame_bytes: 1024, max_idle: Duration::from_secs(600) };
    let server = tokio::spawn(async move {
        serve(stream, peer, &Arc::new(script), limits, &CancellationToken::new()).await
    });
    (client, server)
}

async fn send(client: &mut TcpStream, text: &[u8]) {
    client.write_u32(text.len() as u32).await.expect("write");
    client.write_all(text).await.expect("write");
}

async fn receive(client: &mut TcpStream) -> Vec<u8> {
    let len = client.read_u32().await.expect("read");
    let mut frame = vec![0; len as usize];
    client.read_exact(&mut frame).await.expect("read");
    frame
}

#[tokio::test]
async fn replies_leave_in_the_order_of_the_requests() {
    let script = Script::default();
    let gate = Arc::clone(&script.gate);
    let (mut client, _server) = connect(script).await;
    for text in [&b"later"[..], b"0 no answer", b"now", b"xclusive", b"end"] {
        send(&mut client, text).await;
    }
    gate.notify_one();
    assert_eq!(receive(&mut client).await, b"later");
    assert_eq!(receive(&mut client).await, b"now");
    gate.notify_one();
    assert_eq!(receive(&mut client).await, b"xclusive");
    assert_eq!(receive(&mut client).await, b"end");
}

#[tokio::test]
async fn a_file_range_arrives_whole() {
    let mut file = tempfile::tempfile().expect("file");
    let content: Vec<u8> = (0..3_000_000_u32).map(|i| i as u8).collect();
    file.write_all(&content).expect("write");
    let (mut client, _server) =
        connect(Script { file: Some(Arc::new(file)), ..Default::default() }).await;
    send(&mut client, b"file").await;
    send(&mut client, b"after").await;
    assert!(receive(&mut client).await == content);
    assert_eq!(receive(&mut client).await, b"after");
}

#[tokio::test]
async fn a_frame_above_the_limit_closes_the_connection_after_earlier_answers() {
    let (mut client, server) = connect(Script::default()).await;
    send(&mut client, b"good").await;
    assert_eq!(receive(&mut client).await, b"good");
    client.write_u32(1025).await.expect("write");
    assert!(matches!(
        server.await.expect("task"),
        CloseReason::FrameLength { len: 1025, max: 1024 }
    ));
    assert_eq!(client.read(&mut [0; 1]).await.expect("read"), 0);
}

#[tokio::test]
async fn a_refused_request_closes_the_connection() {
    let (mut client, server) = connect(Script::default()).await;
    send(&mut client, b"!").await;
    assert!(matches!(server.await.expect("task"), CloseReason::NotServed { .. }));
}

#[tokio::test]
async fn a_client_that_leaves_during_a_long_poll_is_noticed() {
    let (mut client, server) = connect(Script::default()).await;
    send(&mut client, b"x waits for ever").await;
    drop(client);
    assert!(matches!(server.await.expect("task"), CloseReason::ByClient | CloseReason::Io(_)));
}

#[tokio::test]
async fn a_stop_answers_what_waits_for_the_disk_and_cuts_long_polls_short() {
    let script = Script::default();
    let gate = Arc::clone(&script.gate);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let mut client =
        TcpStream::connect(listener.local_addr().expect("addr")).await.expect("connect");
    let (stream, peer) = listener.accept().await.expect("accept");
    let limits = Limits { max_frame_bytes: 1024, max_idle: Duration::from_secs(600) };
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let server =
        tokio::spawn(async move { serve(stream, peer, &Arc::new(script), limits, &stop).await });
    send(&mut client, b"later").await;
    send(&mut client, b"now").await;
    send(&mut client, b"x waits for ever").await;
    // All three have been handled when the reply behind the first one is ready; nothing shows that from outside but
    // time, so the gate is opened only after the stop.
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    shutdown.cancel();
    gate.notify_one();
    assert_eq!(receive(&mut client).await, b"later");
    assert_eq!(receive(&mut client).await, b"now");
    assert!(matches!(server.await.expect("task"), CloseReason::Shutdown));
}
