//! Rolls of several brokers of a zone together.

use super::super::model::{Kill, World};
use super::KILLS;

/// Brokers in turn in three zones, that get another spec, with five voters.
fn zoned(brokers: i32, together: usize) -> World {
    let mut world = World::of(brokers);
    world.zones = (0..brokers).map(|id| (id, ["a", "b", "c"][id as usize % 3])).collect();
    (world.version, world.leader, world.together) = (2, 1, together);
    world
}

#[test]
fn one_goes_first_then_zone_by_zone_and_the_controller_last() {
    let mut world = zoned(9, 5);
    world.settle();
    assert_eq!(
        world.log,
        ["restart 0", "restart 2+5+8", "restart 3+6", "restart 4+7", "restart 1"]
    );
}

#[test]
fn no_more_go_together_than_the_spec_lets() {
    let mut world = zoned(9, 2);
    world.settle();
    let order =
        ["restart 0", "restart 2+5", "restart 3+6", "restart 4+7", "restart 8", "restart 1"];
    assert_eq!(world.log, order);
}

#[test]
fn it_says_which_pods_go_together() {
    let mut world = zoned(9, 5);
    let mut said = Vec::new();
    for _ in 0..60 {
        if world.pass(None) {
            break;
        }
        said.push(world.verdict.as_ref().unwrap().message().to_owned());
    }
    let text = "rolling pods 2 to 4 of 9, zone c: demo-2-0, demo-5-0, demo-8-0 restart together";
    assert!(said.iter().any(|said| said == text), "{said:#?}");
}

#[test]
fn an_operator_killed_at_any_step_of_it_goes_on_from_there() {
    let passes = zoned(9, 3).settle();
    for kill in KILLS {
        for at in 0..=passes {
            // At a pass, at every second pass, and at every pass but each fifth.
            let when: [fn(usize, usize) -> bool; 3] = [
                |pass, at| pass == at,
                |pass, at| pass % 2 == at % 2,
                |pass, at| pass % 5 != at % 5,
            ];
            for is_due in when {
                let mut world = zoned(9, 3);
                world.settle_with(|pass| is_due(pass, at).then_some(kill));
                assert!(world.pods.values().all(|pod| pod.version == 2), "{kill:?} {at}");
                assert_eq!(world.log[0], "restart 0", "{kill:?} {at}");
                assert_eq!(world.log.last().unwrap(), "restart 1", "{kill:?} {at}");
            }
        }
    }
}

#[test]
fn one_at_a_time_unless_asked_and_without_zones() {
    let mut without = zoned(9, 9);
    without.zones.clear();
    for mut world in [zoned(9, 1), without] {
        world.settle();
        assert_eq!(world.log.len(), 9, "{:?}", world.log);
        assert_eq!(world.log.last().unwrap(), "restart 1");
    }
}

#[test]
fn a_set_that_may_not_stop_becomes_a_smaller_one() {
    let mut world = zoned(9, 9);
    // Some partition has replicas on 2 and 8, against the zones.
    world.pairs = vec![[2, 8]];
    world.settle();
    assert_eq!(
        world.log,
        ["restart 0", "restart 2+5", "restart 3+6", "restart 4+7", "restart 8", "restart 1"]
    );
}

#[test]
fn never_more_voters_than_the_quorum_can_spare() {
    let mut world = zoned(9, 9);
    world.leader = 4;
    // Of five voters three are in one zone, beside two that do not vote.
    world.zones = (0..9).map(|id| (id, if (3..7).contains(&id) { "b" } else { "a" })).collect();
    world.settle();
    let sets: Vec<Vec<i32>> = (world.log.iter())
        .map(|set| set["restart ".len()..].split('+').map(|id| id.parse().unwrap()).collect())
        .collect();
    assert!(sets.iter().any(|set| set.len() > 1), "{sets:?}");
    for set in sets {
        assert!(set.iter().filter(|id| world.voters.contains(id)).count() <= 2, "{set:?}");
    }
}

#[test]
fn no_answer_is_a_no_for_sets_too() {
    let mut world = zoned(9, 3);
    for _ in 0..2 {
        world.pass(None);
    }
    assert!(world.down().is_empty() && world.log == ["restart 0"], "{:?}", world.log);
    world.silent = true;
    for _ in 0..20 {
        world.pass(None);
    }
    assert_eq!(world.log, ["restart 0"]);
    world.silent = false;
    world.settle();
    assert_eq!(world.log.len(), 5, "{:?}", world.log);
}

#[test]
fn a_spec_that_crashes_costs_one_broker() {
    let mut world = zoned(9, 9);
    world.bad.insert(2);
    for _ in 0..20 {
        world.pass(Some(Kill::After));
    }
    assert_eq!(world.log, ["restart 0"]);
}
