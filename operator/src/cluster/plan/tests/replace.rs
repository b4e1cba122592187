//! Volumes that are replaced.

use crds::{Reason, Scaling};

use super::super::model::{Kill, World};
use super::super::{Request, voter_count};
use super::KILLS;
use crate::verdict::Verdict;

/// Asks for another volume.
fn asked(brokers: i32, id: i32) -> World {
    let mut world = World::of(brokers);
    world.volumes.get_mut(&id).unwrap().request = Some(Request::Safely);
    world
}

/// A volume is gone, and its broker does not work.
fn lost(brokers: i32, id: i32) -> World {
    let mut world = World::of(brokers);
    world.volumes.get_mut(&id).unwrap().lost = true;
    world.pods.get_mut(&id).unwrap().holds = false;
    world.replace_lost = true;
    world
}

/// Passes until something is so.
fn until(world: &mut World, is_so: impl Fn(&World) -> bool) {
    for _ in 0..100 {
        if is_so(world) {
            return;
        }
        world.pass(None);
    }
    panic!("it never is: {:?} {world:?}", world.verdict);
}

/// Some passes; what is said last.
fn some(world: &mut World) -> Verdict {
    for _ in 0..20 {
        world.pass(None);
    }
    world.verdict.clone().expect("it is not settled")
}

fn check(world: &World, brokers: usize, id: i32, what: &str) {
    assert_eq!(world.volumes[&id].generation, 1, "{what}");
    let others = world.volumes.iter().filter(|(other, _)| **other != id);
    assert!(others.clone().all(|(_, claim)| claim.generation == 0), "{what}");
    assert_eq!(world.ids().len(), brokers, "{what}");
    assert_eq!(world.voters.len(), voter_count(brokers), "{what}: {:?} vote", world.voters);
    assert_eq!(world.scaling, Scaling::default(), "{what}");
    let mut log = world.log.clone();
    log.dedup();
    assert_eq!(log, [format!("empty {id}")], "{what}");
}

#[test]
fn a_volume_is_replaced_and_filled_wherever_the_operator_is_killed() {
    // The active controller and its only voter among them.
    let worlds = [(2, 0), (2, 1), (3, 0), (3, 2), (5, 0), (5, 4)];
    for (brokers, id) in worlds {
        for begin in [asked, lost] {
            if brokers == 2 && id == 0 && begin(2, 0).replace_lost {
                continue;
            }
            let passes = begin(brokers, id).settle();
            for kill in KILLS {
                for at in 0..passes {
                    let mut world = begin(brokers, id);
                    world.settle_with(|pass| (pass == at).then_some(kill));
                    check(
                        &world,
                        brokers as usize,
                        id,
                        &format!("{id} of {brokers}, {kill:?} {at}"),
                    );
                }
                let mut world = begin(brokers, id);
                world.settle_with(|pass| (pass % 2 == 0).then_some(kill));
                check(&world, brokers as usize, id, &format!("{id} of {brokers}, {kill:?} always"));
            }
        }
    }
}

#[test]
fn a_lost_volume_waits_for_a_person_unless_the_spec_says_otherwise() {
    let mut world = lost(3, 1);
    world.replace_lost = false;
    let verdict = some(&mut world);
    assert!(matches!(verdict, Verdict::Stalled(Reason::VolumeLost, _)), "{verdict:?}");
    assert!(
        verdict
            .message()
            .contains("kubectl annotate pvc data-demo-1 vltava.dev/replace-volume=true")
    );
    assert_eq!(world.log, [""; 0]);
    world.volumes.get_mut(&1).unwrap().request = Some(Request::Safely);
    world.settle();
    check(&world, 3, 1, "when asked");
}

#[test]
fn the_only_copy_is_never_given_up_but_by_force() {
    for mut world in [asked(3, 1), lost(3, 1)] {
        world.sole.insert(1);
        // While another broker may bring what is missing, it is waited for.
        let other = world.clone().pods.remove(&2).unwrap();
        world.pods.get_mut(&2).unwrap().recovering = true;
        let verdict = some(&mut world);
        assert!(matches!(verdict, Verdict::Working(..)), "{verdict:?}");
        world.pods.insert(2, other);
        let verdict = some(&mut world);
        assert!(matches!(verdict, Verdict::Stalled(Reason::ReplaceBlocked, _)), "{verdict:?}");
        assert!(verdict.message().contains("partitions of topic orders are in sync nowhere else"));
        assert_eq!((world.log.len(), world.voters.len()), (0, 3));
        world.volumes.get_mut(&1).unwrap().request = Some(Request::Anyway);
        world.settle();
        check(&world, 3, 1, "by force");
    }
}

#[test]
fn no_answer_is_a_no() {
    for mut world in [asked(3, 1), lost(3, 1)] {
        for begun in [false, true] {
            if begun {
                world.pass(None);
                assert!(world.scaling.replacing.is_some());
            }
            for old_release in [false, true] {
                (world.silent, world.old_release) = (!old_release, old_release);
                let verdict = some(&mut world);
                assert_eq!(verdict.reason(), Reason::SafetyUnknown);
                assert_eq!((world.log.len(), world.volumes[&1].deleted), (0, false));
            }
            (world.silent, world.old_release) = (false, false);
        }
        world.settle();
        check(&world, 3, 1, "when they answer");
    }
}

#[test]
fn a_broker_that_works_keeps_its_volume_while_another_is_away() {
    let mut world = asked(3, 1);
    world.pods.get_mut(&2).unwrap().evicted = true;
    let verdict = some(&mut world);
    assert_eq!(
        verdict.message(),
        "replacing the volume of broker 1 waits until pod demo-2-0 is ready"
    );
    assert_eq!(world.log, [""; 0]);
    world.pods.get_mut(&2).unwrap().evicted = false;
    world.settle();
    check(&world, 3, 1, "when nobody is away");
}

#[test]
fn one_volume_after_the_other() {
    let mut world = asked(5, 1);
    world.volumes.get_mut(&3).unwrap().request = Some(Request::Safely);
    world.settle();
    assert_eq!(world.log, ["empty 1", "empty 3"]);
}

#[test]
fn it_says_how_far_it_is_and_is_not_ready_before() {
    let mut world = asked(3, 2);
    let mut said = Vec::new();
    for _ in 0..100 {
        if world.pass(None) {
            break;
        }
        let text = world.verdict.as_ref().unwrap().message().to_owned();
        if said.last() != Some(&text) {
            said.push(text);
        }
    }
    for part in [
        "broker 2 stops voting in the metadata quorum",
        "replacing the volume of broker 2: it is deleted, and an empty one takes its place",
        "replacing the volume of broker 2; 2 of 3 brokers ready; pod demo-2-0 is starting",
        "broker 2 becomes a voter of the metadata quorum",
        "replacing the volume of broker 2: 1 of 3 replicas are not in sync yet",
    ] {
        assert!(said.iter().any(|text| text == part), "{part} of {said:#?}");
    }
}

#[test]
fn with_spare_brokers_another_one_takes_the_vote_over() {
    let mut world = World::of(5);
    world.voters.remove(&4);
    world.voters.remove(&3);
    world.first_voters = 3;
    world.volumes.get_mut(&1).unwrap().request = Some(Request::Safely);
    until(&mut world, |world| world.volumes[&1].generation == 1);
    // One more voter is given its vote only while there are too few without the one that goes.
    assert_eq!(world.voters.iter().copied().collect::<Vec<_>>(), [0, 2, 3]);
    world.settle();
    assert_eq!(world.voters.iter().copied().collect::<Vec<_>>(), [0, 2, 3]);
}

#[test]
fn a_change_of_mind_before_anything_is_deleted_keeps_the_volume() {
    let mut world = asked(3, 1);
    until(&mut world, |world| !world.voters.contains(&1));
    world.volumes.get_mut(&1).unwrap().request = None;
    world.settle();
    assert_eq!(world.volumes[&1].generation, 0);
    assert_eq!((world.log.len(), world.voters.len()), (0, 3));
}

#[test]
fn a_broker_that_goes_needs_no_new_volume() {
    let mut world = asked(4, 1);
    world.pass(None);
    (world.replicas, world.remove) = (3, vec![1]);
    world.settle();
    assert_eq!(world.log, ["remove 1"]);
}

#[test]
fn a_new_volume_that_is_lost_in_its_turn_is_replaced_too() {
    let mut world = lost(3, 1);
    until(&mut world, |world| world.volumes[&1].generation == 1);
    world.volumes.get_mut(&1).unwrap().lost = true;
    world.pods.get_mut(&1).unwrap().holds = false;
    world.settle_with(|pass| (pass % 2 == 0).then_some(Kill::Within));
    assert_eq!(world.volumes[&1].generation, 2);
    assert_eq!(world.voters.len(), 3);
}

#[test]
fn the_only_broker_is_emptied_only_by_force() {
    let mut world = asked(1, 0);
    let verdict = some(&mut world);
    assert_eq!(verdict.reason(), Reason::ReplaceBlocked);
    world.volumes.get_mut(&0).unwrap().request = Some(Request::Anyway);
    world.silent = true;
    for _ in 0..4 {
        world.pass(None);
    }
    world.silent = false;
    world.settle();
    assert_eq!(world.volumes[&0].generation, 1);
}

#[test]
fn it_is_not_forgotten_over_a_scaling() {
    let mut grown = asked(3, 1);
    until(&mut grown, |world| world.volumes[&1].generation == 1);
    grown.replicas = 4;
    let mut back = World::of(4);
    (back.replicas, back.remove) = (3, vec![3]);
    back.pass(None);
    back.volumes.get_mut(&1).unwrap().request = Some(Request::Safely);
    until(&mut back, |world| world.volumes[&1].generation == 1);
    assert_eq!(back.scaling.removing, [3]);
    (back.replicas, back.remove) = (4, Vec::new());
    for mut world in [grown, back] {
        // More than anything else needs; the model sees to it that nothing is ready before.
        world.behind.insert(1, 60);
        assert!(world.settle() > 60);
        assert_eq!(world.ids().len(), 4);
    }
}
