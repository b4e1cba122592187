use bytes::Bytes;

use super::varint::Cursor;
use super::{BatchHeader, RecordsError, TimestampType};
use crate::Str;

/// Headers that one record may be decoded with before memory is set aside for them.
const PREALLOCATED_HEADERS: usize = 16;

/// One decoded record. Key, value and headers share the batch's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Offset in the partition.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key; `None` is Kafka's null.
    pub key: Option<Bytes>,
    /// The value; `None` is Kafka's null (a tombstone in a compacted topic).
    pub value: Option<Bytes>,
    /// Name and value of each header, in order; names may repeat.
    pub headers: Vec<(Str, Option<Bytes>)>,
}

/// Decodes the records of one batch, see [`super::Batch::records`]. Ends after an error.
#[derive(Debug, Clone)]
pub struct RecordIter {
    body: Bytes,
    pos: usize,
    index: i32,
    count: i32,
    base_offset: i64,
    base_timestamp: i64,
    append_time: Option<i64>,
}

impl RecordIter {
    pub(super) fn new(header: &BatchHeader, body: Bytes) -> Self {
        let append_time = (header.timestamp_type() == TimestampType::LogAppendTime)
            .then_some(header.max_timestamp);
        Self {
            body,
            pos: 0,
            index: 0,
            count: header.record_count,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            append_time,
        }
    }

    fn decode(&mut self) -> Result<Record, &'static str> {
        let body = self.body.clone();
        let mut outer = Cursor::new(&body, self.pos);
        let length = outer.length().ok_or("its length is past the end of the batch")?;
        let end = outer.position() + length;
        let mut c = Cursor::new(&body[..end], outer.position());
        c.byte().ok_or("no attributes")?;
        let timestamp_delta = c.varlong().ok_or("bad timestamp")?;
        let offset_delta = c.varint().ok_or("bad offset")?;
        let key = nullable(&mut c, &body).ok_or("bad key")?;
        let value = nullable(&mut c, &body).ok_or("bad value")?;
        let headers = headers(&mut c, &body)?;
        if c.position() != end {
            return Err("its length is not that of its parts");
        }
        self.pos = end;
        let timestamp =
            self.append_time.unwrap_or_else(|| self.base_timestamp.wrapping_add(timestamp_delta));
        let offset = self.base_offset.wrapping_add(i64::from(offset_delta));
        Ok(Record { offset, timestamp, key, value, headers })
    }
}

fn nullable(c: &mut Cursor<'_>, body: &Bytes) -> Option<Option<Bytes>> {
    let Some(len) = c.nullable_length()? else { return Some(None) };
    let start = c.position();
    c.skip(len)?;
    Some(Some(body.slice(start..start + len)))
}

fn headers(c: &mut Cursor<'_>, body: &Bytes) -> Result<Vec<(Str, Option<Bytes>)>, &'static str> {
    let count = c.varint().and_then(|n| usize::try_from(n).ok()).ok_or("bad header count")?;
    let mut headers = Vec::with_capacity(count.min(PREALLOCATED_HEADERS));
    for _ in 0..count {
        let len = c.length().ok_or("bad header key length")?;
        let start = c.position();
        c.skip(len).ok_or("header key is cut off")?;
        let name = Str::from_utf8(body.slice(start..start + len))
            .map_err(|_| "header key is not UTF-8")?;
        headers.push((name, nullable(c, body).ok_or("bad header value")?));
    }
    Ok(headers)
}

impl Iterator for RecordIter {
    type Item = Result<Record, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.count {
            return None;
        }
        let index = self.index;
        self.index += 1;
        Some(self.decode().map_err(|reason| {
            self.index = self.count;
            RecordsError::Record { index, reason }
        }))
    }
}
