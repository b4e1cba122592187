//! One command's records as bytes.
//!
//! ```text
//! 0   4  magic "VMF2" (the 2 is the version of this form)
//! 4   4  length of the payload, big endian
//! 8   4  CRC-32C of everything that follows, big endian
//! 12  8  offset of the first record, big endian
//! 20  4  epoch of the leader that wrote it, big endian
//! 24  …  payload: a JSON array of records
//! ```
//!
//! "VMF1", from before there was a quorum, has no epoch (it counts as 0) and is still read.

use super::LogError;

const MAGIC_1: &[u8; 4] = b"VMF1";
const MAGIC: &[u8; 4] = b"VMF2";
/// Up to and with the checksum.
const HEAD_BYTES: usize = 12;
/// Longest payload: bounds what a damaged length makes us look at.
const MAX_PAYLOAD_BYTES: usize = 512 * 1024 * 1024;

/// What stands at a place of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A whole frame; `len` is that of all its bytes.
    Frame { first_offset: u64, epoch: i32, payload: &'a [u8], len: usize },
    /// Nothing more.
    End,
    /// No whole frame.
    Broken(&'static str),
}

/// Appends a frame to `out`.
pub(super) fn encode(
    out: &mut Vec<u8>,
    first_offset: u64,
    epoch: i32,
    payload: &[u8],
) -> Result<(), LogError> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(LogError::TooLarge(payload.len()));
    }
    let (offset, epoch) = (first_offset.to_be_bytes(), epoch.to_be_bytes());
    out.extend(MAGIC);
    out.extend((payload.len() as u32).to_be_bytes());
    out.extend(checksum(&[&offset, &epoch, payload]).to_be_bytes());
    out.extend(offset);
    out.extend(epoch);
    out.extend(payload);
    Ok(())
}

/// Reads the frame at the beginning of `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Found<'_> {
    if bytes.is_empty() {
        return Found::End;
    }
    match parts(bytes) {
        Err(why) => Found::Broken(why),
        Ok((first_offset, epoch, payload, len)) => {
            Found::Frame { first_offset, epoch, payload, len }
        }
    }
}

fn parts(bytes: &[u8]) -> Result<(u64, i32, &[u8], usize), &'static str> {
    const EARLY: &str = "the file ends within a frame's header";
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES).ok_or(EARLY)?;
    let fields = match &head[..4] {
        magic if magic == MAGIC => 12,
        magic if magic == MAGIC_1 => 8,
        _ => return Err("no frame begins here"),
    };
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (len, crc) = (word(4) as usize, word(8));
    if len > MAX_PAYLOAD_BYTES {
        return Err("a frame's length is out of range");
    }
    let (fields, rest) = rest.split_at_checked(fields).ok_or(EARLY)?;
    let payload = rest.get(..len).ok_or("the file ends within a frame")?;
    if checksum(&[fields, payload]) != crc {
        return Err("a frame's checksum is wrong");
    }
    let (offset, epoch) = fields.split_first_chunk::<8>().ok_or(EARLY)?;
    let epoch = epoch.first_chunk::<4>().map_or(0, |epoch| i32::from_be_bytes(*epoch));
    if epoch < 0 {
        return Err("a frame's epoch is negative");
    }
    let whole = HEAD_BYTES + fields.len() + len;
    Ok((u64::from_be_bytes(*offset), epoch, payload, whole))
}

/// Whether a whole frame begins anywhere in `bytes`: then what is broken before it is not a torn tail.
pub(super) fn any_frame_in(bytes: &[u8]) -> bool {
    bytes
        .windows(MAGIC.len())
        .enumerate()
        .filter(|(_, window)| window == MAGIC || window == MAGIC_1)
        .any(|(at, _)| matches!(decode(&bytes[at..]), Found::Frame { .. }))
}

fn checksum(parts: &[&[u8]]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    for part in parts {
        digest.update(part);
    }
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_flipped_bit_is_noticed() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 7, 3, b"[]").unwrap();
        assert_eq!(
            decode(&bytes),
            Found::Frame { first_offset: 7, epoch: 3, payload: b"[]", len: 26 }
        );
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(&damaged), Found::Broken(_)), "bit {bit}");
        }
        for len in 1..bytes.len() {
            assert!(matches!(decode(&bytes[..len]), Found::Broken(_)), "{len} bytes");
        }
        assert_eq!(decode(&[]), Found::End);
    }

    #[test]
    fn finds_a_frame_behind_damage() {
        let mut bytes = b"VMF1 is no frame".to_vec();
        assert!(!any_frame_in(&bytes));
        encode(&mut bytes, 0, 0, b"[]").unwrap();
        assert!(any_frame_in(&bytes));
    }

    /// What data folders of the first version hold.
    #[test]
    fn the_first_version_is_read_as_epoch_0() {
        let mut fields = 7_u64.to_be_bytes().to_vec();
        fields.extend(b"[]");
        let mut bytes = b"VMF1".to_vec();
        bytes.extend(2_u32.to_be_bytes());
        bytes.extend(checksum(&[&fields]).to_be_bytes());
        bytes.extend(&fields);
        let found = Found::Frame { first_offset: 7, epoch: 0, payload: b"[]", len: 22 };
        assert_eq!(decode(&bytes), found);
        assert!(any_frame_in(&bytes));
    }
}
