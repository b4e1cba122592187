//! Origins: what a record in a repartition topic descends from.
//!
//! Every record in a repartition topic carries the input record it was made of and its number among what was made of
//! it, in the header [`ORIGIN_HEADER`]. A task makes the same records of the same input every time (its steps are
//! functions of the record and of the state, and the state is put back to where the input is read from), and a
//! partition keeps their order; so whoever reads them may leave out what is not newer than the last one it saw of that
//! origin. Records that were sent twice, because the sender crashed before its commit, count once.

use crate::store::meta::{OriginOffset, OriginPartition};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol::Uuid;

/// Name of the header in repartition topics.
pub const ORIGIN_HEADER: &str = "vltava.origin";

/// The part of a topic's id that origins are told apart by.
pub(crate) fn topic_hash(id: Uuid) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = id.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

pub(crate) fn encode(origin: OriginPartition, at: OriginOffset) -> Bytes {
    let mut out = BytesMut::with_capacity(24);
    out.put_u64(origin.topic);
    out.put_i32(origin.partition);
    out.put_i64(at.offset);
    out.put_u32(at.index);
    out.freeze()
}

/// `None` for a header that this crate did not write.
pub(crate) fn decode(mut header: Bytes) -> Option<(OriginPartition, OriginOffset)> {
    let origin = OriginPartition {
        topic: header.try_get_u64().ok()?,
        partition: header.try_get_i32().ok()?,
    };
    let at = OriginOffset { offset: header.try_get_i64().ok()?, index: header.try_get_u32().ok()? };
    Some((origin, at))
}
