//! [`Encoder`]: writes the protocol's primitive types into a list of segments.

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Records, Segment, Str, Uuid};

/// Bytes fields and records from this length on become a segment of their own instead of being copied.
pub const ZERO_COPY_FROM_BYTES: usize = 4096;

/// First capacity of an encoder's buffer; most messages fit.
const FIRST_CAPACITY_BYTES: usize = 512;

/// Why a value could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// This message has no such version.
    #[error("{message} has no version {version}")]
    UnsupportedVersion {
        /// Kafka's name of the message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// The field is set, but this version of the message has no place for it.
    #[error("version {version} of {message} cannot carry {field}")]
    UnsupportedField {
        /// Kafka's name of the struct.
        message: &'static str,
        /// Kafka's name of the field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// The field is null, which this version of the message does not allow.
    #[error("version {version} of {message} cannot carry null as {field}")]
    Null {
        /// Kafka's name of the struct.
        message: &'static str,
        /// Kafka's name of the field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A part is in a file, and one piece of memory was asked for.
    #[error("a message with a part in a file cannot be made one piece of memory")]
    File,
    /// Longer than the protocol's length fields can say.
    #[error("{what} of {len} bytes or elements is too long for the protocol")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length.
        len: usize,
    },
}

type Result<T> = std::result::Result<T, EncodeError>;

/// Collects an encoded message. Large bytes fields and records are shared, not copied.
#[derive(Debug, Default)]
pub struct Encoder {
    /// The first buffer stays open, so that a frame's length can be written into it at the end.
    head: Option<BytesMut>,
    done: Vec<Segment>,
    buffer: BytesMut,
    /// Nesting depth of tagged fields: their size stands before them, so they must stay in one buffer.
    tagged_depth: u32,
}

macro_rules! integers {
    ($($name:ident: $type:ty),*) => {$(
        #[doc = concat!("A big-endian `", stringify!($type), "`.")]
        #[inline]
        pub fn $name(&mut self, value: $type) {
            self.buffer.extend_from_slice(&value.to_be_bytes());
        }
    )*};
}

impl Encoder {
    /// An empty encoder.
    pub fn new() -> Self {
        Self::with_capacity(FIRST_CAPACITY_BYTES)
    }

    /// An empty encoder whose buffer holds `bytes` before it grows.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { buffer: BytesMut::with_capacity(bytes), ..Self::default() }
    }

    integers!(i8: i8, i16: i16, u16: u16, i32: i32, u32: u32, i64: i64, f64: f64);

    /// One byte.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.i8(i8::from(value));
    }

    /// 16 bytes.
    #[inline]
    pub fn uuid(&mut self, value: Uuid) {
        self.buffer.extend_from_slice(&value.0);
    }

    /// An unsigned varint.
    #[inline]
    pub fn uvarint(&mut self, value: u32) {
        self.uvarlong(u64::from(value));
    }

    /// An unsigned varlong.
    #[inline]
    pub fn uvarlong(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.buffer.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8(value as u8);
    }

    /// A zigzag varint.
    pub fn varint(&mut self, value: i32) {
        self.uvarint((value << 1) as u32 ^ (value >> 31) as u32);
    }

    /// A zigzag varlong.
    pub fn varlong(&mut self, value: i64) {
        self.uvarlong((value << 1) as u64 ^ (value >> 63) as u64);
    }

    /// Bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// A 32-bit length or count; the compact form is one more, as a varint.
    #[inline]
    fn len_i32(&mut self, what: &'static str, len: usize, compact: bool) -> Result<()> {
        let Ok(short) = i32::try_from(len) else { return Err(EncodeError::TooLong { what, len }) };
        if compact {
            self.uvarint(short as u32 + 1);
        } else {
            self.i32(short);
        }
        Ok(())
    }

    /// A null array, or null bytes.
    #[inline]
    pub fn null_array(&mut self, compact: bool) {
        if compact { self.uvarint(0) } else { self.i32(-1) }
    }

    /// The count that stands before an array's elements.
    #[inline]
    pub fn array_len(&mut self, len: usize, compact: bool) -> Result<()> {
        self.len_i32("array", len, compact)
    }

    /// A string.
    #[inline]
    pub fn str(&mut self, text: &str, compact: bool) -> Result<()> {
        let Ok(len) = i16::try_from(text.len()) else {
            return Err(EncodeError::TooLong { what: "string", len: text.len() });
        };
        if compact {
            self.uvarint(len as u32 + 1);
        } else {
            self.i16(len);
        }
        self.buffer.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// A string that may be null.
    #[inline]
    pub fn nullable_str(&mut self, text: Option<&Str>, compact: bool) -> Result<()> {
        match text {
            Some(text) => self.str(text, compact)?,
            None if compact => self.uvarint(0),
            None => self.i16(-1),
        }
        Ok(())
    }

    /// Bytes.
    pub fn bytes(&mut self, bytes: &Bytes, compact: bool) -> Result<()> {
        self.len_i32("bytes", bytes.len(), compact)?;
        self.shared(bytes);
        Ok(())
    }

    /// Bytes that may be null.
    pub fn nullable_bytes(&mut self, bytes: Option<&Bytes>, compact: bool) -> Result<()> {
        match bytes {
            Some(bytes) => self.bytes(bytes, compact)?,
            None => self.null_array(compact),
        }
        Ok(())
    }

    /// Records of a response, that may be null.
    pub fn nullable_records(&mut self, records: &Records, compact: bool) -> Result<()> {
        match records {
            Records::Null => self.null_array(compact),
            Records::Bytes(bytes) => self.bytes(bytes, compact)?,
            Records::Segments(segments) => {
                self.len_i32("records", records.len(), compact)?;
                for segment in segments {
                    match segment {
                        Segment::Bytes(bytes) => self.shared(bytes),
                        Segment::File(_) => {
                            self.close_buffer();
                            self.done.push(segment.clone());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Content that is copied when small and shared when large.
    fn shared(&mut self, bytes: &Bytes) {
        if bytes.len() < ZERO_COPY_FROM_BYTES || self.tagged_depth > 0 {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.close_buffer();
            self.done.push(Segment::Bytes(bytes.clone()));
        }
    }

    fn close_buffer(&mut self) {
        if self.head.is_none() {
            self.head = Some(self.buffer.split());
        } else if !self.buffer.is_empty() {
            self.done.push(Segment::Bytes(self.buffer.split().freeze()));
        }
    }

    /// One tagged field: its tag, its size, and what `value` writes (no file segments).
    pub fn tagged_field(
        &mut self,
        tag: u32,
        value: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.uvarint(tag);
        let start = self.buffer.len();
        self.tagged_depth += 1;
        let result = value(self);
        self.tagged_depth -= 1;
        result?;
        // The size stands before the value and its own width depends on it: write it behind, then rotate.
        let end = self.buffer.len();
        let size = end - start;
        let Ok(size) = u32::try_from(size) else {
            return Err(EncodeError::TooLong { what: "tagged field", len: size });
        };
        self.uvarint(size);
        let width = self.buffer.len() - end;
        self.buffer[start..].rotate_right(width);
        Ok(())
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.head.as_ref().map_or(0, BytesMut::len)
            + self.done.iter().map(Segment::len).sum::<usize>()
            + self.buffer.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The encoded message.
    pub fn finish(mut self) -> Vec<Segment> {
        self.close_buffer();
        let mut segments = Vec::with_capacity(1 + self.done.len());
        segments.extend(self.head.map(|head| Segment::Bytes(head.freeze())));
        segments.append(&mut self.done);
        segments
    }

    /// The encoded message with its length, 4 bytes for which were written first (by `i32`).
    pub(crate) fn finish_frame(mut self) -> Result<Vec<Segment>> {
        let len = self.len() - size_of::<i32>();
        let Ok(short) = i32::try_from(len) else {
            return Err(EncodeError::TooLong { what: "frame", len });
        };
        let first = self.head.as_mut().unwrap_or(&mut self.buffer);
        first[..size_of::<i32>()].copy_from_slice(&short.to_be_bytes());
        Ok(self.finish())
    }

    /// The encoded message as one piece.
    ///
    /// # Errors
    /// When a file segment was written: only responses that carry [`Records::Segments`] have one.
    pub fn finish_bytes(self) -> Result<Bytes> {
        join(self.finish())
    }
}

/// One piece out of segments in memory.
pub(crate) fn join(mut segments: Vec<Segment>) -> Result<Bytes> {
    if segments.len() == 1
        && let Some(Segment::Bytes(bytes)) = segments.pop_if(|s| matches!(s, Segment::Bytes(_)))
    {
        return Ok(bytes);
    }
    let mut all = BytesMut::with_capacity(segments.iter().map(Segment::len).sum());
    for segment in segments {
        match segment {
            Segment::Bytes(bytes) => all.extend_from_slice(&bytes),
            Segment::File(_) => return Err(EncodeError::File),
        }
    }
    Ok(all.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bytes_are_shared_and_the_length_is_right() {
        let large = Bytes::from(vec![7; ZERO_COPY_FROM_BYTES]);
        let mut e = Encoder::new();
        e.i32(0);
        e.i16(3);
        e.bytes(&large, false).unwrap();
        e.i8(1);
        let segments = e.finish_frame().unwrap();
        assert_eq!(segments.len(), 3);
        let Segment::Bytes(shared) = &segments[1] else { panic!("bytes are expected") };
        assert_eq!(shared.as_ptr(), large.as_ptr());
        let Segment::Bytes(head) = &segments[0] else { panic!("bytes are expected") };
        let len = i32::from_be_bytes(head[..4].try_into().unwrap());
        assert_eq!(len as usize, 2 + 4 + large.len() + 1);
    }

    #[test]
    fn a_tagged_field_is_preceded_by_its_size() {
        let mut e = Encoder::new();
        e.tagged_field(5, |e| {
            e.raw(&[9; 200]);
            Ok(())
        })
        .unwrap();
        let bytes = e.finish_bytes().unwrap();
        assert_eq!(bytes[..3], [5, 0xc8, 0x01]);
        assert!(bytes[3..].iter().all(|b| *b == 9) && bytes.len() == 203);
    }

    #[test]
    fn too_long_a_string_is_an_error() {
        let text = "x".repeat(40_000);
        assert_eq!(
            Encoder::new().str(&text, true),
            Err(EncodeError::TooLong { what: "string", len: 40_000 })
        );
    }
}
