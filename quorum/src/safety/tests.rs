use protocol::Uuid;

use super::*;
use crate::node::ReplicaStatus;
use crate::record::{BrokerRecord, MetadataRecord, PartitionRecord};

fn image(brokers: &[i32], partitions: &[(&[i32], &[i32])]) -> MetadataImage {
    let broker = |id: &i32| {
        MetadataRecord::RegisterBroker(BrokerRecord {
            broker_id: *id,
            broker_epoch: i64::from(*id) + 1,
            host: "h".into(),
            port: 1,
            ..BrokerRecord::default()
        })
    };
    let mut records: Vec<MetadataRecord> = brokers.iter().map(broker).collect();
    let topic_id = Uuid([1; 16]);
    records.push(MetadataRecord::Topic { name: "t".into(), topic_id });
    for (partition, (replicas, isr)) in (0..).zip(partitions) {
        records.push(MetadataRecord::Partition(PartitionRecord {
            topic_id,
            partition,
            replicas: replicas.to_vec(),
            isr: isr.to_vec(),
            leader: isr.first().copied().unwrap_or(-1),
            ..PartitionRecord::default()
        }));
    }
    MetadataImage::default().with(&records).unwrap()
}

fn quorum(ends: &[(i32, Option<u64>)]) -> QuorumStatus {
    let voter = |(id, end): &(i32, Option<u64>)| ReplicaStatus {
        id: *id,
        directory_id: Uuid::ZERO,
        log_end_offset: *end,
        last_fetch_ms: None,
        last_caught_up_ms: None,
    };
    QuorumStatus {
        leader: Some(0),
        epoch: 1,
        high_watermark: 5_000,
        voters: ends.iter().map(voter).collect(),
        observers: Vec::new(),
    }
}

const ALL: [(i32, Option<u64>); 3] = [(0, Some(5_000)), (1, Some(5_000)), (2, Some(4_999))];

#[test]
fn one_of_three_may_stop_while_all_are_in_sync() {
    let image = image(&[0, 1, 2], &[(&[0, 1, 2], &[0, 1, 2]), (&[1, 2, 0], &[1, 2, 0])]);
    let verdict = may_stop(&image, &quorum(&ALL), &[0], |_, _| 2);
    assert_eq!(verdict.reasons, []);
    assert_eq!(verdict.leaders, BTreeMap::from([(0, 1)]));
    let verdict = may_stop(&image, &quorum(&ALL), &[0, 1], |_, _| 2);
    assert_eq!(verdict.reasons.len(), 3, "both partitions and the quorum: {verdict:?}");
}

#[test]
fn a_recovery_is_left_alone() {
    let image = image(&[0, 1, 2], &[(&[0, 1, 2], &[0, 1])]);
    assert_eq!(may_stop(&image, &quorum(&ALL), &[0], |_, _| 2).reasons.len(), 1);
    assert_eq!(may_stop(&image, &quorum(&ALL), &[2], |_, _| 2).reasons, [], "it is out already");
}

#[test]
fn what_cannot_be_helped_says_nothing() {
    let image = image(&[0, 1], &[(&[0], &[0]), (&[0, 1], &[0, 1])]);
    let verdict = may_stop(&image, &quorum(&ALL[..2]), &[0], |_, p| p.replicas.len());
    assert_eq!((verdict.reasons.len(), verdict.unavoidable.len()), (0, 2));
}

#[test]
fn voters_that_lag_do_not_count() {
    let image = image(&[0, 1, 2], &[]);
    let lagging = quorum(&[(0, Some(5_000)), (1, Some(10)), (2, Some(5_000))]);
    assert_eq!(
        may_stop(&image, &lagging, &[0], |_, _| 1).reasons,
        [Reason::Quorum { left: 1, needed: 2 }]
    );
    assert_eq!(may_stop(&image, &lagging, &[1], |_, _| 1).reasons, []);
    let unheard = quorum(&[(0, Some(5_000)), (1, None), (2, Some(5_000))]);
    assert_eq!(may_stop(&image, &unheard, &[2], |_, _| 1).reasons.len(), 1);
}

#[test]
fn strangers_are_named() {
    let image = image(&[0], &[]);
    assert_eq!(may_stop(&image, &quorum(&ALL), &[9], |_, _| 1).reasons, [Reason::UnknownBroker(9)]);
}
