use super::*;
use crate::record::PartitionChange;

fn id(n: u8) -> Uuid {
    Uuid([n; 16])
}

fn partition(topic: u8, partition: i32) -> MetadataRecord {
    MetadataRecord::Partition(PartitionRecord {
        topic_id: id(topic),
        partition,
        replicas: vec![0, 1],
        isr: vec![0, 1],
        leader: 0,
        leader_epoch: 0,
        ..PartitionRecord::default()
    })
}

fn config(resource: ConfigResource, key: &str, value: Option<&str>) -> MetadataRecord {
    MetadataRecord::Config { resource, key: key.into(), value: value.map(Into::into) }
}

fn sample() -> MetadataImage {
    let records = [
        MetadataRecord::FeatureLevel { name: "metadata.version".into(), level: 27 },
        MetadataRecord::RegisterBroker(BrokerRecord {
            broker_id: 0,
            broker_epoch: 4,
            host: "h".into(),
            port: 9092,
            rack: Some("r".into()),
            ..BrokerRecord::default()
        }),
        MetadataRecord::Topic { name: "a".into(), topic_id: id(1) },
        partition(1, 0),
        partition(1, 1),
        config(ConfigResource::Topic("a".into()), "retention.ms", Some("1000")),
        MetadataRecord::Topic { name: "b".into(), topic_id: id(2) },
        partition(2, 0),
        config(ConfigResource::Broker(None), "log.retention.ms", Some("5")),
        MetadataRecord::ProducerIds { next_producer_id: 1000 },
    ];
    MetadataImage::default().with(&records).unwrap()
}

#[test]
fn topics_are_found_by_name_and_id() {
    let image = sample();
    assert_eq!(image.topic("a").unwrap().id, id(1));
    assert_eq!(&*image.topic_by_id(&id(2)).unwrap().name, "b");
    assert_eq!(image.topics().partition_count(), 3);
    assert_eq!(image.partition("a", 1).unwrap().leader, 0);
    assert!(image.partition("a", 2).is_none() && image.partition("a", -1).is_none());
    assert_eq!(image.next_broker_epoch(), 5);
}

#[test]
fn snapshot_records_make_the_same_image() {
    let image = sample();
    let copy = MetadataImage::from_snapshot(
        image.offset(),
        image.next_broker_epoch(),
        &image.to_records(),
    );
    assert_eq!(copy.unwrap(), image);
}

#[test]
fn an_older_image_does_not_change() {
    let before = sample();
    let after = before.with(&[MetadataRecord::RemoveTopic { topic_id: id(1) }]).unwrap();
    assert!(after.topic("a").is_none() && after.topic_by_id(&id(1)).is_none());
    assert_eq!(before.topic("a").unwrap().partitions.len(), 2);
    assert_eq!(after.topics().partition_count(), 1);
}

#[test]
fn a_change_of_leader_raises_both_epochs_and_one_of_isr_only_the_partitions() {
    let change = |isr: Option<Vec<i32>>, leader| {
        MetadataRecord::PartitionChange(PartitionChange {
            topic_id: id(1),
            partition: 0,
            isr,
            leader,
            replicas: None,
            ..PartitionChange::default()
        })
    };
    let image = sample().with(&[change(Some(vec![1]), None), change(None, Some(1))]).unwrap();
    let partition = image.partition("a", 0).unwrap();
    assert_eq!((partition.leader, partition.leader_epoch, partition.partition_epoch), (1, 1, 2));
    assert_eq!(*partition.isr, [1]);
}

#[test]
fn contradicting_records_are_refused() {
    let table = [
        MetadataRecord::Topic { name: "a".into(), topic_id: id(9) },
        MetadataRecord::Topic { name: "c".into(), topic_id: id(1) },
        partition(1, 3),
        partition(9, 0),
        MetadataRecord::RemoveTopic { topic_id: id(9) },
        config(ConfigResource::Topic("nope".into()), "k", None),
    ];
    for record in table {
        let image = sample();
        assert!(image.with(std::slice::from_ref(&record)).is_err(), "{record:?}");
    }
}

#[test]
fn configs_and_features_go_back_to_default() {
    let records = [
        config(ConfigResource::Broker(None), "log.retention.ms", None),
        config(ConfigResource::Topic("a".into()), "retention.ms", None),
        MetadataRecord::FeatureLevel { name: "metadata.version".into(), level: 0 },
    ];
    let image = sample().with(&records).unwrap();
    assert!(image.configs(&ConfigResource::Broker(None)).is_none());
    assert!(image.topic("a").unwrap().configs.is_empty());
    assert!(image.features().is_empty());
}
