//! Whole rolls and scalings, undisturbed, with a change of mind, and with the operator killed at every step.

mod replace;
mod roll_zone;

use crds::{Reason, Scaling};

use super::model::{Kill, World};
use super::voter_count;
use crate::verdict::Verdict;

const KILLS: [Kill; 3] = [Kill::Before, Kill::Within, Kill::After];

/// Which ids a cluster of five is left with.
const REMOVALS: [(i32, &[i32], &[i32]); 5] = [
    (3, &[], &[0, 1, 2]),
    (3, &[0, 1], &[2, 3, 4]),
    (3, &[1, 3], &[0, 2, 4]),
    (1, &[0], &[1]),
    (5, &[2], &[0, 1, 3, 4, 5]),
];

fn scaled(replicas: i32, remove: &[i32]) -> World {
    let mut world = World::of(5);
    (world.replicas, world.remove) = (replicas, remove.to_vec());
    world
}

/// What must hold once a cluster has settled.
fn check(world: &World, ids: &[i32], what: &str) {
    assert_eq!(world.ids(), ids, "{what}");
    assert_eq!(world.scaling, Scaling::default(), "{what}");
    assert_eq!(world.registered.iter().copied().collect::<Vec<_>>(), ids, "{what}");
    assert_eq!(world.load.values().sum::<u64>(), 15, "{what}: replicas are lost");
    for (id, load) in &world.load {
        assert!(*load == 0 || ids.contains(id), "{what}: {load} are left on {id}");
    }
    assert!(world.voters.iter().all(|id| ids.contains(id)), "{what}: {:?} vote", world.voters);
    assert_eq!(world.voters.len(), voter_count(ids.len()), "{what}: {:?} vote", world.voters);
}

#[test]
fn any_brokers_go_after_everything_has_moved_off_them() {
    for (replicas, remove, ids) in REMOVALS {
        let mut world = scaled(replicas, remove);
        world.settle();
        check(&world, ids, &format!("{replicas} without {remove:?}"));
        assert_eq!(
            world.volumes.len(),
            5.max(*ids.last().unwrap() as usize + 1),
            "a volume is gone"
        );
    }
}

#[test]
fn an_operator_killed_at_any_step_goes_on_from_there() {
    for (replicas, remove, ids) in REMOVALS {
        let passes = scaled(replicas, remove).settle();
        for kill in KILLS {
            for at in 0..passes {
                let mut world = scaled(replicas, remove);
                world.settle_with(|pass| (pass == at).then_some(kill));
                check(&world, ids, &format!("{replicas} without {remove:?}, {kill:?} {at}"));
            }
            // And over and over again.
            let mut world = scaled(replicas, remove);
            world.settle_with(|pass| (pass % 2 == 0).then_some(kill));
            check(&world, ids, &format!("{replicas} without {remove:?}, {kill:?} always"));
        }
    }
}

#[test]
fn a_change_of_mind_at_any_step_brings_everything_back() {
    for (replicas, remove, _) in REMOVALS {
        let passes = scaled(replicas, remove).settle();
        for at in 0..passes {
            let mut world = scaled(replicas, remove);
            for _ in 0..at {
                world.pass(None);
            }
            (world.replicas, world.remove) = (5, Vec::new());
            world.settle();
            let ids = world.ids();
            assert_eq!(ids.len(), 5);
            check(&world, &ids, &format!("{replicas} without {remove:?}, changed at {at}"));
            let loads: Vec<_> = ids.iter().map(|id| world.load[id]).collect();
            assert!(loads.iter().all(|l| (2..=4).contains(l)), "{loads:?} after {at}");
        }
    }
}

#[test]
fn new_brokers_start_and_get_their_share_and_votes() {
    let mut world = World::of(3);
    world.replicas = 5;
    let passes = world.clone().settle();
    for kill in KILLS {
        for at in 0..passes {
            let mut world = world.clone();
            world.settle_with(|pass| (pass == at).then_some(kill));
            assert_eq!(world.ids(), [0, 1, 2, 3, 4]);
            assert_eq!(world.voters.len(), 3, "three voters are enough for what began with three");
            assert!(world.load.values().all(|load| *load >= 1), "{:?} {kill:?} {at}", world.load);
            assert_eq!(world.log, [""; 0], "something was restarted");
        }
    }
}

#[test]
fn volumes_go_only_if_the_spec_says_so() {
    let mut world = scaled(3, &[1, 3]);
    world.delete_volumes = true;
    world.settle_with(|pass| (pass % 3 == 0).then_some(Kill::Within));
    assert_eq!(world.volumes.into_keys().collect::<Vec<_>>(), [0, 2, 4]);
}

#[test]
fn a_topic_that_cannot_move_is_named_and_nothing_is_removed() {
    let mut world = scaled(3, &[]);
    world.blocked = Some("orders".into());
    for _ in 0..20 {
        world.pass(None);
    }
    let verdict = world.verdict.clone().unwrap();
    assert!(matches!(verdict, Verdict::Stalled(Reason::ScaleDownBlocked, _)));
    assert!(verdict.message().contains("topic orders cannot move"), "{}", verdict.message());
    assert_eq!(world.scaling.blocked_topics, ["orders"]);
    assert_eq!(world.ids().len(), 5);
    world.blocked = None;
    world.settle();
    check(&world, &[0, 1, 2], "after the topic could move");
}

#[test]
fn a_roll_takes_one_broker_at_a_time_and_the_controller_last() {
    let mut world = World::of(3);
    world.leader = 1;
    world.version = 2;
    let passes = world.clone().settle();
    for kill in KILLS {
        for at in 0..passes {
            let mut world = world.clone();
            world.settle_with(|pass| (pass == at).then_some(kill));
            let mut order = world.log.clone();
            order.dedup();
            assert_eq!(order, ["restart 0", "restart 2", "restart 1"], "{kill:?} {at}");
        }
    }
}

#[test]
fn nothing_restarts_or_goes_while_the_brokers_say_nothing() {
    for mut world in [World { version: 2, ..World::of(3) }, scaled(3, &[1])] {
        world.silent = true;
        let ids = world.ids();
        for _ in 0..20 {
            world.pass(None);
        }
        assert_eq!(world.log, [""; 0]);
        assert_eq!(world.ids(), ids);
        assert_eq!(world.verdict.as_ref().map(Verdict::reason), Some(Reason::SafetyUnknown));
        world.silent = false;
        world.settle();
    }
}

#[test]
fn a_roll_says_which_pod_of_how_many_and_why_it_waits() {
    let mut world = World::of(3);
    world.version = 2;
    world.pass(None);
    assert_eq!(world.verdict.as_ref().unwrap().message(), "rolling pod 1 of 3: demo-1-0 restarts");
    world.pass(None);
    assert_eq!(
        world.verdict.as_ref().unwrap().message(),
        "rolling, 1 of 3 pods changed; 2 of 3 brokers ready; pod demo-1-0 is starting"
    );
}

#[test]
fn a_spec_that_crashes_stops_at_one_broker_and_can_be_corrected() {
    let mut world = World::of(3);
    world.version = 2;
    world.bad.insert(2);
    for _ in 0..20 {
        world.pass(None);
    }
    assert_eq!(world.log, ["restart 1"]);
    assert_eq!(world.verdict.as_ref().map(Verdict::reason), Some(Reason::PodFailing));
    world.version = 3;
    world.settle();
    assert_eq!(world.log, ["restart 1", "restart 1", "restart 2", "restart 0"]);
}

#[test]
fn a_cluster_that_never_came_up_can_be_corrected() {
    let mut world = World::of(3);
    world.version = 2;
    world.pods.values_mut().for_each(|pod| pod.crashing = true);
    world.silent = true;
    for _ in 0..8 {
        world.pass(None);
    }
    world.silent = false;
    world.settle();
    assert_eq!(world.log, ["restart 0", "restart 1", "restart 2"]);
}

#[test]
fn a_single_voter_that_grows_gets_company_before_it_restarts() {
    // One broker becomes three, which also changes its configuration.
    let mut world = World::of(1);
    (world.replicas, world.version) = (3, 2);
    world.settle();
    assert_eq!(world.voters.len(), 3);
    assert!(world.pods.values().all(|pod| pod.version == 2));
}

#[test]
fn a_vote_that_cannot_be_given_keeps_back_nothing_but_removal() {
    let mut world = World::of(3);
    (world.replicas, world.version, world.no_votes) = (5, 2, true);
    world.settle();
    assert_eq!((world.ids().len(), world.voters.len()), (5, 3));
    let mut two = World::of(2);
    two.version = 2;
    two.settle();
    assert_eq!(two.log, ["restart 1", "restart 0"]);
    let mut away = World::of(4);
    (away.replicas, away.remove, away.no_votes) = (3, vec![0], true);
    for _ in 0..30 {
        away.pass(None);
    }
    assert_eq!((away.ids().len(), away.voters.len()), (4, 3), "the quorum shrinks");
    away.no_votes = false;
    away.settle();
    assert_eq!(away.voters.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_single_broker_restarts_without_asking() {
    let mut world = World::of(1);
    (world.version, world.silent) = (2, true);
    world.settle();
    assert_eq!(world.log, ["restart 0"]);
}

#[test]
fn a_recovery_is_left_alone_by_a_changed_spec() {
    let mut world = World::of(3);
    world.pods.get_mut(&1).unwrap().recovering = true;
    world.version = 2;
    for _ in 0..10 {
        world.pass(None);
    }
    assert_eq!(world.log, [""; 0]);
    assert!(world.verdict.as_ref().unwrap().message().contains("recovers its log"));
    world.pods.get_mut(&1).unwrap().recovering = false;
    world.settle();
    assert_eq!(world.log, ["restart 1", "restart 2", "restart 0"]);
}

#[test]
fn a_roll_waits_for_nodes_that_are_not_heard_from() {
    let mut world = World::of(5);
    world.version = 2;
    // As after the API server was away: all work, and the control plane believes in none.
    world.unheard = (0..5).collect();
    for _ in 0..10 {
        world.pass(None);
    }
    assert_eq!(world.log, [""; 0]);
    assert!(world.verdict.as_ref().unwrap().message().contains("not heard from"));
    world.unheard.clear();
    world.settle();
    assert_eq!(world.log.len(), 5);
}

#[test]
fn a_changed_spec_waits_while_no_broker_is_heard_and_not_while_all_are_leaderless() {
    // The operator sees neither the brokers nor, maybe, that they work: as after a failure of the cluster's DNS.
    let mut world = World::of(3);
    world.version = 2;
    world.unready.extend([0, 2]);
    world.silent = true;
    for _ in 0..10 {
        world.pass(None);
    }
    assert_eq!(world.log, [""; 0]);
    assert_eq!(world.verdict.as_ref().map(Verdict::reason), Some(Reason::SafetyUnknown));
    (world.silent, world.leaderless) = (false, true);
    world.pass(None);
    assert_eq!(world.log, ["restart 0"]);
}

#[test]
fn a_broker_too_busy_for_its_probe_is_not_restarted_while_another_is_down() {
    let mut world = World::of(5);
    world.version = 2;
    world.unready = [1, 2].into();
    world.pods.get_mut(&3).unwrap().recovering = true;
    world.unheard = [4].into();
    for _ in 0..10 {
        world.pass(None);
    }
    assert_eq!(world.log, [""; 0], "with 1 and 2 the quorum goes");
    world.unready = [4].into();
    world.unheard.clear();
    world.pods.get_mut(&3).unwrap().recovering = false;
    world.pass(None);
    assert_eq!(world.log, ["restart 4"], "the others can do without");
}

#[test]
fn a_voter_with_an_empty_disk_votes_anew() {
    let mut world = World::of(3);
    world.lost.insert(2);
    world.settle();
    assert!(world.lost.is_empty());
    assert_eq!(world.voters.iter().copied().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_dead_broker_can_be_replaced_by_another() {
    let mut world = World::of(3);
    world.pods.get_mut(&1).unwrap().crashing = true;
    world.remove = vec![1];
    world.settle();
    assert_eq!(world.ids(), [0, 2, 3]);
    assert_eq!(world.voters.iter().copied().collect::<Vec<_>>(), [0, 2, 3]);
}

#[test]
fn nothing_restarts_while_another_broker_is_evicted() {
    let mut world = World::of(3);
    world.version = 2;
    world.pods.get_mut(&1).unwrap().evicted = true;
    for _ in 0..5 {
        world.pass(None);
    }
    assert!(world.log.is_empty(), "{:?}", world.log);
    let verdict = world.verdict.clone().unwrap();
    assert!(verdict.message().contains("demo-1-0 is being evicted"), "{verdict:?}");
    world.pods.get_mut(&1).unwrap().evicted = false;
    world.settle();
    assert_eq!(world.log.len(), 3, "{:?}", world.log);
}
