use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{
    ApiVersionsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest,
    metadata_request::MetadataRequestTopic,
};
use protocol::{ErrorCode, Message, Str};

use crate::wire::*;

#[tokio::test]
async fn every_version_of_produce_and_fetch_carries_records() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[]).await;
    let topic_id = topic_id(&mut conn).await;
    let mut offset = 0;
    for version in ProduceRequest::VERSIONS {
        for acks in [-1, 1] {
            let mut request = produce_request(TOPIC, acks, batch(&["value"]));
            request.topic_data[0].topic_id = topic_id;
            if version >= 13 {
                request.topic_data[0].name = Str::EMPTY;
            }
            let response = conn.call(version, &request).await;
            let partition = &response.responses[0].partition_responses[0];
            assert_eq!((partition.error_code, partition.base_offset), (0, offset), "v{version}");
            offset += 1;
        }
    }
    for version in FetchRequest::VERSIONS {
        let mut request = fetch_request(TOPIC, 2, 0);
        request.topics[0].topic_id = topic_id;
        if version >= 13 {
            request.topics[0].topic = Str::EMPTY;
        }
        // Records appended with acks=1 are committed a moment later; those with acks=all are already.
        let response = conn.call(version, &request).await;
        assert_eq!(response.error_code, 0);
        let partition = &response.responses[0].partitions[0];
        assert_eq!(partition.error_code, 0, "v{version}");
        let first = decode(&partition.records).remove(0);
        assert_eq!((first.offset, first.value.as_deref()), (2, Some(&b"value"[..])));
    }
    broker.shutdown().await.unwrap();
}

async fn topic_id(conn: &mut Conn) -> protocol::Uuid {
    let topic = MetadataRequestTopic { name: Some(Str::from(TOPIC)), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    conn.call(12, &request).await.topics[0].topic_id
}

#[tokio::test]
async fn every_version_of_metadata_describes_and_creates() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    for version in MetadataRequest::VERSIONS {
        let names = [format!("made-by-use-{version}"), "not a name".to_owned()];
        let topics = names
            .iter()
            .map(|name| MetadataRequestTopic { name: Some(Str::copy(name)), ..Default::default() });
        let request = MetadataRequest {
            topics: Some(topics.collect()),
            allow_auto_topic_creation: true,
            ..Default::default()
        };
        let response = conn.call(version, &request).await;
        assert_eq!(response.brokers[0].port, i32::from(broker.addr().port()));
        assert_eq!(response.topics[0].error_code, 0, "v{version}: {response:?}");
        assert_eq!(response.topics[0].partitions[0].leader_id, 0);
        assert_eq!(response.topics[1].error_code, ErrorCode::INVALID_TOPIC_EXCEPTION.0);
        let all = MetadataRequest {
            topics: (version == 0).then(Vec::new),
            allow_auto_topic_creation: true,
            ..Default::default()
        };
        assert_eq!(conn.call(version, &all).await.topics.len(), version as usize + 1);
    }
    let topic = MetadataRequestTopic { name: Some("not-made".into()), ..Default::default() };
    let request = MetadataRequest {
        topics: Some(vec![topic]),
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    let code = conn.call(9, &request).await.topics[0].error_code;
    assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
}

#[tokio::test]
async fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    // Length 13; key 18, version 99, correlation id 7, client id null, what version 99 may be.
    conn.write(b"\0\0\0\x0d\0\x12\0\x63\0\0\0\x07\xff\xff\0\0\0").await;
    let frame = conn.frame().await.unwrap();
    let response = protocol::frame::decode_response::<ApiVersionsRequest>(frame, 0).unwrap();
    assert_eq!(response.0, 7);
    assert_eq!(response.1.error_code, ErrorCode::UNSUPPORTED_VERSION.0);
    assert_eq!(response.1.api_keys[0].api_key, 18);

    for version in ApiVersionsRequest::VERSIONS {
        let request = ApiVersionsRequest {
            client_software_name: "test".into(),
            client_software_version: "1.0".into(),
        };
        let response = conn.call(version, &request).await;
        assert_eq!(response.error_code, 0);
        let produce = response.api_keys.iter().find(|key| key.api_key == 0).unwrap();
        assert_eq!((produce.min_version, produce.max_version), (0, 13));
    }
}

#[tokio::test]
async fn every_version_of_list_offsets_finds_by_place_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[]).await;
    conn.produce(TOPIC, batch(&["a", "b", "c"])).await;
    for version in ListOffsetsRequest::VERSIONS {
        for (timestamp, want) in [(-1, 3), (-2, 0), (1_001, 1), (0, 0), (9_999, -1)] {
            let partition = ListOffsetsPartition { timestamp, ..Default::default() };
            let topic = ListOffsetsTopic { name: TOPIC.into(), partitions: vec![partition] };
            let request = ListOffsetsRequest { topics: vec![topic], ..Default::default() };
            let response = conn.call(version, &request).await;
            let partition = &response.topics[0].partitions[0];
            assert_eq!(
                (partition.error_code, partition.offset),
                (0, want),
                "v{version} {timestamp}"
            );
        }
    }
    assert_eq!(conn.offset(TOPIC, -3).await.timestamp, 1_002);
}
