use super::super::testing::{carry_out, cluster, fence, join, new_replicas, with_isr};
use super::super::{evacuate, remaining};
use super::*;

fn counts(image: &MetadataImage) -> Vec<(i32, usize, usize)> {
    let loads = Loads::of(image, &Sizes::new(), &[]);
    loads.0.iter().map(|(id, load)| (*id, load.replicas, load.preferred)).collect()
}

const THREE: [(i32, Option<&str>); 3] = [(0, None), (1, None), (2, None)];

#[test]
fn new_brokers_get_their_share_by_the_fewest_moves() {
    let mut image = join(&join(&cluster(&THREE, 30, 3), 3, None), 4, None);
    let (mut moved, start) = (0, image.clone());
    loop {
        let plan = spread(&image, &Sizes::new(), 1_000);
        let after = carry_out(&image, &plan);
        moved += new_replicas(&image, &plan);
        image = after;
        if plan.moves.is_empty() {
            break;
        }
    }
    assert!(counts(&image).iter().all(|(_, replicas, _)| *replicas == 18), "{:?}", counts(&image));
    // 90 replicas on five brokers: each new one gets 18, and no other replica moves.
    assert_eq!(moved, 36, "from {:?}", counts(&start));
}

#[test]
fn a_plan_is_made_again_until_nothing_is_left_to_do() {
    let mut image = join(&cluster(&THREE, 30, 2), 7, None);
    for round in 0.. {
        assert!(round < 50, "it does not end");
        let plan = spread(&image, &Sizes::new(), 4);
        assert!(plan.moves.len() <= 4);
        if plan.moves.is_empty() {
            break;
        }
        image = carry_out(&image, &plan);
    }
    for (_, replicas, preferred) in counts(&image) {
        assert_eq!(replicas, 15);
        assert!((7..=8).contains(&preferred), "{:?}", counts(&image));
    }
}

#[test]
fn the_smallest_of_equally_good_moves_is_taken() {
    let image = join(&cluster(&THREE[..1], 4, 1), 1, None);
    let id = image.topic("t").unwrap().id;
    let sizes = Sizes::from([((id, 0), 50), ((id, 1), 10), ((id, 2), 40), ((id, 3), 20)]);
    let plan = spread(&image, &sizes, 10);
    assert_eq!(plan.bytes, 30);
}

#[test]
fn racks_are_kept_apart() {
    let racks = [(0, Some("a")), (1, Some("b")), (2, Some("a"))];
    let image = cluster(&racks[..2], 8, 2);
    let image = join(&image, 2, Some("a"));
    let after = carry_out(&image, &spread(&image, &Sizes::new(), 100));
    for (_, partition) in after.topic("t").unwrap().iter() {
        assert!(partition.replicas.contains(&1), "1 alone is in rack b: {partition:?}");
    }
}

#[test]
fn everything_goes_off_brokers_that_leave_and_what_cannot_is_named() {
    let five: Vec<(i32, Option<&str>)> = (0..5).map(|id| (id, None)).collect();
    let image = cluster(&five, 25, 3);
    let sizes = Sizes::new();
    let plan = evacuate(&image, &sizes, &[1, 3], 1_000);
    assert_eq!(plan.blocked, []);
    let after = carry_out(&image, &plan);
    assert_eq!(remaining(&after, &sizes, &[1, 3]).replicas, 0);
    let before = counts(&image);
    let off =
        before.iter().filter(|(id, ..)| [1, 3].contains(id)).map(|(_, n, _)| n).sum::<usize>();
    assert_eq!(new_replicas(&image, &plan), off, "nothing moves that need not");
    let plan = evacuate(&image, &sizes, &[1, 2, 3], 1_000);
    assert_eq!(plan.blocked.len(), 25);
    assert!(plan.blocked[0].why.contains("add brokers"), "{:?}", plan.blocked[0]);
}

#[test]
fn what_only_one_broker_has_is_told_and_what_it_lacks() {
    let three = [(0, None), (1, None), (2, None)];
    let left = |image: &MetadataImage| remaining(image, &Sizes::new(), &[0]);
    let whole = left(&cluster(&three, 3, 2));
    assert_eq!((whole.replicas, whole.behind, whole.sole), (2, 0, 0));
    let alone = left(&cluster(&three, 3, 1));
    assert_eq!((alone.sole, alone.sole_topics), (1, vec!["t".into()]));
    // The only other replica in sync is on a broker that is not active.
    let others_fenced = fence(&fence(&cluster(&three, 3, 2), 1), 2);
    assert_eq!(left(&others_fenced).sole, 2);
    // It is back with nothing, and others have all.
    let emptied = with_isr(&cluster(&three, 1, 2), 0, &[1]);
    assert_eq!((left(&emptied).behind, left(&emptied).sole), (1, 0));
}

#[test]
fn no_more_is_under_way_than_allowed() {
    let five: Vec<(i32, Option<&str>)> = (0..5).map(|id| (id, None)).collect();
    let image = cluster(&five, 25, 3);
    assert_eq!(evacuate(&image, &Sizes::new(), &[4], 3).moves.len(), 3);
}
