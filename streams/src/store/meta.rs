//! What a commit says of itself: which commit it is and which input it includes.
//!
//! It is written twice: into the changelog, with the last record of the commit, and into every store's keyspace, in
//! the same batch as the state. Wherever the state comes from, it therefore knows the input that it includes.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol::{Str, Uuid};
use std::collections::BTreeMap;

/// Version of the encoding, in front of it.
const VERSION: u8 = 1;
const POSITION_MIN_BYTES: usize = 2 + 16 + 4 + 8;
const ORIGIN_BYTES: usize = 8 + 4 + 8 + 4;

/// The next input record of a partition. The id tells a topic from one of the same name that was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub topic_id: Uuid,
    pub next: i64,
}

/// A partition that records in a repartition topic descend from: the first 8 bytes of the topic's id, and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OriginPartition {
    pub topic: u64,
    pub partition: i32,
}

/// A record's place among the descendants of its origin partition: the offset it descends from, and its number among
/// those of that offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OriginOffset {
    pub offset: i64,
    pub index: u32,
}

/// How far a task is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Progress {
    /// Number of the commit, counting up over all incarnations of the task.
    pub commit: u64,
    /// Random, one a task incarnation: tells two attempts at the same commit apart.
    pub incarnation: u64,
    pub positions: BTreeMap<(Str, i32), Position>,
    /// The last record seen of each origin: what comes again is left out.
    pub origins: BTreeMap<OriginPartition, OriginOffset>,
}

/// A store's metadata.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreMeta {
    pub changelog_id: Uuid,
    /// The next changelog record that the store does not include.
    pub changelog_next: i64,
    pub progress: Progress,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum MetaError {
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it ends early")]
    NotEnough,
    #[error("its version {0} is unknown")]
    Version(u8),
    #[error("it is not UTF-8")]
    Utf8,
}

impl Progress {
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        out.put_u8(VERSION);
        out.put_u64(self.commit);
        out.put_u64(self.incarnation);
        out.put_u32(u32::try_from(self.positions.len()).unwrap_or(u32::MAX));
        for ((topic, partition), position) in &self.positions {
            put_text(out, topic);
            out.put_i32(*partition);
            out.put_slice(&position.topic_id.0);
            out.put_i64(position.next);
        }
        out.put_u32(u32::try_from(self.origins.len()).unwrap_or(u32::MAX));
        for (origin, seen) in &self.origins {
            out.put_u64(origin.topic);
            out.put_i32(origin.partition);
            out.put_i64(seen.offset);
            out.put_u32(seen.index);
        }
    }

    pub(crate) fn decode(input: &mut Bytes) -> Result<Progress, MetaError> {
        let version = input.try_get_u8().map_err(|_| MetaError::NotEnough)?;
        if version != VERSION {
            return Err(MetaError::Version(version));
        }
        let mut progress = Progress {
            commit: input.try_get_u64().map_err(|_| MetaError::NotEnough)?,
            incarnation: input.try_get_u64().map_err(|_| MetaError::NotEnough)?,
            ..Progress::default()
        };
        for _ in 0..count(input, POSITION_MIN_BYTES)? {
            let topic = get_text(input)?;
            let partition = input.try_get_i32().map_err(|_| MetaError::NotEnough)?;
            let mut id = [0; 16];
            input.try_copy_to_slice(&mut id).map_err(|_| MetaError::NotEnough)?;
            let next = input.try_get_i64().map_err(|_| MetaError::NotEnough)?;
            let position = Position { topic_id: Uuid(id), next };
            progress.positions.insert((topic, partition), position);
        }
        for _ in 0..count(input, ORIGIN_BYTES)? {
            let origin = OriginPartition {
                topic: input.try_get_u64().map_err(|_| MetaError::NotEnough)?,
                partition: input.try_get_i32().map_err(|_| MetaError::NotEnough)?,
            };
            let seen = OriginOffset {
                offset: input.try_get_i64().map_err(|_| MetaError::NotEnough)?,
                index: input.try_get_u32().map_err(|_| MetaError::NotEnough)?,
            };
            progress.origins.insert(origin, seen);
        }
        Ok(progress)
    }
}

/// A count that the remaining bytes can hold.
fn count(input: &mut Bytes, each: usize) -> Result<usize, MetaError> {
    let count = input.try_get_u32().map_err(|_| MetaError::NotEnough)? as usize;
    if count.saturating_mul(each) > input.remaining() {
        return Err(MetaError::NotEnough);
    }
    Ok(count)
}

pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    out.put_u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
    out.put_slice(text.as_bytes());
}

pub(super) fn get_text(input: &mut Bytes) -> Result<Str, MetaError> {
    let length = usize::from(input.try_get_u16().map_err(|_| MetaError::NotEnough)?);
    if length > input.remaining() {
        return Err(MetaError::NotEnough);
    }
    let bytes = Bytes::copy_from_slice(&input.split_to(length));
    Str::from_utf8(bytes).map_err(|_| MetaError::Utf8)
}

impl StoreMeta {
    pub(crate) fn encode(&self) -> Bytes {
        let mut body = BytesMut::new();
        body.put_slice(&self.changelog_id.0);
        body.put_i64(self.changelog_next);
        self.progress.encode(&mut body);
        let mut out = BytesMut::with_capacity(body.len() + 4);
        out.put_u32(checksum(&body));
        out.put_slice(&body);
        out.freeze()
    }

    pub(crate) fn decode(mut input: Bytes) -> Result<StoreMeta, MetaError> {
        let expected = input.try_get_u32().map_err(|_| MetaError::NotEnough)?;
        if checksum(&input) != expected {
            return Err(MetaError::Checksum);
        }
        let mut id = [0; 16];
        input.try_copy_to_slice(&mut id).map_err(|_| MetaError::NotEnough)?;
        let changelog_next = input.try_get_i64().map_err(|_| MetaError::NotEnough)?;
        let progress = Progress::decode(&mut input)?;
        Ok(StoreMeta { changelog_id: Uuid(id), changelog_next, progress })
    }
}

/// CRC-32C.
fn checksum(bytes: &[u8]) -> u32 {
    u32::try_from(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> StoreMeta {
        let mut progress = Progress { commit: 7, incarnation: 42, ..Progress::default() };
        let position = Position { topic_id: Uuid([3; 16]), next: 11 };
        progress.positions.insert((Str::from("lines"), 2), position);
        progress.origins.insert(
            OriginPartition { topic: 5, partition: 1 },
            OriginOffset { offset: 9, index: 3 },
        );
        StoreMeta { changelog_id: Uuid([1; 16]), changelog_next: 99, progress }
    }

    #[test]
    fn it_reads_what_it_wrote() {
        assert_eq!(StoreMeta::decode(meta().encode()), Ok(meta()));
    }

    #[test]
    fn a_changed_byte_is_noticed_wherever_it_is() {
        let bytes = meta().encode();
        for i in 0..bytes.len() {
            let mut broken = bytes.to_vec();
            broken[i] ^= 0x40;
            assert_eq!(StoreMeta::decode(broken.into()), Err(MetaError::Checksum), "byte {i}");
            assert!(StoreMeta::decode(bytes.slice(..i)).is_err(), "cut at {i}");
        }
    }

    #[test]
    fn a_progress_from_the_network_may_be_anything() {
        let mut whole = BytesMut::new();
        meta().progress.encode(&mut whole);
        for i in 0..whole.len() {
            assert!(Progress::decode(&mut whole.clone().freeze().slice(..i)).is_err());
        }
        let mut huge = BytesMut::new();
        huge.put_u8(VERSION);
        huge.put_slice(&[0; 16]);
        huge.put_u32(u32::MAX);
        assert_eq!(Progress::decode(&mut huge.freeze()), Err(MetaError::NotEnough));
    }
}
