use super::super::testing::{carry_out, cluster, new_replicas, roomy};
use super::*;
use crate::record::{MetadataRecord, PartitionChange};

const RACKS: [(i32, Option<&str>); 4] =
    [(1, Some("a")), (2, Some("a")), (3, Some("b")), (4, Some("c"))];

fn replicas(image: &MetadataImage, partition: i32) -> Vec<i32> {
    image.partition("t", partition).unwrap().replicas.to_vec()
}

/// As the controller begins a move.
fn begin(image: &MetadataImage, partition: i32, adding: &[i32], removing: &[i32]) -> MetadataImage {
    let topic_id = image.topic("t").unwrap().id;
    let mut all = replicas(image, partition);
    all.extend(adding);
    let change = PartitionChange {
        replicas: Some(all),
        adding_replicas: Some(adding.to_vec()),
        removing_replicas: Some(removing.to_vec()),
        ..PartitionChange::of(topic_id, partition)
    };
    image.with(&[MetadataRecord::PartitionChange(change)]).unwrap()
}

#[test]
fn growing_copies_only_what_is_missing_and_uses_every_rack() {
    let image = cluster(&RACKS, 8, 1);
    let plan = resize(&image, &roomy(&image), "t", 3, 1_000).unwrap();
    assert_eq!((plan.moves.len(), new_replicas(&image, &plan)), (8, 16));
    let after = carry_out(&image, &plan);
    let mut led = [0; 5];
    for partition in 0..8 {
        let now = replicas(&after, partition);
        assert_eq!(now[0], replicas(&image, partition)[0], "the preferred leader stays");
        led[now[0] as usize] += 1;
        let racks = now.iter().map(|id| RACKS[*id as usize - 1].1);
        assert_eq!(racks.collect::<std::collections::BTreeSet<_>>().len(), 3, "{now:?}");
    }
    assert_eq!(led, [0, 2, 2, 2, 2]);
    assert_eq!(resize(&after, &roomy(&after), "t", 3, 1_000), Some(Plan::default()));
    assert_eq!(misfits(&after, &Sizes::new(), "t", 3), Some(Misfits::default()));
}

#[test]
fn shrinking_keeps_leaders_and_racks_and_copies_nothing() {
    let image = cluster(&RACKS, 8, 3);
    let plan = resize(&image, &roomy(&image), "t", 2, 1_000).unwrap();
    assert_eq!((plan.moves.len(), new_replicas(&image, &plan), plan.bytes), (8, 0, 0));
    let after = carry_out(&image, &plan);
    for partition in 0..8 {
        let (was, now) = (replicas(&image, partition), replicas(&after, partition));
        assert_eq!(now[0], was[0]);
        assert_ne!(RACKS[now[0] as usize - 1].1, RACKS[now[1] as usize - 1].1, "{was:?} {now:?}");
    }
}

#[test]
fn a_replica_that_is_behind_goes_first_also_a_preferred_leader() {
    let image = cluster(&[(1, None), (2, None), (3, None)], 1, 3);
    let topic_id = image.topic("t").unwrap().id;
    let isr = PartitionChange {
        isr: Some(vec![3, 2]),
        leader: Some(3),
        ..PartitionChange::of(topic_id, 0)
    };
    let image = image.with(&[MetadataRecord::PartitionChange(isr)]).unwrap();
    let plan = resize(&image, &roomy(&image), "t", 2, 10).unwrap();
    assert_eq!(plan.moves[0].replicas, Some(vec![2, 3]));
    let plan = resize(&image, &roomy(&image), "t", 1, 10).unwrap();
    assert_eq!(plan.moves[0].replicas, Some(vec![2]));
}

#[test]
fn at_most_so_many_move_and_the_rest_follows() {
    let image = cluster(&RACKS, 8, 1);
    let image = begin(&image, 0, &[3, 4], &[]);
    let sizes: Sizes = (0..8).map(|p| ((image.topic("t").unwrap().id, p), 10)).collect();
    assert_eq!(
        resize(&image, &roomy(&image), "t", 3, 3).unwrap().moves.len(),
        2,
        "one moves already"
    );
    let left = misfits(&image, &sizes, "t", 3).unwrap();
    assert_eq!(left, Misfits { partitions: 8, moving: 1, bytes: 8 * 2 * 10 });
}

#[test]
fn a_change_of_mind_overrides_what_is_under_way() {
    let image = begin(&cluster(&RACKS, 1, 1), 0, &[3, 4], &[]);
    let plan = resize(&image, &roomy(&image), "t", 1, 0).unwrap();
    assert_eq!(plan.moves[0].replicas, Some(vec![1]), "those that have caught up least go");
    let plan = resize(&image, &roomy(&image), "t", 2, 0).unwrap();
    assert_eq!(plan.moves[0].replicas.as_ref().unwrap().len(), 2);
    let shrinking = begin(&cluster(&RACKS, 1, 3), 0, &[], &[2, 3]);
    let plan = resize(&shrinking, &roomy(&shrinking), "t", 3, 0).unwrap();
    assert_eq!(plan.moves[0].replicas.as_ref().unwrap().len(), 3);
}

#[test]
fn too_few_brokers_and_no_such_topic_are_told() {
    let image = cluster(&[(1, None), (2, None)], 3, 1);
    let plan = resize(&image, &roomy(&image), "t", 3, 10).unwrap();
    assert!(plan.moves.is_empty());
    assert_eq!(plan.blocked.len(), 1);
    assert!(plan.blocked[0].why.contains("there are 2"), "{}", plan.blocked[0].why);
    assert_eq!(resize(&image, &roomy(&image), "other", 3, 10), None);
}
