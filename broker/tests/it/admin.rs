use std::collections::BTreeMap;

use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use protocol::messages::{
    AlterConfigsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeClusterRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    ListConfigResourcesRequest, MetadataRequest, alter_configs_request,
};
use protocol::{ErrorCode, Message, Str, Uuid};

use crate::support::{Conn, TestBroker};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

async fn configs(
    conn: &mut Conn,
    kind: i8,
    name: &str,
    version: i16,
) -> BTreeMap<String, DescribeConfigsResourceResult> {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: kind,
            resource_name: Str::copy(name),
            configuration_keys: None,
        }],
        include_synonyms: true,
        include_documentation: version >= 3,
    };
    let mut response = conn.call(&request, version).await;
    let result = response.results.remove(0);
    assert_eq!(ErrorCode(result.error_code), ErrorCode::NONE, "{:?}", result.error_message);
    result.configs.into_iter().map(|config| (config.name.to_string(), config)).collect()
}

async fn alter(
    conn: &mut Conn,
    kind: i8,
    name: &str,
    changes: &[(&str, i8, Option<&str>)],
) -> (ErrorCode, String) {
    let configs = changes.iter().map(|(key, op, value)| AlterableConfig {
        name: Str::copy(key),
        config_operation: *op,
        value: value.map(Str::copy),
    });
    let request = IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: kind,
            resource_name: Str::copy(name),
            configs: configs.collect(),
        }],
        validate_only: false,
    };
    let mut response = conn.call(&request, 1).await;
    let result = response.responses.remove(0);
    (ErrorCode(result.error_code), result.error_message.unwrap_or_default().to_string())
}

#[tokio::test]
async fn topics_are_created_in_every_version_and_described() {
    let broker = TestBroker::start(&[("num.partitions", "3")]).await;
    let mut conn = broker.connect().await;
    for version in CreateTopicsRequest::VERSIONS {
        let name = format!("topic-v{version}");
        // Defaults (-1) came with version 4.
        let num_partitions = if version >= 4 { -1 } else { 3 };
        let topic = CreatableTopic {
            name: Str::copy(&name),
            num_partitions,
            replication_factor: if version >= 4 { -1 } else { 1 },
            configs: vec![CreatableTopicConfig {
                name: "retention.ms".into(),
                value: Some("5000".into()),
            }],
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let response = conn.call(&request, version).await;
        let created = &response.topics[0];
        assert_eq!(ErrorCode(created.error_code), ErrorCode::NONE, "v{version}: {created:?}");
        if version >= 5 {
            assert_eq!((created.num_partitions, created.replication_factor), (3, 1));
            let configs = created.configs.as_ref().unwrap();
            let retention = configs.iter().find(|c| c.name == "retention.ms").unwrap();
            assert_eq!(retention.value.as_deref(), Some("5000"));
        }
        assert_eq!(created.topic_id.is_zero(), version < 7);
        assert_eq!(conn.produce(&name, 2, "x").await, ErrorCode::NONE);
    }
}

#[tokio::test]
async fn a_mixed_batch_is_answered_topic_by_topic() {
    let broker = TestBroker::start(&[]).await;
    broker.create(&[("old", 1)]).await;
    let table = [
        ("new", 1, 1, ErrorCode::NONE),
        ("old", 1, 1, ErrorCode::TOPIC_ALREADY_EXISTS),
        ("bad name", 1, 1, ErrorCode::INVALID_TOPIC_EXCEPTION),
        ("zero", 0, 1, ErrorCode::INVALID_PARTITIONS),
        ("three", 1, 3, ErrorCode::INVALID_REPLICATION_FACTOR),
    ];
    let topics = table.iter().map(|(name, partitions, factor, _)| CreatableTopic {
        name: Str::copy(name),
        num_partitions: *partitions,
        replication_factor: *factor,
        ..Default::default()
    });
    let mut request = CreateTopicsRequest { topics: topics.collect(), ..Default::default() };
    let mut conn = broker.connect().await;
    for validate_only in [true, false] {
        request.validate_only = validate_only;
        let response = conn.call(&request, 7).await;
        for ((name, .., want), got) in table.iter().zip(&response.topics) {
            assert_eq!((got.name.as_str(), ErrorCode(got.error_code)), (*name, *want));
        }
    }
    assert_eq!(conn.produce("new", 0, "x").await, ErrorCode::NONE);
}

#[tokio::test]
async fn a_topic_deleted_and_created_again_is_another_one_and_empty() {
    let mut broker = TestBroker::start(&[]).await;
    broker.create(&[("t", 1)]).await;
    let mut conn = broker.connect().await;
    assert_eq!(conn.produce("t", 0, "old").await, ErrorCode::NONE);
    let first = topic_id(&mut conn, "t").await;
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState { name: None, topic_id: first }],
        timeout_ms: 1000,
        ..Default::default()
    };
    let response = conn.call(&request, 6).await;
    assert_eq!(ErrorCode(response.responses[0].error_code), ErrorCode::NONE);
    assert_eq!(response.responses[0].name.as_deref(), Some("t"));
    let again = conn.call(&request, 6).await;
    assert_eq!(ErrorCode(again.responses[0].error_code), ErrorCode::UNKNOWN_TOPIC_ID);
    broker.create(&[("t", 1)]).await;
    assert_ne!(topic_id(&mut conn, "t").await, first);
    broker.restart().await;
    let mut conn = broker.connect().await;
    assert_ne!(topic_id(&mut conn, "t").await, first);
    assert_eq!(end_offset(&mut conn, "t").await, 0, "the old records are gone");

    let by_name =
        DeleteTopicsRequest { topic_names: vec!["t".into(), "no".into()], ..Default::default() };
    for (version, want) in [(1, ErrorCode::NONE), (5, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)] {
        let response = conn.call(&by_name, version).await;
        let codes: Vec<_> = response.responses.iter().map(|r| ErrorCode(r.error_code)).collect();
        assert_eq!(codes, [want, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION], "v{version}");
    }
}

async fn topic_id(conn: &mut Conn, name: &str) -> Uuid {
    use protocol::messages::metadata_request::MetadataRequestTopic;
    let topic = MetadataRequestTopic { name: Some(Str::copy(name)), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    conn.call(&request, 12).await.topics[0].topic_id
}

async fn end_offset(conn: &mut Conn, topic: &str) -> i64 {
    use protocol::messages::ListOffsetsRequest;
    use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let partition = ListOffsetsPartition { timestamp: -1, ..Default::default() };
    let topic = ListOffsetsTopic { name: Str::copy(topic), partitions: vec![partition] };
    let request = ListOffsetsRequest { topics: vec![topic], replica_id: -1, ..Default::default() };
    conn.call(&request, 5).await.topics[0].partitions[0].offset
}

#[tokio::test]
async fn partitions_are_added_and_never_taken_away() {
    let broker = TestBroker::start(&[]).await;
    broker.create(&[("t", 2)]).await;
    let mut conn = broker.connect().await;
    let table = [
        (4, ErrorCode::NONE),
        (4, ErrorCode::INVALID_PARTITIONS),
        (3, ErrorCode::INVALID_PARTITIONS),
    ];
    for (count, want) in table {
        let topic = CreatePartitionsTopic { name: "t".into(), count, assignments: None };
        let request = CreatePartitionsRequest { topics: vec![topic], ..Default::default() };
        let response = conn.call(&request, 3).await;
        assert_eq!(ErrorCode(response.results[0].error_code), want, "{count}");
    }
    assert_eq!(conn.produce("t", 3, "x").await, ErrorCode::NONE);
    assert_eq!(conn.produce("t", 4, "x").await, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[tokio::test]
async fn every_config_is_described_with_its_source() {
    let broker = TestBroker::start(&[("log.retention.hours", "1")]).await;
    broker.create(&[("t", 1)]).await;
    let mut conn = broker.connect().await;
    for version in DescribeConfigsRequest::VERSIONS {
        let topic = configs(&mut conn, TOPIC, "t", version).await;
        assert!(topic.len() > 30, "{}", topic.len());
        let retention = &topic["retention.ms"];
        assert_eq!(retention.value.as_deref(), Some("3600000"));
        assert_eq!(retention.config_source, 4, "STATIC_BROKER_CONFIG");
        let first = &retention.synonyms[0];
        assert_eq!(
            (first.name.as_str(), first.value.as_deref()),
            ("log.retention.hours", Some("1"))
        );
        assert_eq!(topic["cleanup.policy"].config_source, 5, "DEFAULT_CONFIG");
        let own = configs(&mut conn, BROKER, "0", version).await;
        assert!(own.len() > 300, "{}", own.len());
        for (key, value, read_only) in [
            ("num.partitions", "1", true),
            ("default.replication.factor", "1", true),
            ("log.retention.hours", "1", true),
            ("node.id", "0", true),
            ("log.cleaner.threads", "1", false),
        ] {
            assert_eq!(own[key].value.as_deref(), Some(value), "{key}");
            assert_eq!(own[key].read_only, read_only, "{key}");
        }
        assert!(own["ssl.key.password"].is_sensitive);
        if version >= 3 {
            assert_eq!(
                (topic["retention.ms"].config_type, own["cordoned.log.dirs"].config_type),
                (5, 7)
            );
            assert!(topic.values().chain(own.values()).all(|c| c.documentation.is_some()));
        }
    }
}

#[tokio::test]
async fn configs_change_while_running_and_stay_after_a_restart() {
    let mut broker = TestBroker::start(&[]).await;
    broker.create(&[("t", 1)]).await;
    let mut conn = broker.connect().await;
    let none = (ErrorCode::NONE, String::new());
    let changes = [("retention.ms", SET, Some("7")), ("cleanup.policy", APPEND, Some("compact"))];
    assert_eq!(alter(&mut conn, TOPIC, "t", &changes).await, none);
    let now = configs(&mut conn, TOPIC, "t", 4).await;
    assert_eq!(now["cleanup.policy"].value.as_deref(), Some("delete,compact"));
    assert_eq!(
        (now["retention.ms"].value.as_deref(), now["retention.ms"].config_source),
        (Some("7"), 1)
    );
    let changes = [("retention.ms", DELETE, None), ("cleanup.policy", SUBTRACT, Some("delete"))];
    assert_eq!(alter(&mut conn, TOPIC, "t", &changes).await, none);
    let everywhere = [("log.retention.ms", SET, Some("9"))];
    assert_eq!(alter(&mut conn, BROKER, "", &everywhere).await, none);
    broker.restart().await;
    let mut conn = broker.connect().await;
    let now = configs(&mut conn, TOPIC, "t", 4).await;
    assert_eq!(now["cleanup.policy"].value.as_deref(), Some("compact"));
    assert_eq!(now["retention.ms"].value.as_deref(), Some("9"));
    assert_eq!(now["retention.ms"].config_source, 3, "DYNAMIC_DEFAULT_BROKER_CONFIG");
    let all = configs(&mut conn, BROKER, "", 4).await;
    assert_eq!(all.keys().collect::<Vec<_>>(), ["log.retention.ms"]);

    let table = [
        (TOPIC, "t", "retention.ms", Some("soon"), ErrorCode::INVALID_CONFIG),
        (TOPIC, "t", "retention", Some("1"), ErrorCode::INVALID_CONFIG),
        (TOPIC, "t", "retention.ms", None, ErrorCode::INVALID_REQUEST),
        (TOPIC, "nope", "retention.ms", Some("1"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (BROKER, "0", "num.partitions", Some("2"), ErrorCode::INVALID_REQUEST),
        (BROKER, "zero", "log.retention.ms", Some("2"), ErrorCode::INVALID_REQUEST),
    ];
    for (kind, name, key, value, want) in table {
        let (code, message) = alter(&mut conn, kind, name, &[(key, SET, value)]).await;
        assert_eq!(code, want, "{name} {key}: {message}");
        assert!(!message.is_empty(), "{name} {key}");
    }
}

#[tokio::test]
async fn the_old_alter_configs_replaces_all() {
    let broker = TestBroker::start(&[]).await;
    broker.create(&[("t", 1)]).await;
    let mut conn = broker.connect().await;
    alter(&mut conn, TOPIC, "t", &[("retention.ms", SET, Some("7"))]).await;
    for version in AlterConfigsRequest::VERSIONS {
        let bytes = format!("10{version}");
        let request = AlterConfigsRequest {
            resources: vec![alter_configs_request::AlterConfigsResource {
                resource_type: TOPIC,
                resource_name: "t".into(),
                configs: vec![alter_configs_request::AlterableConfig {
                    name: "retention.bytes".into(),
                    value: Some(Str::copy(&bytes)),
                }],
            }],
            validate_only: false,
        };
        let response = conn.call(&request, version).await;
        assert_eq!(ErrorCode(response.responses[0].error_code), ErrorCode::NONE);
        let now = configs(&mut conn, TOPIC, "t", 4).await;
        assert_eq!(now["retention.bytes"].value, Some(Str::copy(&bytes)));
        assert_eq!(now["retention.ms"].config_source, 5, "DEFAULT_CONFIG");
    }
}

#[tokio::test]
async fn the_cluster_is_described_and_keeps_its_id() {
    let mut broker = TestBroker::start(&[]).await;
    let id = broker.cluster_id().to_owned();
    for _ in 0..2 {
        let mut conn = broker.connect().await;
        for version in DescribeClusterRequest::VERSIONS {
            let response = conn.call(&DescribeClusterRequest::default(), version).await;
            assert_eq!(response.cluster_id, id);
            assert_eq!((response.brokers.len(), response.controller_id), (1, 0));
            assert_eq!(response.brokers[0].port, i32::from(broker.port()));
        }
        broker.restart().await;
    }
    let mut conn = broker.connect().await;
    for version in ListConfigResourcesRequest::VERSIONS {
        let response = conn.call(&ListConfigResourcesRequest::default(), version).await;
        assert_eq!(ErrorCode(response.error_code), ErrorCode::NONE);
    }
}
