use std::collections::BTreeMap;

use protocol::{ErrorCode, Uuid};
use quorum::controller::ConfigSchema;
use quorum::record::ConfigResource;
use quorum::{MetadataImage, MetadataRecord};

use super::table::{broker_config, topic_config};
use super::*;

fn configs(properties: &[(&str, &str)]) -> Result<Configs, PropertiesError> {
    let map: BTreeMap<String, String> =
        properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Configs::new(1, &map)
}

fn image(set: &[(ConfigResource, &str, &str)]) -> MetadataImage {
    let topic = MetadataRecord::Topic { name: "t".into(), topic_id: Uuid([1; 16]) };
    let set = set.iter().map(|(resource, key, value)| MetadataRecord::Config {
        resource: resource.clone(),
        key: (*key).to_owned(),
        value: Some((*value).to_owned()),
    });
    let records: Vec<_> = std::iter::once(topic).chain(set).collect();
    MetadataImage::default().with(&records).unwrap()
}

#[test]
fn every_default_is_allowed_by_its_own_definition() {
    for def in broker_configs().chain(topic_configs()) {
        if let Some(default) = def.default {
            assert_eq!(def.check(default), Ok(()), "{}={default}", def.name);
        }
        assert!(!def.doc.contains('\n'), "{}", def.name);
    }
    assert!(broker_configs().count() > 300 && topic_configs().count() > 30);
}

/// A topic's default is its broker config's default, in the topic's unit.
#[test]
fn defaults_of_topics_and_brokers_agree() {
    let (configs, image) = (configs(&[]).unwrap(), image(&[]));
    for def in topic_configs() {
        for (name, unit) in synonyms::of_topic(def.name) {
            let broker = broker_config(name).unwrap_or_else(|| panic!("{name}"));
            if let Some(default) = broker.default {
                assert_eq!(Some(&*unit.convert(default)), def.default, "{} and {name}", def.name);
            }
        }
        assert_eq!(configs.topic_default(&image, def.name), def.default.unwrap_or_default());
    }
}

#[test]
fn the_first_layer_that_says_something_wins() {
    let t = || ConfigResource::Topic("t".into());
    let one = || ConfigResource::Broker(Some(1));
    let all = || ConfigResource::Broker(None);
    let other = || ConfigResource::Broker(Some(2));
    let table = [
        (vec![], vec![], 604_800_000, Source::Default),
        (vec![("log.retention.hours", "2")], vec![], 7_200_000, Source::StaticBroker),
        (
            vec![("log.retention.hours", "2"), ("log.retention.minutes", "3")],
            vec![],
            180_000,
            Source::StaticBroker,
        ),
        (vec![("log.retention.ms", "-1")], vec![], -1, Source::StaticBroker),
        (
            vec![("log.retention.ms", "5")],
            vec![(all(), "log.retention.ms", "6")],
            6,
            Source::DynamicDefaultBroker,
        ),
        (
            vec![],
            vec![(all(), "log.retention.ms", "6"), (one(), "log.retention.ms", "7")],
            7,
            Source::DynamicBroker,
        ),
        (vec![], vec![(other(), "log.retention.ms", "7")], 604_800_000, Source::Default),
        (
            vec![],
            vec![(one(), "log.retention.ms", "7"), (t(), "retention.ms", "8")],
            8,
            Source::Topic,
        ),
    ];
    for (properties, set, want, source) in table {
        let (configs, image) = (configs(&properties).unwrap(), image(&set));
        let topic = image.topic("t").unwrap();
        assert_eq!(
            configs.topic_long(&image, topic, "retention.ms"),
            want,
            "{properties:?} {set:?}"
        );
        let (value, entries) =
            configs.explain_topic(&image, topic, topic_config("retention.ms").unwrap());
        assert_eq!(value, Some(want.to_string()));
        assert_eq!(entries[0].source, source, "{properties:?} {set:?}");
    }
}

#[test]
fn values_are_checked_by_type_and_range() {
    let topic = ConfigResource::Topic("t".into());
    let table = [
        ("retention.ms", "-1", true),
        ("retention.ms", "-2", false),
        ("retention.ms", "1h", false),
        ("cleanup.policy", "compact, delete", true),
        ("cleanup.policy", "", true),
        ("cleanup.policy", "compact,keep", false),
        ("cleanup.policy", "compact,compact", false),
        ("preallocate", "TRUE", true),
        ("preallocate", "1", false),
        ("min.cleanable.dirty.ratio", "0.3", true),
        ("min.cleanable.dirty.ratio", "1.1", false),
        ("min.cleanable.dirty.ratio", "NaN", false),
        ("compression.type", "zstd", true),
        ("compression.type", "brotli", false),
        ("compression.gzip.level", "-1", true),
        ("compression.gzip.level", "0", false),
        ("segment.bytes", "1048575", false),
        ("max.message.bytes", "2147483648", false),
        ("leader.replication.throttled.replicas", "0:1,1:2", true),
        ("leader.replication.throttled.replicas", "*", true),
        ("leader.replication.throttled.replicas", "x", false),
        ("remote.storage.enable", "true", false),
        ("retention.mss", "1", false),
    ];
    for (key, value, good) in table {
        let result = TableSchema.check(&topic, key, value);
        assert_eq!(result.is_ok(), good, "{key}={value}: {result:?}");
        if let Err(e) = result {
            assert_eq!(e.code(), ErrorCode::INVALID_CONFIG);
        }
    }
}

#[test]
fn brokers_configs_change_only_where_kafka_lets_them() {
    let (one, all) = (ConfigResource::Broker(Some(1)), ConfigResource::Broker(None));
    let table = [
        (&one, "log.retention.ms", Ok(())),
        (&all, "log.retention.ms", Ok(())),
        (&one, "num.partitions", Err(ErrorCode::INVALID_REQUEST)),
        (&one, "listeners", Ok(())),
        (&all, "listeners", Err(ErrorCode::INVALID_REQUEST)),
        (&all, "nope", Err(ErrorCode::INVALID_CONFIG)),
    ];
    for (resource, key, want) in table {
        assert_eq!(TableSchema.check_key(resource, key).map_err(|e| e.code()), want, "{key}");
    }
}

#[test]
fn a_wrong_properties_file_is_refused_with_every_fault_and_the_nearest_key() {
    let error =
        configs(&[("num.partition", "3"), ("log.retention.ms", "x"), ("ssl.key.password", "s")])
            .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`num.partition`: did you mean `num.partitions`?"), "{text}");
    assert!(text.contains("`log.retention.ms=x`: Not a number of type LONG"), "{text}");
    assert_eq!(error.0.len(), 2, "{text}");
    assert!(configs(&[("listener.name.external.ssl.client.auth", "required")]).is_ok());
}

#[test]
fn the_reference_page_has_a_row_for_every_config() {
    let page = markdown();
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, broker_configs().count() + topic_configs().count());
}
