use thiserror::Error;

use super::Compression;

/// Why bytes are not a record batch, or its records not records.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordsError {
    /// The bytes end before the batch does.
    #[error("a batch of {needed} bytes ends after {have}")]
    NotEnough {
        /// Bytes that the batch needs.
        needed: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// `magic` is not 2.
    #[error("record format version (magic) {0} is not supported, only 2 is")]
    Magic(i8),
    /// The header contradicts itself.
    #[error("malformed batch header: {0}")]
    Header(&'static str),
    /// The stored CRC-32C is not the computed one.
    #[error("CRC-32C {computed:#010x} of the batch is not the stored {stored:#010x}")]
    Crc {
        /// From the header.
        stored: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// Bits 0 to 2 of the attributes name no codec.
    #[error("unknown compression codec {0}")]
    UnknownCompression(i16),
    /// The compressed bytes cannot be read.
    #[error("{codec} data cannot be decompressed: {reason}")]
    Decompress {
        /// The codec.
        codec: Compression,
        /// What its decoder says.
        reason: String,
    },
    /// The batch decompresses to more than is allowed.
    #[error("a batch decompresses to more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A record contradicts itself or the header.
    #[error("malformed record {index}: {reason}")]
    Record {
        /// Index in the batch, from 0.
        index: i32,
        /// What is wrong.
        reason: &'static str,
    },
    /// A key, value or header longer than the format can say.
    #[error("a record of more than 2 GiB cannot be written")]
    Unwritable,
}
