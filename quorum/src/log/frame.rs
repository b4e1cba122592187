//! One command's records as bytes.
//!
//! ```text
//! 0   4  magic "VMF1" (the 1 is the version of this form)
//! 4   4  length of the payload, big endian
//! 8   4  CRC-32C of the first offset and the payload, big endian
//! 12  8  offset of the first record, big endian
//! 20  …  payload: a JSON array of records
//! ```

use super::LogError;

pub(super) const HEADER_BYTES: usize = 20;
const MAGIC: &[u8; 4] = b"VMF1";
/// Longest payload: bounds what a damaged length makes us look at.
const MAX_PAYLOAD_BYTES: usize = 512 * 1024 * 1024;

/// What stands at a place of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A whole frame.
    Frame { first_offset: u64, payload: &'a [u8] },
    /// Nothing more.
    End,
    /// No whole frame.
    Broken(&'static str),
}

/// Appends a frame to `out`.
pub(super) fn encode(out: &mut Vec<u8>, first_offset: u64, payload: &[u8]) -> Result<(), LogError> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(LogError::TooLarge(payload.len()));
    }
    out.extend(MAGIC);
    out.extend((payload.len() as u32).to_be_bytes());
    out.extend(checksum(first_offset, payload).to_be_bytes());
    out.extend(first_offset.to_be_bytes());
    out.extend(payload);
    Ok(())
}

/// Reads the frame at the beginning of `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Found<'_> {
    if bytes.is_empty() {
        return Found::End;
    }
    let Some((header, rest)) = bytes.split_at_checked(HEADER_BYTES) else {
        return Found::Broken("the file ends within a frame's header");
    };
    if header[..4] != MAGIC[..] {
        return Found::Broken("no frame begins here");
    }
    let word = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let (len, crc) = (word(4) as usize, word(8));
    let first_offset = (u64::from(word(12)) << 32) | u64::from(word(16));
    if len > MAX_PAYLOAD_BYTES {
        return Found::Broken("a frame's length is out of range");
    }
    match rest.get(..len) {
        None => Found::Broken("the file ends within a frame"),
        Some(payload) if checksum(first_offset, payload) != crc => {
            Found::Broken("a frame's checksum is wrong")
        }
        Some(payload) => Found::Frame { first_offset, payload },
    }
}

/// Whether a whole frame begins anywhere in `bytes`: then what is broken before it is not a torn tail.
pub(super) fn any_frame_in(bytes: &[u8]) -> bool {
    bytes
        .windows(MAGIC.len())
        .enumerate()
        .filter(|(_, window)| window == MAGIC)
        .any(|(at, _)| matches!(decode(&bytes[at..]), Found::Frame { .. }))
}

fn checksum(first_offset: u64, payload: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(&first_offset.to_be_bytes());
    digest.update(payload);
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_flipped_bit_is_noticed() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 7, b"[]").unwrap();
        assert_eq!(decode(&bytes), Found::Frame { first_offset: 7, payload: b"[]" });
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
        encode(&mut bytes, 0, b"[]").unwrap();
        assert!(any_frame_in(&bytes));
    }
}
