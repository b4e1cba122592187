use std::sync::Arc;

use bytes::Bytes;
use protocol::records::{BatchHeader, RecordsError};
use protocol::{FileSlice, Segment as Piece};

use super::OffsetPosition;
use super::error::ReadError;
use super::segment::Segment;
use super::walk::{Walk, WalkError};
use crate::DiskError;

/// Shorter reads are copied into memory and leave in the same system call as the response's other bytes;
/// longer ones leave by `sendfile`.
pub const SENDFILE_FROM_BYTES: usize = 32 * 1024;
/// Header walk after an index lookup: a few batches.
const LOOKUP_CHUNK_BYTES: usize = 16 * 1024;
/// Distance of the probes that ask whether a range is in memory.
const PROBE_EVERY_BYTES: u64 = 128 * 1024;
/// Bytes read at once to bring a range into memory.
const WARM_CHUNK_BYTES: usize = 256 * 1024;

/// Consecutive batches as pieces to be sent. The last one may be cut off in its middle, as Kafka's own, but not where much would be
/// sent for nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogSlice {
    /// In order.
    pub segments: Vec<Piece>,
    /// Bytes of all.
    pub len: usize,
}

/// What a log answers to a read at once.
#[derive(Debug)]
pub enum Read {
    /// Nothing between the offset and the bound.
    Empty,
    /// From memory.
    Memory(LogSlice),
    /// From a file: run it without the log's lock.
    Cold(ColdRead),
}

/// A read that goes to a segment file. Holds the segment, so that neither retention nor deletion disturbs it.
#[derive(Debug)]
pub struct ColdRead {
    pub(super) segment: Arc<Segment>,
    pub(super) next: Option<Arc<Segment>>,
    pub(super) offset: i64,
    pub(super) max_bytes: usize,
    pub(super) min_one: bool,
    pub(super) upper: OffsetPosition,
    pub(super) index_interval_bytes: u32,
}

/// What one segment gave.
enum Found {
    Slice(LogSlice),
    /// Nothing at or after the offset (its end was compacted away).
    Nothing,
    MustBlock,
}

impl ColdRead {
    /// Finds the bytes. With `cached` it never waits for the disk, but returns `None` where it would; then run
    /// it again without, on a thread that may block: that also brings the bytes into memory.
    ///
    /// # Errors
    /// [`ReadError::Disk`], [`ReadError::Corrupt`].
    pub fn run(&self, cached: bool) -> Result<Option<LogSlice>, ReadError> {
        let mut found = self.read_from(&self.segment, cached)?;
        if let (Found::Nothing, Some(next)) = (&found, &self.next)
            && self.upper.offset > next.base_offset()
        {
            found = self.read_from(next, cached)?;
        }
        Ok(match found {
            Found::Slice(slice) => Some(slice),
            Found::Nothing => Some(LogSlice::default()),
            Found::MustBlock => None,
        })
    }

    fn read_from(&self, segment: &Segment, cached: bool) -> Result<Found, ReadError> {
        let Some(bound) = bound_position(segment, &self.upper, cached)? else {
            return Ok(Found::MustBlock);
        };
        let Some(found) = find(segment, self.offset, bound, cached)? else {
            return Ok(Found::MustBlock);
        };
        let Some((start, first)) = found else { return Ok(Found::Nothing) };
        let available = (bound - start) as usize;
        let mut len = available.min(self.max_bytes);
        if first.size() > len {
            if !self.min_one {
                // What does not fit is asked for again: the next segment would be a gap.
                return Ok(Found::Slice(LogSlice::default()));
            }
            len = first.size();
        } else if len < available {
            let Some(end) = segment.boundary_before(start + len as u64, cached)? else {
                return Ok(Found::MustBlock);
            };
            // What is more than an interval behind the index's last entry is a part of one large batch, which would be sent for
            // nothing. Less than that may be several small ones.
            let whole = end.saturating_sub(start) as usize;
            if whole >= first.size() && len - whole > self.index_interval_bytes as usize {
                len = whole;
            }
        }
        let range = start..start + len as u64;
        if cached {
            if !in_memory(segment, range)? {
                return Ok(Found::MustBlock);
            }
        } else {
            warm(segment, range)?;
        }
        let piece = match segment.file().raw() {
            Some(file) if len >= SENDFILE_FROM_BYTES => {
                Piece::File(FileSlice { file, position: start, len: len as u32 })
            }
            _ => Piece::Bytes(copy(segment, start, len)?),
        };
        Ok(Found::Slice(LogSlice { len, segments: vec![piece] }))
    }
}

/// Where the batches up to `upper` end in this segment.
fn bound_position(
    segment: &Segment,
    upper: &OffsetPosition,
    cached: bool,
) -> Result<Option<u64>, ReadError> {
    if upper.segment_base > segment.base_offset() {
        return Ok(Some(segment.len()));
    }
    if upper.segment_base == segment.base_offset() && upper.position != OffsetPosition::UNKNOWN {
        return Ok(Some(upper.position.min(segment.len())));
    }
    let found = find(segment, upper.offset, segment.len(), cached)?;
    Ok(found.map(|found| found.map_or(segment.len(), |(position, _)| position)))
}

/// Position and header of the batch that holds `offset`, or of the first one after it. Outer `None`: the disk
/// would have to be waited for.
pub(super) fn find(
    segment: &Segment,
    offset: i64,
    bound: u64,
    cached: bool,
) -> Result<Option<Option<(u64, BatchHeader)>>, ReadError> {
    let Some(start) = segment.position_before(offset, cached)? else { return Ok(None) };
    if cached && start < bound {
        let probe = start..(start + LOOKUP_CHUNK_BYTES as u64).min(bound);
        if !in_memory(segment, probe)? {
            return Ok(None);
        }
    }
    // An index entry that points past the bound helps nobody.
    let start = if start <= bound { start } else { 0 };
    let file = &**segment.file();
    let mut walk = Walk::new(file, start, bound).in_chunks_of(LOOKUP_CHUNK_BYTES);
    loop {
        match walk.peek() {
            Ok(None) => return Ok(Some(None)),
            Ok(Some(header)) if header.last_offset() >= offset => {
                return Ok(Some(Some((walk.position(), header))));
            }
            Ok(Some(header)) => walk.skip(&header),
            Err(error) => return Err(read_error(segment, walk.position(), error)),
        }
    }
}

pub(super) fn read_error(segment: &Segment, position: u64, error: WalkError) -> ReadError {
    match error {
        WalkError::Disk(error) => ReadError::Disk(error),
        WalkError::Bad(reason) => {
            ReadError::Corrupt { path: segment.path().to_owned(), position, reason }
        }
    }
}

/// Whether probes of the range find it in the page cache.
fn in_memory(segment: &Segment, range: std::ops::Range<u64>) -> Result<bool, DiskError> {
    let mut probe = [0; 1];
    let mut at = range.start;
    while at < range.end {
        if segment.file().read_cached_at(&mut probe, at)?.is_none() {
            return Ok(false);
        }
        at += PROBE_EVERY_BYTES;
    }
    match range.end.checked_sub(1) {
        Some(last) if !range.is_empty() => {
            Ok(segment.file().read_cached_at(&mut probe, last)?.is_some())
        }
        _ => Ok(true),
    }
}

/// Reads the range once, so that `sendfile` finds it in memory.
fn warm(segment: &Segment, range: std::ops::Range<u64>) -> Result<(), DiskError> {
    if segment.file().raw().is_none() {
        return Ok(());
    }
    let mut scratch = vec![0; WARM_CHUNK_BYTES.min((range.end - range.start) as usize)];
    let mut at = range.start;
    while at < range.end && !scratch.is_empty() {
        match segment.file().read_at(&mut scratch, at)? {
            0 => break,
            n => at += n as u64,
        }
    }
    Ok(())
}

pub(super) fn copy(segment: &Segment, start: u64, len: usize) -> Result<Bytes, ReadError> {
    let mut buf = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match segment.file().read_at(&mut buf[filled..], start + filled as u64)? {
            0 => {
                let reason = RecordsError::NotEnough { needed: len, have: filled };
                return Err(read_error(segment, start, WalkError::Bad(reason)));
            }
            n => filled += n,
        }
    }
    Ok(Bytes::from(buf))
}
