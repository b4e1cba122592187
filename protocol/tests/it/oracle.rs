//! The same bytes through another implementation of the protocol (kafka-protocol, generated from Kafka 4.1).

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, Message as TheirMessage};
use protocol::messages as ours;
use protocol::{Decoder, Encoder, Message};

use crate::{schema, wire};

const SAMPLES: u64 = 25;

/// Both decode the same bytes and encode the same bytes again, in every version that both know.
fn compare<O: Message, T: Decodable + Encodable + TheirMessage>() {
    let all = schema::all();
    let message = all.iter().find(|m| m.name == O::NAME).unwrap();
    let mut compared = 0;
    for version in O::VERSIONS {
        if version < T::VERSIONS.min || version > T::VERSIONS.max {
            continue;
        }
        for seed in 1000..1000 + SAMPLES {
            let bytes = Bytes::from(wire::random(message, version, seed, false));
            let our = O::decode(&mut Decoder::new(bytes.clone()), version).unwrap();
            let mut e = Encoder::new();
            our.encode(&mut e, version).unwrap();
            let their = T::decode(&mut bytes.clone(), version).unwrap();
            let mut theirs = BytesMut::new();
            their.encode(&mut theirs, version).unwrap();
            assert_eq!(
                e.finish_bytes().unwrap(),
                theirs.freeze(),
                "{} v{version} seed {seed}",
                O::NAME
            );
            compared += 1;
        }
    }
    assert!(compared > 0, "{} has no version in common", O::NAME);
}

macro_rules! compare {
    ($($test:ident: $($message:ident),*;)*) => {$(
        #[test]
        fn $test() {
            $(compare::<ours::$message, theirs::$message>();)*
        }
    )*};
}

compare! {
    produce_and_fetch: ProduceRequest, ProduceResponse, FetchRequest, FetchResponse;
    offsets: ListOffsetsRequest, ListOffsetsResponse, OffsetCommitRequest, OffsetCommitResponse,
        OffsetFetchRequest, OffsetFetchResponse, OffsetForLeaderEpochRequest,
        OffsetForLeaderEpochResponse;
    metadata: MetadataRequest, MetadataResponse, ApiVersionsRequest, ApiVersionsResponse,
        DescribeClusterRequest, DescribeClusterResponse;
    groups: FindCoordinatorRequest, FindCoordinatorResponse, JoinGroupRequest, JoinGroupResponse,
        SyncGroupRequest, SyncGroupResponse, HeartbeatRequest, HeartbeatResponse,
        LeaveGroupRequest, LeaveGroupResponse, DescribeGroupsRequest, DescribeGroupsResponse,
        ListGroupsRequest, ListGroupsResponse, DeleteGroupsRequest, DeleteGroupsResponse,
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
    topics: CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
        CreatePartitionsRequest, CreatePartitionsResponse, DescribeConfigsRequest,
        DescribeConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
    transactions: InitProducerIdRequest, InitProducerIdResponse, AddPartitionsToTxnRequest,
        AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse, TxnOffsetCommitRequest,
        TxnOffsetCommitResponse;
    headers: RequestHeader, ResponseHeader;
    group_protocol: ConsumerProtocolSubscription, ConsumerProtocolAssignment;
}
