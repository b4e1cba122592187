use bytes::Bytes;

use super::varint::Cursor;
use super::{BATCH_OVERHEAD, BatchHeader, RecordsError, TimestampType};

/// What the broker may need of a record; nothing is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeanRecord {
    /// Offset less the batch's base offset.
    pub offset_delta: i32,
    /// Milliseconds since 1970; the batch's max timestamp under LogAppendTime.
    pub timestamp: i64,
    /// Bytes of the key; `None` for a null key.
    pub key_len: Option<usize>,
    /// Bytes of the value; `None` for a null value (a tombstone).
    pub value_len: Option<usize>,
}

/// Walks the records of a batch and checks their structure: every length within the record, every record
/// within the batch, as many records as the header says and nothing after them.
#[derive(Debug)]
pub struct LeanRecords<'a> {
    body: &'a [u8],
    header: &'a BatchHeader,
    pos: usize,
    index: i32,
    failed: bool,
}

impl<'a> LeanRecords<'a> {
    /// `body`: the records, decompressed, see [`record_body`].
    pub fn new(header: &'a BatchHeader, body: &'a [u8]) -> Self {
        Self { body, header, pos: 0, index: 0, failed: false }
    }

    fn step(&mut self) -> Result<Option<LeanRecord>, &'static str> {
        if self.index == self.header.record_count {
            return if self.pos == self.body.len() {
                Ok(None)
            } else {
                Err("bytes after the last")
            };
        }
        let mut outer = Cursor::new(self.body, self.pos);
        let length = outer.length().ok_or("its length is past the end of the batch")?;
        let end = outer.position() + length;
        let mut c = Cursor::new(&self.body[..end], outer.position());
        c.byte().ok_or("no attributes")?;
        let timestamp_delta = c.varlong().ok_or("bad timestamp")?;
        let offset_delta = c.varint().ok_or("bad offset")?;
        let key_len = c.nullable_length().ok_or("bad key length")?;
        c.skip(key_len.unwrap_or(0)).ok_or("key is cut off")?;
        let value_len = c.nullable_length().ok_or("bad value length")?;
        c.skip(value_len.unwrap_or(0)).ok_or("value is cut off")?;
        skip_headers(&mut c)?;
        if c.position() != end {
            return Err("its length is not that of its parts");
        }
        self.pos = end;
        self.index += 1;
        let timestamp = match self.header.timestamp_type() {
            TimestampType::CreateTime => self.header.base_timestamp.wrapping_add(timestamp_delta),
            TimestampType::LogAppendTime => self.header.max_timestamp,
        };
        Ok(Some(LeanRecord { offset_delta, timestamp, key_len, value_len }))
    }
}

fn skip_headers(c: &mut Cursor<'_>) -> Result<(), &'static str> {
    let count = c.varint().filter(|count| *count >= 0).ok_or("bad header count")?;
    for _ in 0..count {
        let key_len = c.length().ok_or("bad header key length")?;
        c.skip(key_len).ok_or("header key is cut off")?;
        let value_len = c.nullable_length().ok_or("bad header value length")?;
        c.skip(value_len.unwrap_or(0)).ok_or("header value is cut off")?;
    }
    Ok(())
}

impl Iterator for LeanRecords<'_> {
    type Item = Result<LeanRecord, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        self.step()
            .map_err(|reason| {
                self.failed = true;
                RecordsError::Record { index: self.index, reason }
            })
            .transpose()
    }
}

/// The records of a batch, decompressed to at most `limit` bytes (not copied when not compressed).
///
/// # Errors
/// As [`super::Compression::decompress`]; [`RecordsError::NotEnough`] when the batch is cut off.
pub fn record_body(
    header: &BatchHeader,
    batch: &Bytes,
    limit: usize,
) -> Result<Bytes, RecordsError> {
    if batch.len() < header.size() {
        return Err(RecordsError::NotEnough { needed: header.size(), have: batch.len() });
    }
    header.compression()?.decompress(&batch.slice(BATCH_OVERHEAD..header.size()), limit)
}
