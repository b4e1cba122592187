//! What consumers tell each other through the coordinator: `ConsumerProtocol` of Kafka's Java client.

use bytes::Bytes;
use protocol::messages::consumer_protocol_assignment::TopicPartition as AssignedTopic;
use protocol::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use protocol::{DecodeError, Decoder, EncodeError, Encoder, Message, Str};

use crate::TopicPartition;
use crate::types::by_topic;

/// A version, then the message in that version.
fn encode<M: Message>(message: &M) -> Result<Bytes, EncodeError> {
    let version = *M::VERSIONS.end();
    let mut e = Encoder::new();
    e.i16(version);
    message.encode(&mut e, version)?;
    e.finish_bytes()
}

/// A version newer than ours begins with what ours has.
fn decode<M: Message>(bytes: &Bytes) -> Result<M, DecodeError> {
    let mut d = Decoder::new(bytes.clone());
    let version = d.i16()?;
    M::decode(&mut d, version.min(*M::VERSIONS.end()))
}

pub(super) fn subscription(topics: &[Str]) -> Result<Bytes, EncodeError> {
    let mut topics = topics.to_vec();
    topics.sort();
    encode(&ConsumerProtocolSubscription { topics, ..Default::default() })
}

pub(super) fn topics_of(subscription: &Bytes) -> Result<Vec<Str>, DecodeError> {
    let decoded: ConsumerProtocolSubscription = decode(subscription)?;
    Ok(decoded.topics.iter().map(|t| Str::copy(t)).collect())
}

pub(super) fn assignment(partitions: Vec<TopicPartition>) -> Result<Bytes, EncodeError> {
    let assigned_partitions = by_topic(partitions.into_iter().map(|p| (p.topic, p.partition)))
        .into_iter()
        .map(|(topic, partitions)| AssignedTopic { topic, partitions })
        .collect();
    encode(&ConsumerProtocolAssignment { assigned_partitions, ..Default::default() })
}

pub(super) fn partitions_of(assignment: &Bytes) -> Result<Vec<TopicPartition>, DecodeError> {
    if assignment.is_empty() {
        return Ok(Vec::new());
    }
    let decoded: ConsumerProtocolAssignment = decode(assignment)?;
    let topics = decoded.assigned_partitions.into_iter();
    Ok(topics
        .flat_map(|t| {
            let topic = Str::copy(&t.topic);
            t.partitions.into_iter().map(move |p| TopicPartition::new(topic.clone(), p))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_java() {
        // ConsumerProtocol.serializeSubscription(new Subscription(List.of("t"))), version 3: topics, user data,
        // owned partitions, generation, rack.
        let bytes = subscription(&["t".into()]).unwrap();
        let java = b"\x00\x03\x00\x00\x00\x01\x00\x01t\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff";
        assert_eq!(&bytes[..], java);
        assert_eq!(topics_of(&bytes).unwrap(), ["t"]);
        let assigned = vec![TopicPartition::new("t", 2), TopicPartition::new("t", 3)];
        let bytes = assignment(assigned.clone()).unwrap();
        let java =
            b"\x00\x03\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x03\xff\xff\xff\xff";
        assert_eq!(&bytes[..], java);
        assert_eq!(partitions_of(&bytes).unwrap(), assigned);
    }

    #[test]
    fn newer_and_broken_subscriptions() {
        let mut bytes = subscription(&["t".into()]).unwrap().to_vec();
        bytes[1] = 9;
        bytes.push(0);
        assert_eq!(topics_of(&bytes.into()).unwrap(), ["t"]);
        assert!(topics_of(&Bytes::from_static(b"\x00\x00\x7f\xff\xff\xff")).is_err());
    }
}
