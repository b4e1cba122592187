//! Writes responses: runs of bytes by `writev`, file ranges by `sendfile`.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

use bytes::Buf;
use protocol::{FileSlice, Segment};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Pieces of memory that one `writev` takes. Linux allows 1,024; a response seldom has more than a few.
const MAX_SLICES: usize = 64;

/// Longest range that one `sendfile` is asked for, so that one reader does not hold a worker for long.
const MAX_SENDFILE_BYTES: usize = 1024 * 1024;

/// What has to be written, in order.
#[derive(Debug, Default)]
pub(super) struct Output {
    segments: VecDeque<Segment>,
}

impl Output {
    pub(super) fn push(&mut self, segments: Vec<Segment>) {
        self.segments.extend(segments);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Writes until all is written or the socket takes no more.
    pub(super) fn write(&mut self, stream: &TcpStream) -> io::Result<()> {
        loop {
            let written = match self.segments.front_mut() {
                None => return Ok(()),
                Some(Segment::Bytes(bytes)) if bytes.is_empty() => {
                    self.segments.pop_front();
                    continue;
                }
                Some(Segment::File(file)) if file.len == 0 => {
                    self.segments.pop_front();
                    continue;
                }
                Some(Segment::Bytes(_)) => self.write_bytes(stream),
                Some(Segment::File(file)) => send_file(file, stream),
            };
            match written {
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the run of byte segments at the front.
    fn write_bytes(&self, stream: &TcpStream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        for segment in self.segments.iter().take(MAX_SLICES) {
            let Segment::Bytes(bytes) = segment else { break };
            slices[count] = IoSlice::new(bytes);
            count += 1;
        }
        stream.try_write_vectored(&slices[..count])
    }

    /// Drops what was written.
    fn advance(&mut self, mut written: usize) {
        while written > 0 {
            match self.segments.front_mut() {
                Some(Segment::Bytes(bytes)) => {
                    let step = written.min(bytes.len());
                    bytes.advance(step);
                    written -= step;
                    if bytes.is_empty() {
                        self.segments.pop_front();
                    }
                }
                Some(Segment::File(file)) => {
                    let step = written.min(file.len as usize);
                    file.position += step as u64;
                    file.len -= step as u32;
                    written -= step;
                    if file.len == 0 {
                        self.segments.pop_front();
                    }
                }
                None => return,
            }
        }
    }
}

/// Sends a part of the range from the page cache to the socket, without a copy through our memory.
fn send_file(slice: &FileSlice, stream: &TcpStream) -> io::Result<usize> {
    let len = (slice.len as usize).min(MAX_SENDFILE_BYTES);
    let mut position = slice.position;
    let sent = stream.try_io(Interest::WRITABLE, || {
        rustix::fs::sendfile(stream, &*slice.file, Some(&mut position), len).map_err(Into::into)
    })?;
    if sent == 0 {
        // The response has promised these bytes; without them the client cannot find the next frame.
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "the log file ends before the range"));
    }
    Ok(sent)
}
