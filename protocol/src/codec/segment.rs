//! What an encoded message consists of: bytes in memory and regions of files.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;

/// A piece of an encoded message, to be written to the socket in order.
#[derive(Debug, Clone)]
pub enum Segment {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A region of a file, for `sendfile`.
    File(FileSlice),
}

impl Segment {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(slice) => slice.len as usize,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl PartialEq for Segment {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::File(a), Self::File(b)) => a == b,
            _ => false,
        }
    }
}

/// A region of an open file. Whoever makes one guarantees that the region exists and does not change until it is
/// sent (a log segment is append-only and stays open while it is referred to).
#[derive(Debug, Clone)]
pub struct FileSlice {
    /// The open file.
    pub file: Arc<File>,
    /// Offset of the first byte in the file.
    pub position: u64,
    /// Length in bytes.
    pub len: u32,
}

/// Same region of the same open file.
impl PartialEq for FileSlice {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
            && self.position == other.position
            && self.len == other.len
    }
}

/// A `records` field of a response: record batches that are passed on without being looked at.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Records {
    /// Kafka's null.
    #[default]
    Null,
    /// Batches in memory; what a decoder makes.
    Bytes(Bytes),
    /// Batches in memory and in files, in order.
    Segments(Vec<Segment>),
}

impl Records {
    /// Length in bytes; 0 for null.
    pub fn len(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Bytes(bytes) => bytes.len(),
            Self::Segments(segments) => segments.iter().map(Segment::len).sum(),
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batches, when they are in memory as one piece (always so after decoding); `None` for null and segments.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Null | Self::Segments(_) => None,
        }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Option<Bytes>> for Records {
    fn from(bytes: Option<Bytes>) -> Self {
        bytes.map_or(Self::Null, Self::Bytes)
    }
}
