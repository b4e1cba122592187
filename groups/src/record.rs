//! Kafka's records in `__consumer_offsets`: keys begin with the record's type, values with their version.

use bytes::Bytes;
use protocol::messages::group_metadata_value::MemberMetadata;
use protocol::messages::{
    GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue,
};
use protocol::{DecodeError, Decoder, EncodeError, Encoder, Message, Str};

use crate::machine::{Group, Member};
use crate::offsets::CommittedOffset;

/// The first version of OffsetCommitKey in Kafka 0.8; same fields.
const LEGACY_OFFSET_KEY: i16 = 0;
const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;
/// The newest versions that every tool since Kafka 2.1 reads (the next ones are flexible).
const OFFSET_VALUE_VERSION: i16 = 3;
/// The first that can name a topic's id, in a tagged field: Kafka from 3.5 on reads it (KIP-915).
const OFFSET_VALUE_WITH_ID_VERSION: i16 = 4;
const GROUP_VALUE_VERSION: i16 = 3;
/// The only version that says when the client wants an offset forgotten.
const EXPIRING_OFFSET_VALUE_VERSION: i16 = 1;

/// A key and a value; no value is a tombstone.
pub type KeyValue = (Bytes, Option<Bytes>);

/// What a record says.
#[derive(Debug, PartialEq)]
pub enum Entry {
    /// An offset was committed, or forgotten.
    Offset { group: Str, topic: Str, partition: i32, committed: Option<CommittedOffset> },
    /// A group is like that now, or gone.
    Group { group: Str, value: Option<GroupMetadataValue> },
    /// A kind of record that classic groups do not need (of KIP-848 and share groups).
    Other(i16),
}

/// Reads a record.
pub fn decode(key: &Bytes, value: Option<&Bytes>, log_offset: i64) -> Result<Entry, DecodeError> {
    let mut d = Decoder::new(key.clone());
    match d.i16()? {
        LEGACY_OFFSET_KEY | OFFSET_KEY => {
            let key = OffsetCommitKey::decode(&mut d, 0)?;
            let committed = value.map(|v| decode_offset(v, log_offset)).transpose()?;
            let (group, topic) = (Str::copy(&key.group), Str::copy(&key.topic));
            Ok(Entry::Offset { group, topic, partition: key.partition, committed })
        }
        GROUP_KEY => {
            let key = GroupMetadataKey::decode(&mut d, 0)?;
            let value = value.map(decode_versioned::<GroupMetadataValue>).transpose()?;
            Ok(Entry::Group { group: Str::copy(&key.group), value })
        }
        other => Ok(Entry::Other(other)),
    }
}

fn decode_offset(value: &Bytes, log_offset: i64) -> Result<CommittedOffset, DecodeError> {
    let value = decode_versioned::<OffsetCommitValue>(value)?;
    Ok(CommittedOffset {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: Str::copy(&value.metadata),
        commit_ms: value.commit_timestamp,
        expire_ms: Some(value.expire_timestamp).filter(|at| *at >= 0),
        log_offset,
        topic_id: value.topic_id,
    })
}

fn decode_versioned<M: Message>(value: &Bytes) -> Result<M, DecodeError> {
    let mut d = Decoder::new(value.clone());
    let version = d.i16()?;
    M::decode(&mut d, version)
}

fn encode<M: Message>(head: i16, message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut e = Encoder::new();
    e.i16(head);
    message.encode(&mut e, version)?;
    e.finish_bytes()
}

/// The record of a committed offset, or its tombstone.
pub fn offset_record(
    group: &Str,
    topic: &Str,
    partition: i32,
    committed: Option<&CommittedOffset>,
) -> Result<KeyValue, EncodeError> {
    let key = OffsetCommitKey { group: group.clone(), topic: topic.clone(), partition };
    let value = committed.map(|committed| {
        let value = OffsetCommitValue {
            offset: committed.offset,
            leader_epoch: committed.leader_epoch,
            metadata: committed.metadata.clone(),
            commit_timestamp: committed.commit_ms,
            expire_timestamp: committed.expire_ms.unwrap_or(-1),
            topic_id: committed.topic_id,
        };
        let version = match committed.expire_ms {
            Some(_) => EXPIRING_OFFSET_VALUE_VERSION,
            None if committed.topic_id.is_zero() => OFFSET_VALUE_VERSION,
            None => OFFSET_VALUE_WITH_ID_VERSION,
        };
        encode(version, &value, version)
    });
    Ok((encode(OFFSET_KEY, &key, 0)?, value.transpose()?))
}

/// The record of a group as it is (with the assignment that is being written).
pub fn group_record(group: &Group) -> Result<KeyValue, EncodeError> {
    let protocol = group.protocol_name().cloned();
    let member = |m: &Member| MemberMetadata {
        member_id: m.id.clone(),
        group_instance_id: m.instance_id.clone(),
        client_id: m.client_id.clone(),
        client_host: m.client_host.clone(),
        rebalance_timeout: m.rebalance_timeout_ms,
        session_timeout: m.session_timeout_ms,
        subscription: protocol.as_deref().and_then(|p| m.metadata(p)).cloned().unwrap_or_default(),
        assignment: group.assignment_to_write(m).clone(),
    };
    let value = GroupMetadataValue {
        protocol_type: group.protocol_type().cloned().unwrap_or_default(),
        generation: group.generation(),
        leader: group.leader().cloned(),
        current_state_timestamp: group.state_since_ms(),
        members: group.members().map(member).collect(),
        protocol,
    };
    Ok((group_key(group.id())?, Some(encode(GROUP_VALUE_VERSION, &value, GROUP_VALUE_VERSION)?)))
}

/// The tombstone of a group.
pub fn group_tombstone(group: &Str) -> Result<KeyValue, EncodeError> {
    Ok((group_key(group)?, None))
}

fn group_key(group: &Str) -> Result<Bytes, EncodeError> {
    encode(GROUP_KEY, &GroupMetadataKey { group: group.clone() }, 0)
}

/// A member as it was written down.
pub fn restore_member(member: &MemberMetadata, protocol: Option<&Str>) -> Member {
    let metadata = Bytes::copy_from_slice(&member.subscription);
    let mut restored = Member::new(
        Str::copy(&member.member_id),
        member.group_instance_id.as_deref().map(Str::copy),
        (Str::copy(&member.client_id), Str::copy(&member.client_host)),
        (member.rebalance_timeout, member.session_timeout),
        protocol.map(|name| (Str::copy(name), metadata)).into_iter().collect(),
    );
    if restored.rebalance_timeout_ms < 0 {
        // Version 0 did not say; Kafka takes the session timeout then.
        restored.rebalance_timeout_ms = restored.session_timeout_ms;
    }
    restored.assignment = Bytes::copy_from_slice(&member.assignment);
    restored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_round_trips_in_kafkas_bytes() {
        let committed = CommittedOffset {
            offset: 5,
            leader_epoch: 2,
            metadata: "m".into(),
            commit_ms: 7,
            expire_ms: None,
            log_offset: 9,
            topic_id: protocol::Uuid::ZERO,
        };
        let (group, topic) = (Str::from("g"), Str::from("t"));
        let (key, value) = offset_record(&group, &topic, 3, Some(&committed)).unwrap();
        assert_eq!(&key[..], b"\0\x01\0\x01g\0\x01t\0\0\0\x03");
        let want = b"\0\x03\0\0\0\0\0\0\0\x05\0\0\0\x02\0\x01m\0\0\0\0\0\0\0\x07";
        assert_eq!(value.as_deref(), Some(&want[..]));
        let entry = decode(&key, value.as_ref(), 9).unwrap();
        let want = Entry::Offset {
            group: group.clone(),
            topic: topic.clone(),
            partition: 3,
            committed: Some(committed.clone()),
        };
        assert_eq!(entry, want);

        let of_a_topic = CommittedOffset { topic_id: protocol::Uuid([7; 16]), ..committed.clone() };
        let (key, value) = offset_record(&group, &topic, 3, Some(&of_a_topic)).unwrap();
        assert_eq!(value.as_ref().unwrap()[..2], [0, 4]);
        let Entry::Offset { committed: read, .. } = decode(&key, value.as_ref(), 9).unwrap() else {
            panic!("not an offset");
        };
        assert_eq!(read, Some(of_a_topic));

        let expiring = CommittedOffset { expire_ms: Some(70), leader_epoch: -1, ..committed };
        let (key, value) = offset_record(&group, &topic, 3, Some(&expiring)).unwrap();
        assert_eq!(value.as_ref().unwrap()[..2], [0, 1]);
        let Entry::Offset { committed, .. } = decode(&key, value.as_ref(), 9).unwrap() else {
            panic!("not an offset");
        };
        assert_eq!(committed, Some(expiring));
    }

    #[test]
    fn tombstones_and_foreign_records() {
        let (key, value) = group_tombstone(&"g".into()).unwrap();
        assert_eq!(
            decode(&key, value.as_ref(), 0).unwrap(),
            Entry::Group { group: "g".into(), value: None }
        );
        let (key, value) = offset_record(&"g".into(), &"t".into(), 0, None).unwrap();
        assert!(matches!(
            decode(&key, value.as_ref(), 0).unwrap(),
            Entry::Offset { committed: None, .. }
        ));
        assert_eq!(decode(&Bytes::from_static(b"\0\x05rest"), None, 0).unwrap(), Entry::Other(5));
        for broken in [&b""[..], b"\0", b"\0\x01", b"\0\x01\0\x05g"] {
            assert!(decode(&Bytes::copy_from_slice(broken), None, 0).is_err(), "{broken:?}");
        }
    }
}
