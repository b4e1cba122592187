use super::super::load::Loads;
use super::super::testing::{
    carry_out, cluster, fence, join, measured, new_replicas, roomy, with_isr,
};
use super::super::{Sizes, evacuate, remaining};
use super::*;

fn counts(image: &MetadataImage) -> Vec<(i32, usize, usize)> {
    let loads = Loads::of(image, &roomy(image), &[]);
    loads.brokers.iter().map(|(id, load)| (*id, load.replicas, load.preferred)).collect()
}

const THREE: [(i32, Option<&str>); 3] = [(0, None), (1, None), (2, None)];

#[test]
fn new_brokers_get_their_share_by_the_fewest_moves() {
    let mut image = join(&join(&cluster(&THREE, 30, 3), 3, None), 4, None);
    let (mut moved, start) = (0, image.clone());
    loop {
        let plan = spread(&image, &roomy(&image), 1_000);
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
        let plan = spread(&image, &roomy(&image), 4);
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
    let survey = measured(&image, &[(50, 0, 0), (10, 0, 0), (40, 0, 0), (20, 0, 0)]);
    let plan = spread(&image, &survey, 10);
    assert_eq!(plan.bytes, 30);
}

#[test]
fn racks_are_kept_apart() {
    let racks = [(0, Some("a")), (1, Some("b")), (2, Some("a"))];
    let image = cluster(&racks[..2], 8, 2);
    let image = join(&image, 2, Some("a"));
    let after = carry_out(&image, &spread(&image, &roomy(&image), 100));
    for (_, partition) in after.topic("t").unwrap().iter() {
        assert!(partition.replicas.contains(&1), "1 alone is in rack b: {partition:?}");
    }
}

#[test]
fn everything_goes_off_brokers_that_leave_and_what_cannot_is_named() {
    let five: Vec<(i32, Option<&str>)> = (0..5).map(|id| (id, None)).collect();
    let image = cluster(&five, 25, 3);
    let sizes = Sizes::new();
    let plan = evacuate(&image, &roomy(&image), &[1, 3], 1_000);
    assert_eq!(plan.blocked, []);
    let after = carry_out(&image, &plan);
    assert_eq!(remaining(&after, &sizes, &[1, 3]).replicas, 0);
    let before = counts(&image);
    let off =
        before.iter().filter(|(id, ..)| [1, 3].contains(id)).map(|(_, n, _)| n).sum::<usize>();
    assert_eq!(new_replicas(&image, &plan), off, "nothing moves that need not");
    let plan = evacuate(&image, &roomy(&image), &[1, 2, 3], 1_000);
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
    assert_eq!(evacuate(&image, &roomy(&image), &[4], 3).moves.len(), 3);
}

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

fn has(image: &MetadataImage, survey: &Survey) -> Vec<(u64, u64, u64)> {
    let loads = Loads::of(image, survey, &[]);
    loads.brokers.values().map(|load| (load.bytes, load.bytes_in, load.bytes_out)).collect()
}

#[test]
fn busy_partitions_change_places_with_idle_ones() {
    // Two partitions a broker, and both of broker 0's are busy.
    let two = [(0, None), (1, None)];
    let image = cluster(&two, 4, 1);
    let busy = |bytes| (bytes, 50 * MIB, 0);
    let survey =
        measured(&image, &[busy(3 * GIB), (3 * GIB, 0, 0), busy(2 * GIB), (2 * GIB, 0, 0)]);
    let plan = spread(&image, &survey, 10);
    let after = carry_out(&image, &plan);
    assert_eq!(plan.moves.len(), 2, "{plan:?}");
    // The smaller of the busy ones goes, and the smaller of the others comes back for it.
    assert_eq!(plan.bytes, 4 * GIB);
    let loads = has(&after, &survey);
    assert_eq!((loads[0].1, loads[1].1), (50 * MIB, 50 * MIB));
    assert_eq!(counts(&after), [(0, 2, 2), (1, 2, 2)]);
}

#[test]
fn full_disks_are_evened_out_though_the_numbers_are_equal() {
    let image = cluster(&[(0, None), (1, None)], 4, 1);
    let survey = measured(&image, &[(90 * GIB, 0, 0), (GIB, 0, 0), (80 * GIB, 0, 0), (GIB, 0, 0)]);
    let after = carry_out(&image, &spread(&image, &survey, 10));
    assert_eq!(has(&after, &survey).iter().map(|l| l.0 / GIB).collect::<Vec<_>>(), [91, 81]);
}

#[test]
fn small_differences_move_nothing() {
    let image = cluster(&[(0, None), (1, None)], 4, 1);
    // A fifth above the mean; and less than anyone would notice.
    for weights in
        [[(120 * GIB, 120 * MIB, 0), (100 * GIB, 100 * MIB, 0)], [(GIB, MIB, MIB), (0, 0, 0)]]
    {
        let survey = measured(&image, &[weights[0], weights[1], weights[0], weights[1]]);
        assert_eq!(spread(&image, &survey, 10), Plan::default());
    }
}

#[test]
fn leaders_that_send_much_change_places_and_nothing_is_copied() {
    let image = cluster(&[(0, None), (1, None)], 4, 2);
    let out = |bytes| (GIB, 0, bytes);
    let survey = measured(&image, &[out(60 * MIB), out(0), out(50 * MIB), out(0)]);
    let plan = spread(&image, &survey, 10);
    assert_eq!((plan.moves.len(), plan.bytes, new_replicas(&image, &plan)), (2, 0, 0));
    let after = carry_out(&image, &plan);
    assert_eq!(counts(&after), counts(&image));
    let sent: Vec<u64> = has(&after, &survey).iter().map(|load| load.2 / MIB).collect();
    assert_eq!(sent.iter().max(), Some(&60), "{sent:?}");
}

#[test]
fn a_leader_sends_what_its_followers_take() {
    let image = cluster(&THREE, 1, 3);
    let survey = measured(&image, &[(1, 10, 7)]);
    assert_eq!(has(&image, &survey), [(1, 10, 27), (1, 10, 0), (1, 10, 0)]);
}

#[test]
fn a_disk_without_room_gets_nothing_and_that_is_told() {
    let image = join(&cluster(&THREE, 30, 3), 3, None);
    let mut survey = measured(&image, &[(GIB, 0, 0); 30]);
    // Five partitions fit above the headroom of 10 GiB.
    let disk = super::super::Disk { total: 200 * GIB, usable: 17 * GIB, coming: 2 * GIB };
    survey.disks.insert(3, disk);
    let plan = spread(&image, &survey, 1_000);
    assert_eq!(new_replicas(&image, &plan), 5);
    assert!(plan.blocked[0].why.contains("broker 3"), "{:?}", plan.blocked);
    // Without an answer it might have none.
    survey.disks.remove(&3);
    let plan = spread(&image, &survey, 1_000);
    assert_eq!(plan.moves, []);
    assert!(plan.blocked[0].why.contains("did not say"), "{:?}", plan.blocked);
}

#[test]
fn what_has_no_room_elsewhere_stays_on_a_broker_that_leaves() {
    let image = join(&cluster(&THREE, 3, 3), 3, None);
    let mut survey = measured(&image, &[(GIB, 0, 0); 3]);
    survey.disks.insert(3, super::super::Disk { total: 100 * GIB, usable: 12 * GIB, coming: 0 });
    let plan = evacuate(&image, &survey, &[0], 1_000);
    assert_eq!((plan.moves.len(), plan.bytes, plan.blocked.len()), (2, 2 * GIB, 1));
    assert!(plan.blocked[0].why.contains("enlarge the volumes"), "{:?}", plan.blocked);
}

#[test]
fn many_small_partitions_are_evened_out_by_as_few_moves_as_it_takes() {
    let two = [(0, None), (1, None)];
    let image = cluster(&two, 400, 1);
    // Broker 0 has 200 busy ones, of which each is a two-hundredth of what is too many.
    let weights: Vec<_> = (0..400).map(|p| (GIB, if p % 2 == 0 { MIB } else { 0 }, 0)).collect();
    let survey = measured(&image, &weights);
    let plan = spread(&image, &survey, 1_000);
    let after = carry_out(&image, &plan);
    let taken: Vec<u64> = has(&after, &survey).iter().map(|load| load.1 / MIB).collect();
    // Until a fifth above the mean of 100.
    assert_eq!(taken, [120, 80]);
    assert_eq!(plan.moves.len(), 2 * 80);
}
