//! [`Decoder`]: reads the protocol's primitive types out of one frame.

use bytes::Bytes;

use crate::{Records, Str, Uuid};

/// Capacity that an array gets before its first element is read, at most. A longer array grows as its elements
/// prove to be there, so that a false count cannot make the decoder allocate.
const ARRAY_FIRST_CAPACITY_BYTES: usize = 256 * 1024;

/// Why bytes could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("{what} needs {needed} bytes but {remaining} remain")]
    NotEnough {
        /// What was being read.
        what: &'static str,
        /// Bytes that are needed for it.
        needed: usize,
        /// Bytes that were left.
        remaining: usize,
    },
    /// The bytes cannot be such a value.
    #[error("malformed {what}")]
    Malformed {
        /// What was being read, and what is wrong with it.
        what: &'static str,
    },
    /// This message has no such version.
    #[error("{message} has no version {version}")]
    UnsupportedVersion {
        /// Kafka's name of the message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
}

type Result<T> = std::result::Result<T, DecodeError>;

/// Reads primitive types from the front of a frame. After an error the position is unspecified.
#[derive(Debug, Clone)]
pub struct Decoder {
    bytes: Bytes,
    position: usize,
}

macro_rules! integers {
    ($($name:ident: $type:ty),*) => {$(
        #[doc = concat!("A big-endian `", stringify!($type), "`.")]
        #[inline]
        pub fn $name(&mut self) -> Result<$type> {
            const WIDTH: usize = size_of::<$type>();
            match self.bytes[self.position..].first_chunk::<WIDTH>() {
                Some(chunk) => {
                    self.position += WIDTH;
                    Ok(<$type>::from_be_bytes(*chunk))
                }
                None => Err(self.not_enough(stringify!($type), WIDTH)),
            }
        }
    )*};
}

impl Decoder {
    /// A decoder at the start of `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes not yet read.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The bytes not yet read, shared.
    pub fn rest(&self) -> Bytes {
        self.bytes.slice(self.position..)
    }

    #[cold]
    fn not_enough(&self, what: &'static str, needed: usize) -> DecodeError {
        DecodeError::NotEnough { what, needed, remaining: self.remaining() }
    }

    integers!(i8: i8, u8: u8, i16: i16, u16: u16, i32: i32, u32: u32, i64: i64, f64: f64);

    /// One byte; anything but 0 is true, as in Kafka.
    #[inline]
    pub fn bool(&mut self) -> Result<bool> {
        Ok(self.u8()? != 0)
    }

    /// 16 bytes.
    #[inline]
    pub fn uuid(&mut self) -> Result<Uuid> {
        match self.bytes[self.position..].first_chunk::<16>() {
            Some(chunk) => {
                self.position += 16;
                Ok(Uuid(*chunk))
            }
            None => Err(self.not_enough("uuid", 16)),
        }
    }

    /// An unsigned varint of at most 32 bits.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed { what: "varint: more than 32 bits" })
    }

    /// An unsigned varint of at most 64 bits.
    pub fn uvarlong(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed { what: "varlong: more than 64 bits" })
    }

    /// A zigzag varint.
    pub fn varint(&mut self) -> Result<i32> {
        let value = self.uvarint()?;
        Ok((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    /// A zigzag varlong.
    pub fn varlong(&mut self) -> Result<i64> {
        let value = self.uvarlong()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next `len` bytes, shared.
    #[inline]
    pub fn take(&mut self, what: &'static str, len: usize) -> Result<Bytes> {
        if len > self.remaining() {
            return Err(self.not_enough(what, len));
        }
        let start = self.position;
        self.position += len;
        Ok(self.bytes.slice(start..self.position))
    }

    /// A length or count: `None` is null. `compact` is the form of flexible versions.
    #[inline]
    fn len_i32(&mut self, what: &'static str, compact: bool) -> Result<Option<usize>> {
        if compact {
            return Ok((self.uvarint()? as usize).checked_sub(1));
        }
        match self.i32()? {
            -1 => Ok(None),
            len => usize::try_from(len).map(Some).map_err(|_| DecodeError::Malformed { what }),
        }
    }

    /// A string that may be null.
    #[inline]
    pub fn nullable_str(&mut self, compact: bool) -> Result<Option<Str>> {
        let len = if compact {
            (self.uvarint()? as usize).checked_sub(1)
        } else {
            match self.i16()? {
                -1 => None,
                len => Some(
                    usize::try_from(len)
                        .map_err(|_| DecodeError::Malformed { what: "string length" })?,
                ),
            }
        };
        let Some(len) = len else { return Ok(None) };
        let bytes = self.take("string", len)?;
        match Str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(DecodeError::Malformed { what: "string: not UTF-8" }),
        }
    }

    /// A string.
    #[inline]
    pub fn str(&mut self, compact: bool) -> Result<Str> {
        self.nullable_str(compact)?
            .ok_or(DecodeError::Malformed { what: "string: null is not allowed" })
    }

    /// Bytes that may be null.
    #[inline]
    pub fn nullable_bytes(&mut self, compact: bool) -> Result<Option<Bytes>> {
        match self.len_i32("bytes length", compact)? {
            Some(len) => self.take("bytes", len).map(Some),
            None => Ok(None),
        }
    }

    /// Bytes.
    #[inline]
    pub fn bytes(&mut self, compact: bool) -> Result<Bytes> {
        self.nullable_bytes(compact)?
            .ok_or(DecodeError::Malformed { what: "bytes: null is not allowed" })
    }

    /// Records of a response, that may be null.
    pub fn nullable_records(&mut self, compact: bool) -> Result<Records> {
        Ok(self.nullable_bytes(compact)?.into())
    }

    /// Records of a response.
    pub fn records(&mut self, compact: bool) -> Result<Records> {
        Ok(Records::Bytes(self.bytes(compact)?))
    }

    /// An array that may be null, of elements that take at least `element_min_bytes` each on the wire.
    #[inline]
    pub fn nullable_array<T>(
        &mut self,
        compact: bool,
        element_min_bytes: usize,
        mut element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(count) = self.len_i32("array length", compact)? else { return Ok(None) };
        let needed = count.saturating_mul(element_min_bytes.max(1));
        if needed > self.remaining() {
            return Err(self.not_enough("array", needed));
        }
        let first = ARRAY_FIRST_CAPACITY_BYTES / size_of::<T>().max(1);
        let mut array = Vec::with_capacity(count.min(first));
        for _ in 0..count {
            array.push(element(self)?);
        }
        Ok(Some(array))
    }

    /// An array; see [`Decoder::nullable_array`].
    #[inline]
    pub fn array<T>(
        &mut self,
        compact: bool,
        element_min_bytes: usize,
        element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.nullable_array(compact, element_min_bytes, element)?
            .ok_or(DecodeError::Malformed { what: "array: null is not allowed" })
    }

    /// The tagged fields that end a flexible struct (KIP-482). `known` reads the field with the given tag from a
    /// decoder over that field's bytes; fields that it does not know are skipped.
    #[inline]
    pub fn tagged_fields(
        &mut self,
        mut known: impl FnMut(u32, &mut Self) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let size = self.uvarint()? as usize;
            let field = self.take("tagged field", size)?;
            known(tag, &mut Self::new(field))?;
        }
        Ok(())
    }

    /// Reads over the tagged fields of a struct that knows none.
    #[inline]
    pub fn skip_tagged_fields(&mut self) -> Result<()> {
        for _ in 0..self.uvarint()? {
            self.uvarint()?;
            let size = self.uvarint()? as usize;
            if size > self.remaining() {
                return Err(self.not_enough("tagged field", size));
            }
            self.position += size;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Encoder;

    #[test]
    fn varints_round_trip_at_their_borders() {
        let mut e = Encoder::new();
        let longs = [0, -1, 1, 63, -64, 64, i64::from(i32::MAX), i64::MAX, i64::MIN];
        let ints = [0, -1, 1, 63, -64, 64, i32::MAX, i32::MIN];
        for value in longs {
            e.varlong(value);
        }
        for value in ints {
            e.varint(value);
        }
        e.uvarint(u32::MAX);
        let mut d = Decoder::new(e.finish_bytes().unwrap());
        for value in longs {
            assert_eq!(d.varlong(), Ok(value));
        }
        for value in ints {
            assert_eq!(d.varint(), Ok(value));
        }
        assert_eq!(d.uvarint(), Ok(u32::MAX));
        assert_eq!(d.remaining(), 0);
    }

    #[test]
    fn overlong_varints_are_malformed() {
        let mut d = Decoder::new(Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x1f]));
        assert!(matches!(d.uvarint(), Err(DecodeError::Malformed { .. })));
        let mut d = Decoder::new(Bytes::from_static(&[0xff; 11]));
        assert!(matches!(d.uvarlong(), Err(DecodeError::Malformed { .. })));
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused_before_allocation() {
        let mut d = Decoder::new(Bytes::from_static(b"\x7f\xff\xff\xff\x00\x00"));
        let array = d.array(false, 1, Decoder::i8);
        assert_eq!(
            array,
            Err(DecodeError::NotEnough { what: "array", needed: 0x7fff_ffff, remaining: 2 })
        );
    }

    #[test]
    fn negative_lengths_other_than_null_are_malformed() {
        let mut d = Decoder::new(Bytes::from_static(b"\xff\xfe"));
        assert!(matches!(d.nullable_str(false), Err(DecodeError::Malformed { .. })));
        let mut d = Decoder::new(Bytes::from_static(b"\xff\xff\xff\xfe"));
        assert!(matches!(d.nullable_bytes(false), Err(DecodeError::Malformed { .. })));
    }
}
