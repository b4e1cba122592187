//! What must be refused, and what a version cannot carry.

use bytes::Bytes;
use protocol::messages::{
    FetchRequest, JoinGroupRequest, MetadataRequest, ProduceRequest, fetch_request,
};
use protocol::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Uuid};

#[test]
fn six_bytes_of_a_metadata_request_do_not_allocate_gigabytes() {
    // These bytes abort kafka-protocol 0.18: a compact array count of 4294967294.
    let mut d = Decoder::new(Bytes::from_static(b"\xff\xff\xff\xff\x0f\x00"));
    let decoded = MetadataRequest::decode(&mut d, 12);
    assert!(matches!(decoded, Err(DecodeError::NotEnough { what: "array", .. })), "{decoded:?}");
}

#[test]
fn a_field_that_the_version_lacks_is_refused_unless_ignorable() {
    let mut request = FetchRequest { rack_id: "r1".into(), ..Default::default() };
    request.encode(&mut Encoder::new(), 4).unwrap();
    request.forgotten_topics_data = vec![fetch_request::ForgottenTopic::default()];
    assert_eq!(
        request.encode(&mut Encoder::new(), 4),
        Err(EncodeError::UnsupportedField {
            message: "FetchRequest",
            field: "ForgottenTopicsData",
            version: 4
        })
    );
    request.encode(&mut Encoder::new(), 7).unwrap();
}

#[test]
fn null_where_the_version_has_none_is_refused() {
    let request = MetadataRequest { topics: None, ..Default::default() };
    assert_eq!(
        request.encode(&mut Encoder::new(), 0),
        Err(EncodeError::Null { message: "MetadataRequest", field: "Topics", version: 0 })
    );
    request.encode(&mut Encoder::new(), 1).unwrap();
}

#[test]
fn defaults_are_those_of_kafka() {
    let join = JoinGroupRequest::default();
    assert_eq!((join.rebalance_timeout_ms, join.group_instance_id), (-1, None));
    let fetch = FetchRequest::default();
    assert_eq!((fetch.replica_id, fetch.max_bytes, fetch.session_epoch), (-1, i32::MAX, -1));
    // Nullable, but Kafka's default is the empty array.
    assert_eq!(MetadataRequest::default().topics, Some(Vec::new()));
    assert!(MetadataRequest::default().allow_auto_topic_creation);
    assert_eq!(ProduceRequest::default().transactional_id, None);
    assert_eq!(fetch_request::FetchTopic::default().topic_id, Uuid::ZERO);
}

#[test]
fn strings_and_records_are_views_of_the_frame() {
    use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
    let records = Bytes::from(vec![1; 5000]);
    let partition = PartitionProduceData { index: 3, records: Some(records) };
    let topic = TopicProduceData {
        name: Str::from("lines"),
        partition_data: vec![partition],
        ..Default::default()
    };
    let request = ProduceRequest { topic_data: vec![topic], ..Default::default() };
    let mut e = Encoder::new();
    request.encode(&mut e, 9).unwrap();
    let frame = e.finish_bytes().unwrap();
    let decoded = ProduceRequest::decode(&mut Decoder::new(frame.clone()), 9).unwrap();
    assert_eq!(decoded, request);
    let inside = |part: &Bytes| frame.as_ptr_range().contains(&part.as_ptr());
    assert!(inside(decoded.topic_data[0].name.as_bytes()));
    assert!(inside(decoded.topic_data[0].partition_data[0].records.as_ref().unwrap()));
}
