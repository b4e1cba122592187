//! The task of a connection: writes queued requests, reads answers, until either side ends it.

use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use protocol::Segment;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::Shared;

/// Bytes that a read asks for when no frame's length is known.
const READ_BYTES: usize = 64 * 1024;
/// Requests are gathered into one write up to this many bytes.
const GATHER_BYTES: usize = 64 * 1024;
/// Bytes of a frame's length.
const LENGTH_BYTES: usize = protocol::frame::LENGTH_BYTES;

/// Runs until the connection is closed, from whichever side.
pub(super) async fn run(
    stream: TcpStream,
    shared: Arc<Shared>,
    requests: mpsc::Receiver<Vec<Segment>>,
) {
    let (read, write) = stream.into_split();
    let closed = shared.closed.clone();
    let reason = tokio::select! {
        () = closed.cancelled() => "closed".to_owned(),
        error = read_answers(read, &shared) => error,
        error = write_requests(write, requests) => error.to_string(),
    };
    shared.close(&reason);
}

async fn write_requests(
    mut socket: OwnedWriteHalf,
    mut requests: mpsc::Receiver<Vec<Segment>>,
) -> io::Error {
    let mut gathered = BytesMut::new();
    loop {
        let Some(request) = requests.recv().await else {
            return io::Error::other("closed");
        };
        let mut next = Some(request);
        while let Some(request) = next {
            for segment in request {
                if let Err(e) = put(&mut socket, &mut gathered, segment).await {
                    return e;
                }
            }
            next = if gathered.len() < GATHER_BYTES { requests.try_recv().ok() } else { None };
        }
        if let Err(e) = socket.write_all_buf(&mut gathered).await {
            return e;
        }
    }
}

/// Adds small segments to what is written together; writes large ones by themselves, without a copy.
async fn put(
    socket: &mut OwnedWriteHalf,
    gathered: &mut BytesMut,
    segment: Segment,
) -> io::Result<()> {
    match segment {
        Segment::Bytes(bytes) if bytes.len() <= GATHER_BYTES / 4 => {
            gathered.extend_from_slice(&bytes);
            Ok(())
        }
        Segment::Bytes(bytes) => {
            let mut both = Buf::chain(gathered.split(), bytes);
            socket.write_all_buf(&mut both).await
        }
        Segment::File(_) => Err(io::Error::other("a request cannot hold a file")),
    }
}

async fn read_answers(mut socket: OwnedReadHalf, shared: &Shared) -> String {
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    loop {
        let wanted = match take_frames(&mut buffer, shared) {
            Ok(wanted) => wanted,
            Err(reason) => return reason,
        };
        buffer.reserve(wanted.max(1));
        match socket.read_buf(&mut buffer).await {
            Ok(0) => return "the broker closed it".to_owned(),
            Ok(_) => {}
            Err(e) => return e.to_string(),
        }
    }
}

/// Hands over every complete frame; returns how many bytes it would like to read next.
fn take_frames(buffer: &mut BytesMut, shared: &Shared) -> Result<usize, String> {
    loop {
        let Some(length) = buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(READ_BYTES) };
        let length = i32::from_be_bytes(*length);
        let length = usize::try_from(length).map_err(|_| "a frame of negative length")?;
        if length > shared.config.max_response_bytes {
            let most = shared.config.max_response_bytes;
            return Err(format!("an answer of {length} bytes, more than the allowed {most}"));
        }
        if buffer.len() < LENGTH_BYTES + length {
            return Ok((LENGTH_BYTES + length - buffer.len()).max(READ_BYTES));
        }
        buffer.advance(LENGTH_BYTES);
        deliver(buffer.split_to(length).freeze(), shared)?;
    }
}

fn deliver(frame: Bytes, shared: &Shared) -> Result<(), String> {
    let id = protocol::frame::response_correlation_id(&frame).map_err(|e| e.to_string())?;
    match shared.waiting.lock().answers.remove(&id) {
        // Whoever waited may have given up; that is no fault of the broker's.
        Some(waiting) => {
            let _ = waiting.send(frame);
            Ok(())
        }
        None => Err(format!("an answer with unknown correlation id {id}")),
    }
}
