//! A network between client and broker that can be cut: connections end after so many bytes, in either direction.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use client::{Client, ClientConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// No cut is due.
const NEVER: i64 = i64::MAX / 2;

pub(crate) struct Proxy {
    pub(crate) address: String,
    state: Arc<State>,
}

struct State {
    /// Bytes that still pass, all connections together.
    budget: AtomicI64,
    cuts: AtomicU64,
    broker: String,
    host: String,
    port: u16,
}

impl Proxy {
    /// Listens, and passes on to the broker. Metadata is changed on the way so that the client comes back here.
    pub(crate) async fn start(broker: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            budget: AtomicI64::new(NEVER),
            cuts: AtomicU64::new(0),
            broker: broker.to_owned(),
            host: address.ip().to_string(),
            port: address.port(),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(pass(socket, Arc::clone(&shared)));
            }
        });
        Self { address: address.to_string(), state }
    }

    /// A client that does not wait long before it tries again.
    pub(crate) fn client(&self) -> Client {
        let config = ClientConfig { retry_backoff_ms: 2, ..ClientConfig::new(&self.address) };
        Client::new(config)
    }

    /// Cuts every connection that carries traffic once so many more bytes have passed.
    pub(crate) fn cut_soon(&self, bytes: u64) {
        self.state.budget.store(bytes as i64, Ordering::SeqCst);
    }

    pub(crate) fn cuts(&self) -> u64 {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

async fn pass(client: TcpStream, state: Arc<State>) {
    let Ok(broker) = TcpStream::connect(&state.broker).await else { return };
    let (client_read, client_write) = client.into_split();
    let (broker_read, broker_write) = broker.into_split();
    let versions = Arc::default();
    tokio::select! {
        () = requests(client_read, broker_write, &state, Arc::clone(&versions)) => {}
        () = answers(broker_read, client_write, &state, versions) => {}
    }
}

/// Version of each Metadata request by correlation id.
type Versions = Arc<parking_lot::Mutex<std::collections::HashMap<i32, i16>>>;

async fn frame(socket: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let length = socket.read_i32().await.ok()?;
    let mut frame = vec![0; usize::try_from(length).ok()?];
    socket.read_exact(&mut frame).await.ok()?;
    Some(frame)
}

/// False when the connection is to be cut; then only a part has passed.
async fn put(socket: &mut OwnedWriteHalf, frame: &[u8], state: &State) -> bool {
    let mut bytes = (frame.len() as i32).to_be_bytes().to_vec();
    bytes.extend(frame);
    let left = state.budget.fetch_sub(bytes.len() as i64, Ordering::SeqCst);
    if left < bytes.len() as i64 {
        state.budget.store(NEVER, Ordering::SeqCst);
        state.cuts.fetch_add(1, Ordering::SeqCst);
        let part = usize::try_from(left.max(0)).unwrap();
        let _ = socket.write_all(&bytes[..part.min(bytes.len())]).await;
        return false;
    }
    socket.write_all(&bytes).await.is_ok()
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &State,
    versions: Versions,
) {
    while let Some(frame) = frame(&mut from).await {
        let word = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
        if word(0) == i16::from(protocol::ApiKey::Metadata) {
            let id = i32::from_be_bytes(frame[4..8].try_into().unwrap());
            versions.lock().insert(id, word(2));
        }
        if !put(&mut to, &frame, state).await {
            return;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &State,
    versions: Versions,
) {
    while let Some(frame) = frame(&mut from).await {
        let id = i32::from_be_bytes(frame[..4].try_into().unwrap());
        let version = versions.lock().remove(&id);
        let frame = match version {
            Some(version) => redirect(frame, version, state),
            None => frame,
        };
        if !put(&mut to, &frame, state).await {
            return;
        }
    }
}

/// The same metadata, with the proxy's address for every broker.
fn redirect(frame: Vec<u8>, version: i16, state: &State) -> Vec<u8> {
    use protocol::messages::MetadataRequest;
    let (id, mut response) =
        protocol::frame::decode_response::<MetadataRequest>(frame.into(), version).unwrap();
    for broker in &mut response.brokers {
        broker.host = state.host.clone().into();
        broker.port = state.port.into();
    }
    let key = protocol::ApiKey::Metadata;
    let segments = protocol::frame::encode_response(key, version, id, &response).unwrap();
    let mut bytes = Vec::new();
    for segment in segments {
        let protocol::Segment::Bytes(part) = segment else { panic!("bytes are expected") };
        bytes.extend_from_slice(&part);
    }
    bytes.split_off(protocol::frame::LENGTH_BYTES)
}
