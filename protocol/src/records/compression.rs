use std::fmt;
use std::io::{Read, Write};

use bytes::Bytes;

use super::{RecordsError, snappy};

const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// The codec of a batch's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy: written in the framing of Java's snappy (xerial), read in that or raw.
    Snappy,
    /// LZ4 frames with independent blocks.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// From bits 0 to 2 of a batch's attributes.
    ///
    /// # Errors
    /// [`RecordsError::UnknownCompression`] for codes past 4.
    pub fn from_code(code: i16) -> Result<Self, RecordsError> {
        match code {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            other => Err(RecordsError::UnknownCompression(other)),
        }
    }

    /// Bits 0 to 2 of a batch's attributes.
    pub fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The name in `compression.type`: `none` (`uncompressed` on a topic), `gzip`, `snappy`, `lz4`, `zstd`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// From a `compression.type`; `producer` and unknown names give `None`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "none" | "uncompressed" => Some(Self::None),
            "gzip" => Some(Self::Gzip),
            "snappy" => Some(Self::Snappy),
            "lz4" => Some(Self::Lz4),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Appends `data`, compressed, to `out`.
    pub(super) fn compress(self, data: &[u8], out: &mut Vec<u8>) -> Result<(), RecordsError> {
        let failed = |e: &dyn fmt::Display| self.failed(e);
        match self {
            Self::None => out.extend_from_slice(data),
            Self::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                let mut encoder = flate2::write::GzEncoder::new(out, level);
                encoder.write_all(data).map_err(|e| failed(&e))?;
                encoder.finish().map_err(|e| failed(&e))?;
            }
            Self::Snappy => snappy::compress(data, out).map_err(|e| failed(&e))?,
            Self::Lz4 => {
                // Java reads independent blocks only.
                let info = lz4_flex::frame::FrameInfo::new()
                    .block_size(lz4_flex::frame::BlockSize::Max64KB)
                    .block_mode(lz4_flex::frame::BlockMode::Independent);
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, out);
                encoder.write_all(data).map_err(|e| failed(&e))?;
                encoder.finish().map_err(|e| failed(&e))?;
            }
            Self::Zstd => {
                zstd::stream::copy_encode(data, out, ZSTD_LEVEL).map_err(|e| failed(&e))?;
            }
        }
        Ok(())
    }

    /// Decompresses to at most `limit` bytes; uncompressed data comes back as it is, without a copy.
    ///
    /// # Errors
    /// [`RecordsError::Decompress`] for broken data, [`RecordsError::TooLarge`] past the limit.
    pub fn decompress(self, data: &Bytes, limit: usize) -> Result<Bytes, RecordsError> {
        if self == Self::None {
            return Ok(data.clone());
        }
        self.decompress_slice(data, limit).map(Bytes::from)
    }

    fn decompress_slice(self, data: &[u8], limit: usize) -> Result<Vec<u8>, RecordsError> {
        match self {
            Self::None => Ok(data.to_vec()),
            Self::Gzip => self.read_all(flate2::read::MultiGzDecoder::new(data), limit),
            Self::Snappy => snappy::decompress(data, limit),
            Self::Lz4 => self.read_all(lz4_flex::frame::FrameDecoder::new(data), limit),
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(data);
                self.read_all(decoder.map_err(|e| self.failed(&e))?, limit)
            }
        }
    }

    fn read_all(self, reader: impl Read, limit: usize) -> Result<Vec<u8>, RecordsError> {
        let mut out = Vec::new();
        let mut capped = reader.take(limit as u64 + 1);
        capped.read_to_end(&mut out).map_err(|e| self.failed(&e))?;
        if out.len() > limit {
            return Err(RecordsError::TooLarge { limit });
        }
        Ok(out)
    }

    fn failed(self, reason: &dyn fmt::Display) -> RecordsError {
        RecordsError::Decompress { codec: self, reason: reason.to_string() }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
