//! Walks the batches of a segment file, header by header.

use protocol::records::{BATCH_OVERHEAD, BatchHeader, RecordsError};

use crate::{DiskError, DiskFile};

/// Bytes read at once: many headers when batches are small, one when they are large.
const CHUNK_BYTES: usize = 64 * 1024;
/// A batch that claims to be longer cannot have been taken by a broker (a frame is 100 MiB at most by default).
const MAX_BATCH_BYTES: usize = 512 * 1024 * 1024;

/// Why a walk ends early.
#[derive(Debug)]
pub(super) enum WalkError {
    Disk(DiskError),
    /// At the walk's position is no whole, valid batch.
    Bad(RecordsError),
}

impl From<DiskError> for WalkError {
    fn from(e: DiskError) -> Self {
        Self::Disk(e)
    }
}

/// A cursor over the batches between two byte positions.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    file: &'a dyn DiskFile,
    position: u64,
    end: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
    chunk_bytes: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(file: &'a dyn DiskFile, start: u64, end: u64) -> Self {
        let chunk_bytes = CHUNK_BYTES;
        Self { file, position: start, end, chunk: Vec::new(), chunk_at: start, chunk_bytes }
    }

    /// Reads this many bytes at once instead: for a walk that is likely to end after a batch or two.
    pub(super) fn in_chunks_of(mut self, bytes: usize) -> Self {
        self.chunk_bytes = bytes.max(BATCH_OVERHEAD);
        self
    }

    /// Where the next batch begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next batch's header, without moving.
    pub(super) fn peek(&mut self) -> Result<Option<BatchHeader>, WalkError> {
        let left = self.end.saturating_sub(self.position);
        if left == 0 {
            return Ok(None);
        }
        if left < BATCH_OVERHEAD as u64 {
            let have = left as usize;
            return Err(WalkError::Bad(RecordsError::NotEnough { needed: BATCH_OVERHEAD, have }));
        }
        let mut buf = [0; BATCH_OVERHEAD];
        buf.copy_from_slice(self.bytes_at(self.position, BATCH_OVERHEAD)?);
        let header = BatchHeader::parse(&buf).map_err(WalkError::Bad)?;
        if header.size() as u64 > left {
            let error = RecordsError::NotEnough { needed: header.size(), have: left as usize };
            return Err(WalkError::Bad(error));
        }
        if header.size() > MAX_BATCH_BYTES {
            return Err(WalkError::Bad(RecordsError::Header("absurd length")));
        }
        Ok(Some(header))
    }

    /// Moves past the batch that [`Walk::peek`] returned.
    pub(super) fn skip(&mut self, header: &BatchHeader) {
        self.position += header.size() as u64;
    }

    /// Computes the CRC-32C of the batch that [`Walk::peek`] returned, in pieces.
    pub(super) fn verify_crc(&mut self, header: &BatchHeader) -> Result<(), WalkError> {
        const CRC_FROM: u64 = 21;
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        let mut at = self.position + CRC_FROM;
        let end = self.position + header.size() as u64;
        while at < end {
            let piece = ((end - at) as usize).min(self.chunk_bytes);
            digest.update(self.bytes_at(at, piece)?);
            at += piece as u64;
        }
        let computed = digest.finalize() as u32;
        if computed == header.crc {
            return Ok(());
        }
        Err(WalkError::Bad(RecordsError::Crc { stored: header.crc, computed }))
    }

    /// `len` bytes (at most a chunk) at `at`, from the chunk in memory or a new one.
    fn bytes_at(&mut self, at: u64, len: usize) -> Result<&[u8], WalkError> {
        let held =
            at >= self.chunk_at && at + len as u64 <= self.chunk_at + self.chunk.len() as u64;
        if !held {
            let want = ((self.end - at) as usize).min(self.chunk_bytes);
            self.chunk.resize(want, 0);
            self.chunk_at = at;
            let mut filled = 0;
            while filled < want {
                match self.file.read_at(&mut self.chunk[filled..], at + filled as u64)? {
                    0 => break,
                    n => filled += n,
                }
            }
            self.chunk.truncate(filled);
        }
        let from = (at - self.chunk_at) as usize;
        let have = self.chunk.len() - from;
        self.chunk
            .get(from..from + len)
            .ok_or(WalkError::Bad(RecordsError::NotEnough { needed: len, have }))
    }
}
