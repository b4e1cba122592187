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
fn a_set_takes_no_more_voters_than_the_quorum_can_spare() {
    let image = image(&[0, 1, 2, 3, 4, 5, 6], &[]);
    let of = |voters: i32| -> Vec<_> { (0..voters).map(|id| (id, Some(5_000))).collect() };
    let needs = |voters: i32, set: &[i32]| {
        let reasons = may_stop(&image, &quorum(&of(voters)), set, |_, _| 1).reasons;
        assert!(reasons.iter().all(|r| matches!(r, Reason::Quorum { .. })), "{reasons:?}");
        reasons.len()
    };
    for (voters, set, refused) in [
        (5, &[0, 1, 5, 6][..], 0),
        (5, &[0, 1, 2], 1),
        (3, &[0, 5, 6], 0),
        (3, &[0, 1], 1),
        // What cannot be helped for one is still no reason to take others along.
        (1, &[0], 0),
        (1, &[0, 5], 1),
        (2, &[1, 5], 1),
    ] {
        assert_eq!(needs(voters, set), refused, "{set:?} of {voters} voters");
    }
}

#[test]
fn a_set_of_a_rack_may_stop_where_replicas_are_spread_and_each_part_of_it_too() {
    let spread = image(&[0, 1, 2, 3, 4, 5], &[(&[0, 2, 4], &[0, 2, 4]), (&[1, 3, 5], &[1, 3, 5])]);
    let may = |image: &MetadataImage, set: &[i32]| {
        may_stop(image, &quorum(&[]), set, |_, _| 2).reasons.is_empty()
    };
    for set in [&[0, 1][..], &[0], &[1]] {
        assert!(may(&spread, set), "{set:?}");
    }
    assert!(!may(&spread, &[0, 2]), "two of one partition");
    let alone = image(&[0, 1, 2], &[(&[0], &[0]), (&[1, 2], &[1, 2])]);
    assert!(!may(&alone, &[0, 1]), "one that cannot be helped is no reason to take others along");
}

#[test]
fn strangers_are_named() {
    let image = image(&[0], &[]);
    assert_eq!(may_stop(&image, &quorum(&ALL), &[9], |_, _| 1).reasons, [Reason::UnknownBroker(9)]);
}
