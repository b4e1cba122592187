//! Snappy as Java clients write it: a 16-byte header, then blocks of 4-byte length and raw snappy
//! (`org.xerial.snappy.SnappyOutputStream`). Some clients (librdkafka) send one raw block without the header.

use super::{Compression, RecordsError};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSION: u32 = 1;
const BLOCK_BYTES: usize = 32 * 1024;
const HEADER_BYTES: usize = 16;

pub(super) fn compress(data: &[u8], out: &mut Vec<u8>) -> Result<(), snap::Error> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in data.chunks(BLOCK_BYTES) {
        let length_at = out.len();
        let start = length_at + 4;
        out.resize(start + snap::raw::max_compress_len(block.len()), 0);
        let written = encoder.compress(block, &mut out[start..])?;
        out[length_at..start].copy_from_slice(&(written as u32).to_be_bytes());
        out.truncate(start + written);
    }
    Ok(())
}

pub(super) fn decompress(data: &[u8], limit: usize) -> Result<Vec<u8>, RecordsError> {
    let mut out = Vec::new();
    if !data.starts_with(&MAGIC) {
        block(data, limit, &mut out)?;
        return Ok(out);
    }
    let mut rest = data.get(HEADER_BYTES..).ok_or_else(|| failed("the header is cut off"))?;
    while !rest.is_empty() {
        let Some((len, tail)) = rest.split_first_chunk::<4>() else {
            return Err(failed("a block length is cut off"));
        };
        let Some((compressed, tail)) = tail.split_at_checked(u32::from_be_bytes(*len) as usize)
        else {
            return Err(failed("a block is cut off"));
        };
        block(compressed, limit, &mut out)?;
        rest = tail;
    }
    Ok(out)
}

fn block(compressed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), RecordsError> {
    // The length that the block claims is checked before anything is allocated for it. Snappy cannot
    // expand more than about 21 times (64 bytes for each 3), so a short block that claims much lies.
    let claimed = snap::raw::decompress_len(compressed).map_err(|e| failed(&e.to_string()))?;
    if out.len() + claimed > limit {
        return Err(RecordsError::TooLarge { limit });
    }
    if claimed > compressed.len().saturating_mul(32) {
        return Err(failed("a block claims to be longer than snappy can make it"));
    }
    let start = out.len();
    out.resize(start + claimed, 0);
    let written = snap::raw::Decoder::new()
        .decompress(compressed, &mut out[start..])
        .map_err(|e| failed(&e.to_string()))?;
    out.truncate(start + written);
    Ok(())
}

fn failed(reason: &str) -> RecordsError {
    RecordsError::Decompress { codec: Compression::Snappy, reason: reason.to_owned() }
}
