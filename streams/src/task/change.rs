//! A table's change on its way through a repartition topic: old and new value in one record value, as Kafka Streams'
//! `ChangedSerializer` writes them (KIP-904). The last byte says what is there: 0 the old value, 1 the new one, 2 both
//! (the new one's length in front, as a zig-zag varint).

use crate::{Serde, SerdeError, Value};
use bytes::{Buf, BufMut, Bytes, BytesMut};

const OLD: u8 = 0;
const NEW: u8 = 1;
const BOTH: u8 = 2;
/// Of a 32-bit varint.
const MAX_VARINT_BYTES: usize = 5;

#[derive(Debug, thiserror::Error, PartialEq)]
pub(crate) enum ChangeError {
    #[error("not a table's change: {0}")]
    Malformed(&'static str),
    #[error(transparent)]
    Serde(#[from] SerdeError),
}

/// `None` when there is neither: nothing changed.
pub(crate) fn write(serde: Serde, old: &Value, new: &Value) -> Result<Option<Bytes>, SerdeError> {
    let (old, new) = (serde.write(old)?, serde.write(new)?);
    let mut out = BytesMut::new();
    match (old, new) {
        (None, None) => return Ok(None),
        (Some(old), None) => {
            out.put_slice(&old);
            out.put_u8(OLD);
        }
        (None, Some(new)) => {
            out.put_slice(&new);
            out.put_u8(NEW);
        }
        (Some(old), Some(new)) => {
            put_varint(&mut out, new.len());
            out.put_slice(&new);
            out.put_slice(&old);
            out.put_u8(BOTH);
        }
    }
    Ok(Some(out.freeze()))
}

/// The old and the new value.
pub(crate) fn read(serde: Serde, bytes: &Bytes) -> Result<(Value, Value), ChangeError> {
    let mut body = bytes.clone();
    let Some(flag) = body.last().copied() else {
        return Err(ChangeError::Malformed("it is empty"));
    };
    body.truncate(body.len() - 1);
    match flag {
        OLD => Ok((serde.read(Some(&body))?, Value::Null)),
        NEW => Ok((Value::Null, serde.read(Some(&body))?)),
        BOTH => {
            let length = get_varint(&mut body)?;
            if length > body.len() {
                return Err(ChangeError::Malformed("it ends early"));
            }
            let new = body.split_to(length);
            Ok((serde.read(Some(&body))?, serde.read(Some(&new))?))
        }
        _ => Err(ChangeError::Malformed("its last byte is unknown")),
    }
}

fn put_varint(out: &mut BytesMut, length: usize) {
    let mut rest = (length as u64) << 1;
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

fn get_varint(input: &mut Bytes) -> Result<usize, ChangeError> {
    let mut value = 0_u64;
    for i in 0..MAX_VARINT_BYTES {
        let byte = input.try_get_u8().map_err(|_| ChangeError::Malformed("it ends early"))?;
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return usize::try_from(value >> 1)
                .map_err(|_| ChangeError::Malformed("its length is too large"));
        }
    }
    Err(ChangeError::Malformed("its length is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_written_as_kafka_does() {
        let (a, b) = (Value::text("asia"), Value::text("europe"));
        let both = write(Serde::String, &a, &b).unwrap().unwrap();
        assert_eq!(both.as_ref(), b"\x0ceuropeasia\x02");
        assert_eq!(write(Serde::String, &a, &Value::Null).unwrap().unwrap().as_ref(), b"asia\x00");
        assert_eq!(
            write(Serde::String, &Value::Null, &b).unwrap().unwrap().as_ref(),
            b"europe\x01"
        );
        assert_eq!(write(Serde::String, &Value::Null, &Value::Null), Ok(None));
        assert_eq!(read(Serde::String, &both), Ok((a, b)));
    }

    #[test]
    fn anything_may_come_back_from_the_topic() {
        let long = write(Serde::String, &Value::text("x"), &Value::from("y".repeat(5000)));
        let long = long.unwrap().unwrap();
        assert!(read(Serde::String, &long).is_ok());
        for bytes in [&b""[..], b"\x02", b"\x09", b"\xff\xff\xff\xff\xff\x02", b"\x0aab\x02"] {
            let bytes = Bytes::copy_from_slice(bytes);
            assert!(read(Serde::String, &bytes).is_err(), "{bytes:?}");
        }
    }
}
