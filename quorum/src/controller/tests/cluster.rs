//! What the controller makes of brokers that come, go and fall silent, and of partitions that move.

mod log_dir_offline;

use super::*;
use crate::image::PartitionImage;

const SESSION_MS: u64 = 9_000;

impl World {
    fn at(&self, topic: &str) -> &PartitionImage {
        self.controller.image().partition(topic, 0).unwrap()
    }

    /// Leader, ISR and eligible replicas of partition 0.
    fn roles(&self, topic: &str) -> (i32, Vec<i32>, Vec<i32>) {
        let partition = self.at(topic);
        (partition.leader, partition.isr.to_vec(), partition.elr.to_vec())
    }

    /// All but `silent` are heard of; then the sessions of `silent` are over.
    fn silence(&mut self, silent: &[i32]) {
        self.now_ms += SESSION_MS / 2;
        self.run(FenceSilentBrokers { now_ms: self.now_ms });
        self.now_ms += SESSION_MS / 2;
        self.hear_all_but(silent);
        self.now_ms += SESSION_MS / 2;
        self.hear_all_but(silent);
        self.run(FenceSilentBrokers { now_ms: self.now_ms });
    }

    fn hear_all_but(&mut self, silent: &[i32]) {
        let ids: Vec<i32> = self.controller.image().brokers().map(|b| b.id).collect();
        for id in ids {
            if !silent.contains(&id) && !self.controller.image().broker(id).unwrap().fenced {
                self.heartbeat(id, false);
            }
        }
    }

    fn come_back(&mut self, broker_id: i32, previous_broker_epoch: i64, disk: u8) {
        let incarnation_id = self.entropy.uuid();
        let command = RegisterBroker {
            broker_id,
            incarnation_id,
            directory_id: Uuid([disk; 16]),
            previous_broker_epoch,
            host: "h".into(),
            port: 1,
            rack: None,
            features: Vec::new(),
            now_ms: self.now_ms,
        };
        self.run(command).unwrap();
        self.heartbeat(broker_id, false);
    }

    fn set_isr(&mut self, topic: &str, isr: &[i32]) -> Result<PartitionImage, IsrError> {
        let image = Arc::clone(self.controller.image());
        let before = image.partition(topic, 0).unwrap();
        let command = AlterPartition {
            broker_id: before.leader,
            broker_epoch: self.epoch_of(before.leader),
            partitions: vec![IsrChange {
                topic_id: image.topic(topic).unwrap().id,
                partition: 0,
                leader_epoch: before.leader_epoch,
                partition_epoch: before.partition_epoch,
                isr: isr.iter().map(|id| (*id, self.epoch_of(*id))).collect(),
            }],
        };
        self.run(command).unwrap().remove(0)
    }

    fn reassign(&mut self, topic: &str, replicas: Option<&[i32]>) -> Result<(), ReassignError> {
        let partitions = vec![Reassignment {
            topic: topic.into(),
            partition: 0,
            replicas: replicas.map(<[i32]>::to_vec),
        }];
        let command = AlterReassignments { partitions, allow_replication_factor_change: true };
        self.run(command).remove(0)
    }
}

fn world_with(brokers: i32, replicas: &[i32], min_isr: usize) -> World {
    let mut world = World::new(brokers);
    world.controller.settings.min_insync_replicas = min_isr;
    assert_eq!(world.create(vec![assigned("t", &[(0, replicas)])]), [ErrorCode::NONE]);
    world
}

#[test]
fn silent_brokers_lose_what_they_led_and_get_it_back_only_in_sync() {
    let mut world = world_with(3, &[0, 1, 2], 2);
    assert_eq!(world.roles("t"), (0, vec![0, 1, 2], vec![]));
    let epoch = world.at("t").leader_epoch;
    world.silence(&[0]);
    assert_eq!(world.roles("t"), (1, vec![1, 2], vec![]));
    assert_eq!(world.at("t").leader_epoch, epoch + 1);
    world.heartbeat(0, false);
    assert_eq!(world.roles("t"), (1, vec![1, 2], vec![]), "not in sync yet");
    world.set_isr("t", &[1, 2, 0]).unwrap();
    assert_eq!(world.at("t").leader_epoch, epoch + 1, "an ISR alone is no new epoch");
}

#[test]
fn whoever_leaves_below_the_minimum_stays_eligible() {
    let mut world = world_with(3, &[0, 1, 2], 2);
    world.silence(&[2]);
    assert_eq!(world.roles("t"), (0, vec![0, 1], vec![]));
    world.silence(&[1, 2]);
    assert_eq!(world.roles("t"), (0, vec![0], vec![1]));
    world.silence(&[0, 1, 2]);
    assert_eq!(world.roles("t"), (-1, vec![], vec![1, 0]));
    world.heartbeat(2, false);
    assert_eq!(world.roles("t").0, -1, "2 left while records were still committed");
    world.heartbeat(1, false);
    assert_eq!(world.roles("t"), (1, vec![1], vec![0]));
}

#[test]
fn an_unclean_stop_costs_eligibility() {
    let mut world = world_with(3, &[0, 1, 2], 2);
    let epochs = [world.epoch_of(0), world.epoch_of(1)];
    world.silence(&[2]);
    world.silence(&[1, 2]);
    world.silence(&[0, 1, 2]);
    world.come_back(1, epochs[1] - 1, 2);
    assert_eq!(world.roles("t"), (-1, vec![], vec![0]), "its folder is an old copy");
    world.come_back(0, epochs[0], 1);
    assert_eq!(world.roles("t").0, 0);
}

/// A broker that dies between its registration and the note of it has lost nothing.
#[test]
fn a_registration_that_was_never_let_in_costs_nothing() {
    let mut world = world_with(3, &[0, 1, 2], 2);
    let epoch = world.epoch_of(1);
    world.silence(&[2]);
    world.silence(&[1, 2]);
    world.silence(&[0, 1, 2]);
    let eligible = world.roles("t").2;
    assert!(eligible.contains(&1), "{eligible:?}");
    let register = |world: &mut World| {
        let command = RegisterBroker {
            broker_id: 1,
            incarnation_id: world.entropy.uuid(),
            directory_id: Uuid([2; 16]),
            previous_broker_epoch: epoch,
            host: "h".into(),
            port: 1,
            rack: None,
            features: Vec::new(),
            now_ms: world.now_ms,
        };
        world.run(command).unwrap();
    };
    register(&mut world);
    register(&mut world);
    assert_eq!(world.roles("t").2, eligible, "it was never let in in between");
    world.heartbeat(1, false);
    assert_eq!(world.roles("t").0, 1);
    register(&mut world);
    assert!(!world.at("t").isr.contains(&1), "now it should remember a later one");
}

#[test]
fn an_empty_disk_is_never_elected_by_itself() {
    let mut world = world_with(1, &[0], 1);
    world.silence(&[0]);
    world.come_back(0, -1, 77);
    assert_eq!(world.roles("t"), (-1, vec![], vec![]));
    assert!(world.at("t").last_known_elr.is_empty());
    let elect = ElectLeaders { unclean: true, partitions: Some(vec![("t".into(), 0)]) };
    assert_eq!(world.run(elect), [("t".to_owned(), 0, Ok(()))]);
    assert_eq!(world.roles("t"), (0, vec![0], vec![]));
}

#[test]
fn the_last_that_may_have_lost_its_tail_leads_again() {
    let mut world = world_with(1, &[0], 1);
    world.come_back(0, -1, 1);
    assert_eq!(world.roles("t"), (0, vec![0], vec![]));
}

#[test]
fn a_lone_broker_keeps_its_leaderships_over_a_restart() {
    let mut world = world_with(1, &[0], 1);
    let epoch = world.at("t").leader_epoch;
    assert!(!world.heartbeat(0, true).should_shut_down, "first what it leads is looked at");
    assert!(world.heartbeat(0, true).should_shut_down);
    assert_eq!(world.roles("t"), (0, vec![0], vec![]));
    world.come_back(0, world.epoch_of(0), 1);
    assert_eq!(world.roles("t"), (0, vec![0], vec![]));
    assert_eq!(world.at("t").leader_epoch, epoch + 1);
}

#[test]
fn a_broker_that_stops_gives_its_leaderships_away_first() {
    let mut world = world_with(3, &[0, 1, 2], 2);
    assert!(!world.heartbeat(0, true).should_shut_down);
    assert_eq!(world.roles("t"), (1, vec![1, 2], vec![]));
    assert!(world.heartbeat(0, true).should_shut_down);
    let answer = world.set_isr("t", &[1, 2, 0]);
    assert_eq!(answer.unwrap_err().code(), ErrorCode::INELIGIBLE_REPLICA);
}

#[test]
fn a_second_broker_of_the_same_id_waits_for_the_session_but_a_restart_does_not() {
    let mut world = World::new(1);
    let twin = |disk: u8, now_ms: u64| RegisterBroker {
        broker_id: 0,
        incarnation_id: Uuid([200 + disk; 16]),
        directory_id: Uuid([disk; 16]),
        previous_broker_epoch: -1,
        host: "h".into(),
        port: 1,
        rack: None,
        features: Vec::new(),
        now_ms,
    };
    assert_eq!(world.run(twin(9, 10)), Err(RegisterError::Duplicate(0)));
    let restarted = world.run(twin(1, 10)).unwrap();
    assert_eq!(world.run(twin(1, 11)), Ok(restarted), "the same request again");
    assert!(world.run(twin(9, 10 + SESSION_MS)).unwrap() > restarted);
}

#[test]
fn isr_changes_are_fenced() {
    let mut world = world_with(3, &[0, 1, 2], 2);
    let image = Arc::clone(world.controller.image());
    let change = IsrChange {
        topic_id: image.topic("t").unwrap().id,
        partition: 0,
        leader_epoch: 0,
        partition_epoch: 0,
        isr: vec![(0, -1), (1, -1)],
    };
    let epoch = world.epoch_of(0);
    let send = |world: &mut World, broker_epoch: i64, change: IsrChange| {
        let broker_id = 0;
        world.run(AlterPartition { broker_id, broker_epoch, partitions: vec![change] })
    };
    assert!(send(&mut world, epoch - 1, change.clone()).is_err());
    let table = [
        (IsrChange { topic_id: Uuid([9; 16]), ..change.clone() }, ErrorCode::UNKNOWN_TOPIC_ID),
        (IsrChange { partition: 7, ..change.clone() }, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (IsrChange { leader_epoch: 3, ..change.clone() }, ErrorCode::NOT_CONTROLLER),
        (IsrChange { leader_epoch: -1, ..change.clone() }, ErrorCode::FENCED_LEADER_EPOCH),
        (IsrChange { partition_epoch: -1, ..change.clone() }, ErrorCode::INVALID_UPDATE_VERSION),
        (IsrChange { isr: vec![(1, -1)], ..change.clone() }, ErrorCode::INVALID_REQUEST),
        (IsrChange { isr: vec![(0, -1), (0, -1)], ..change.clone() }, ErrorCode::INVALID_REQUEST),
        (IsrChange { isr: vec![(0, -1), (5, -1)], ..change.clone() }, ErrorCode::INVALID_REQUEST),
        (IsrChange { isr: vec![(0, -1), (1, 0)], ..change }, ErrorCode::INELIGIBLE_REPLICA),
    ];
    for (change, code) in table {
        let answer = send(&mut world, epoch, change.clone()).unwrap().remove(0);
        assert_eq!(answer.unwrap_err().code(), code, "{change:?}");
    }
    assert_eq!(*send(&mut world, epoch, change).unwrap().remove(0).unwrap().isr, [0, 1]);
}

#[test]
fn a_reassignment_is_complete_when_the_new_replicas_are_in_sync() {
    let mut world = world_with(4, &[0, 1], 1);
    world.reassign("t", Some(&[2, 3])).unwrap();
    assert_eq!(*world.at("t").replicas, [2, 3, 0, 1]);
    assert_eq!(world.roles("t"), (0, vec![0, 1], vec![]));
    world.set_isr("t", &[0, 1, 2]).unwrap();
    assert!(world.at("t").is_reassigning());
    world.set_isr("t", &[0, 1, 2, 3]).unwrap();
    assert_eq!(*world.at("t").replicas, [2, 3]);
    assert_eq!(world.roles("t"), (2, vec![2, 3], vec![]));
    assert!(!world.at("t").is_reassigning());
}

/// The only one that stays could have lost its disk before anybody knows: the old replicas wait for a second.
#[test]
fn a_reassignment_leaves_as_many_in_sync_as_writing_needs() {
    let mut world = world_with(4, &[0, 1], 2);
    world.reassign("t", Some(&[2, 1])).unwrap();
    world.silence(&[1]);
    world.set_isr("t", &[0, 2]).unwrap();
    assert!(world.at("t").is_reassigning(), "2 alone is not enough");
    world.come_back(1, world.epoch_of(1), 2);
    world.set_isr("t", &[0, 2, 1]).unwrap();
    assert_eq!(*world.at("t").replicas, [2, 1]);
}

/// The one that alone has what is committed stays until others have it, although nobody wants it any more.
#[test]
fn overriding_a_reassignment_loses_nobody_who_is_needed() {
    let mut world = world_with(4, &[0, 1], 1);
    world.reassign("t", Some(&[2, 3])).unwrap();
    world.set_isr("t", &[0, 2]).unwrap();
    world.silence(&[0]);
    assert_eq!(world.roles("t"), (2, vec![2], vec![]));
    world.reassign("t", Some(&[1, 3])).unwrap();
    assert_eq!(world.roles("t"), (2, vec![2], vec![]));
    world.set_isr("t", &[2, 1, 3]).unwrap();
    assert_eq!(*world.at("t").replicas, [1, 3]);
    assert_eq!(world.roles("t"), (1, vec![1, 3], vec![]));
}

/// One in sync is not enough to go back to: its disk may be lost already, and then the others alone had what was committed.
#[test]
fn going_back_leaves_as_many_in_sync_as_writing_needs() {
    for target in [None, Some(&[0, 1][..])] {
        let mut world = world_with(4, &[0, 1], 2);
        world.reassign("t", Some(&[2, 3])).unwrap();
        world.set_isr("t", &[0, 2]).unwrap();
        world.reassign("t", target).unwrap();
        assert_eq!(world.roles("t"), (0, vec![0, 2], vec![]), "{target:?}");
        assert_eq!(*world.at("t").replicas, [0, 1, 2]);
        world.set_isr("t", &[0, 1, 2]).unwrap();
        assert_eq!(world.roles("t"), (0, vec![0, 1], vec![]));
        assert_eq!(*world.at("t").replicas, [0, 1]);
    }
}

/// Seed 8000212 of throttles: the one in sync had lost its disk already, and the eligible one was dropped with what it alone had.
#[test]
fn overriding_a_reassignment_keeps_who_is_eligible_while_too_few_are_in_sync() {
    for target in [None, Some(&[1, 0][..]), Some(&[0, 3][..])] {
        let mut world = world_with(4, &[0, 1], 2);
        world.reassign("t", Some(&[2, 1])).unwrap();
        world.set_isr("t", &[0, 2]).unwrap();
        world.silence(&[2]);
        assert_eq!(world.roles("t"), (0, vec![0], vec![2]));
        world.reassign("t", target).unwrap();
        assert_eq!(world.roles("t"), (0, vec![0], vec![2]), "{target:?}");
        assert!(world.at("t").replicas.contains(&2), "{target:?}");
    }
}

#[test]
fn a_reassignment_is_cancelled_overridden_and_refused() {
    let mut world = world_with(4, &[0, 1], 1);
    assert_eq!(world.reassign("t", None), Err(ReassignError::NotInProgress));
    world.reassign("t", Some(&[0, 2])).unwrap();
    world.set_isr("t", &[0, 1]).unwrap();
    world.reassign("t", Some(&[0, 3])).unwrap();
    assert_eq!(*world.at("t").replicas, [0, 3, 1]);
    world.reassign("t", None).unwrap();
    assert_eq!((&*world.at("t").replicas, world.at("t").is_reassigning()), (&[0, 1][..], false));
    assert!(matches!(world.reassign("t", Some(&[0, 9])), Err(ReassignError::Placement(_))));
    assert!(matches!(world.reassign("t", Some(&[])), Err(ReassignError::Placement(_))));
}

#[test]
fn fewer_replicas_at_once_and_an_epoch_that_tells_the_one_that_goes() {
    let mut world = world_with(3, &[0, 1, 2], 1);
    let epoch = world.at("t").leader_epoch;
    world.reassign("t", Some(&[0, 1])).unwrap();
    assert_eq!(*world.at("t").replicas, [0, 1]);
    assert_eq!(world.roles("t"), (0, vec![0, 1], vec![]));
    assert_eq!(world.at("t").leader_epoch, epoch + 1);
}

#[test]
fn leaders_go_back_to_where_they_belong() {
    let mut world = world_with(3, &[0, 1, 2], 1);
    world.silence(&[0]);
    world.heartbeat(0, false);
    let ask = || ElectLeaders { unclean: false, partitions: Some(vec![("t".into(), 0)]) };
    assert_eq!(world.run(ask())[0].2, Err(ElectError::PreferredNotAvailable));
    world.set_isr("t", &[1, 2, 0]).unwrap();
    assert_eq!(world.run(BalanceLeaders), 1);
    assert_eq!(world.at("t").leader, 0);
    assert_eq!(world.run(ask())[0].2, Err(ElectError::NotNeeded));
    assert_eq!(world.run(BalanceLeaders), 0);
}

#[test]
fn an_unregistered_broker_is_in_no_isr() {
    let mut world = world_with(3, &[0, 1, 2], 1);
    world.run(UnregisterBroker { broker_id: 0 }).unwrap();
    assert_eq!(world.roles("t"), (1, vec![1, 2], vec![]));
    let again = world.run(UnregisterBroker { broker_id: 0 });
    assert_eq!(again, Err(UnregisterError::NotRegistered(0)));
}

#[test]
fn topics_are_created_while_a_broker_is_away() {
    let mut world = World::new(3);
    world.silence(&[1]);
    assert_eq!(world.create(vec![topic("t", 3, 3)]), [ErrorCode::NONE]);
    for (_, partition) in world.controller.image().topic("t").unwrap().iter() {
        assert_eq!(partition.replicas.len(), 3);
        assert_eq!(partition.replicas.last(), Some(&1), "it leads nothing that others can lead");
        assert!(!partition.isr.contains(&1));
    }
}

#[test]
fn a_dead_broker_is_fenced_in_its_registration_only() {
    let mut world = world_with(3, &[0, 1, 2], 2);
    let broker_epoch = world.epoch_of(0);
    assert!(!world.run(FenceBroker { broker_id: 0, broker_epoch: broker_epoch - 1 }));
    assert!(world.run(FenceBroker { broker_id: 0, broker_epoch }));
    assert_eq!(world.roles("t"), (1, vec![1, 2], vec![]));
    assert!(!world.run(FenceBroker { broker_id: 0, broker_epoch }));
}

#[test]
fn feature_levels_change_within_what_is_supported() {
    let mut world = World::new(1);
    let level = |name: &str, level: i16, allow_downgrade: bool| FeatureUpdate {
        name: name.into(),
        level,
        allow_downgrade,
    };
    let mut update = |updates: Vec<FeatureUpdate>| {
        world.run(UpdateFeatures { updates, validate_only: false }).map_err(|e| e.code())
    };
    let version = "metadata.version";
    assert_eq!(update(vec![level(version, 30, false)]), Ok(()));
    let refused = Err(ErrorCode::INVALID_UPDATE_VERSION);
    assert_eq!(update(vec![level(version, 29, false)]), refused);
    assert_eq!(update(vec![level(version, 29, true)]), Ok(()));
    assert_eq!(update(vec![level(version, 31, false)]), refused);
    assert_eq!(update(vec![level(version, 0, true)]), refused);
    assert_eq!(update(vec![level("none", 1, false)]), refused);
    let twice = vec![level(version, 30, false), level(version, 30, false)];
    assert_eq!(update(twice), Err(ErrorCode::INVALID_REQUEST));
    assert_eq!(world.controller.image().features()[version], 29);
}

/// Whatever happens, a leader is a live replica in the ISR, and only replicas are in sync or eligible.
#[test]
fn random_lives_keep_the_invariants() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = world_with(5, &[0, 1, 2], 2);
        for _ in 0..60 {
            step(&mut world, &mut random);
            check(&world, seed);
        }
    }
}

fn step(world: &mut World, random: &mut fastrand::Rng) {
    let broker = random.i32(0..5);
    let fenced = world.controller.image().broker(broker).unwrap().fenced;
    match random.u8(0..9) {
        0 => world.silence(&[broker]),
        1 if !fenced => _ = world.heartbeat(broker, true),
        2 => world.come_back(broker, world.epoch_of(broker), broker as u8 + 1),
        3 => world.come_back(broker, -1, broker as u8 + 1),
        4 => {
            let mut ids: Vec<i32> = (0..5).collect();
            random.shuffle(&mut ids);
            _ = world.reassign("t", Some(&ids[..random.usize(1..4)]));
        }
        5 => _ = world.reassign("t", None),
        6 if !fenced => _ = world.says(broker, false),
        7 if !fenced => _ = world.says(broker, true),
        _ if world.at("t").leader >= 0 => {
            let partition = world.at("t").clone();
            let there = |id: &i32| world.controller.image().is_active(*id);
            let isr = partition.replicas.iter().copied().filter(there);
            _ = world.set_isr("t", &isr.collect::<Vec<_>>());
        }
        _ => {}
    }
}

fn check(world: &World, seed: u64) {
    let partition = world.at("t");
    let image = world.controller.image();
    let all = partition.isr.iter().chain(partition.elr.iter());
    for id in all.chain(partition.last_known_elr.iter()) {
        assert!(partition.replicas.contains(id), "seed {seed}: {partition:?}");
    }
    assert!(
        !partition.isr.iter().any(|id| partition.elr.contains(id)),
        "seed {seed}: {partition:?}"
    );
    if partition.leader >= 0 {
        assert!(partition.isr.contains(&partition.leader), "seed {seed}: {partition:?}");
        let registered = image.broker(partition.leader);
        let registered = registered.unwrap_or_else(|| panic!("seed {seed}: {partition:?}"));
        let could = partition.isr.iter().find(|id| image.is_active(**id));
        assert!(
            !registered.log_dir_offline || could.is_none(),
            "seed {seed}: led by who cannot write: {partition:?}"
        );
    } else {
        let could = partition.isr.iter().find(|id| image.is_active(**id));
        assert_eq!(could, None, "seed {seed}: {partition:?}");
    }
}
