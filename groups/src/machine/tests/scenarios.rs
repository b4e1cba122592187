use super::*;

#[test]
fn two_members_join_sync_and_become_stable() {
    let mut world = World::new(100);
    let a = world.join(Joining::new(""));
    world.pass(60);
    let b = world.join(Joining::new(""));
    assert!(world.waits(a) && world.waits(b));
    world.pass(40);
    assert!(world.waits(a), "a newcomer prolongs the first rebalance");
    world.pass(100);
    let (leader, follower) = (world.answer(a).clone(), world.answer(b).clone());
    assert_eq!((leader.generation, follower.generation), (1, 1));
    assert_eq!(leader.leader, leader.member_id);
    assert_eq!(follower.leader, leader.member_id);
    assert_eq!((leader.members.len(), follower.members.len()), (2, 0));
    assert_eq!(leader.protocol_name.as_deref(), Some("range"));

    let f = world.sync(&follower.member_id, 1, &[]);
    assert!(world.waits(f));
    let l =
        world.sync(&leader.member_id, 1, &[(&follower.member_id, "p1"), (&leader.member_id, "p0")]);
    assert!(world.waits(l) && world.waits(f), "not before the assignment is durable");
    assert_eq!(world.writes, [Persist::Assignment { generation: 1 }]);
    world.written(Ok(()));
    assert_eq!(world.synced[&l].assignment, "p0");
    assert_eq!(world.synced[&f].assignment, "p1");
    assert_eq!(world.group.state(), State::Stable);
    assert_eq!(world.heartbeat(&follower.member_id, 1), ErrorCode::NONE);
    assert_eq!(world.heartbeat(&follower.member_id, 0), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(world.heartbeat("nobody", 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_new_member_must_come_back_with_its_id() {
    let mut world = World::new(0);
    let first = world.join(Joining { require_id: true, ..Joining::new("") });
    let answer = world.answer(first).clone();
    assert_eq!(answer.error, ErrorCode::MEMBER_ID_REQUIRED);
    assert_eq!(world.group.members().len(), 0);
    let second = world.join(Joining { require_id: true, ..Joining::new(&answer.member_id) });
    assert_eq!(world.answer(second).member_id, answer.member_id);
    assert_eq!(world.answer(second).generation, 1);

    let forgotten = world.join(Joining { require_id: true, ..Joining::new("") });
    let id = world.answer(forgotten).member_id.clone();
    world.pass(1001);
    let late = world.join(Joining::new(&id));
    assert_eq!(world.answer(late).error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_rebalance_waits_for_pending_members_only_as_long_as_their_session() {
    let (mut world, ids) = World::stable(&["a"]);
    let pending =
        world.join(Joining { require_id: true, session_timeout_ms: 50, ..Joining::new("") });
    assert_eq!(world.answer(pending).error, ErrorCode::MEMBER_ID_REQUIRED);
    let again = world.join(Joining::new(&ids[0]).instance("a"));
    assert!(world.waits(again));
    world.pass(50);
    assert_eq!(world.answer(again).generation, 2);
}

#[test]
fn refused_joins() {
    let table = [
        (Joining { session_timeout_ms: 9, ..Joining::new("") }, ErrorCode::INVALID_SESSION_TIMEOUT),
        (
            Joining { session_timeout_ms: 100_001, ..Joining::new("") },
            ErrorCode::INVALID_SESSION_TIMEOUT,
        ),
        (
            Joining { protocol_type: "connect", ..Joining::new("") },
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        ),
        (
            Joining { protocols: &["sticky"], ..Joining::new("") },
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        ),
        (Joining::new("nobody"), ErrorCode::UNKNOWN_MEMBER_ID),
        (Joining::new("nobody").instance("a"), ErrorCode::FENCED_INSTANCE_ID),
        (Joining::new("nobody").instance("z"), ErrorCode::UNKNOWN_MEMBER_ID),
    ];
    for (joining, want) in table {
        let (mut world, _) = World::stable(&["a", "b"]);
        let id = world.join(joining);
        assert_eq!(world.answer(id).error, want);
        assert_eq!(world.group.state(), State::Stable);
    }
    let mut world = World::new(0);
    let id = world.join(Joining { protocols: &[], ..Joining::new("") });
    assert_eq!(world.answer(id).error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
}

#[test]
fn a_full_group_takes_nobody_but_its_members() {
    let (mut world, ids) = World::stable(&["a", "b", "c", "d"]);
    let fifth = world.join(Joining::new(""));
    assert_eq!(world.answer(fifth).error, ErrorCode::GROUP_MAX_SIZE_REACHED);
    let back = world.join(Joining::new("").instance("b"));
    assert!(world.waits(back), "its new id is being written");
    world.written(Ok(()));
    assert_eq!(world.answer(back).error, ErrorCode::NONE);
    assert_ne!(world.answer(back).member_id, ids[1]);
}

#[test]
fn the_protocol_that_most_members_prefer_is_chosen_among_those_all_support() {
    let mut world = World::new(10);
    let ids = [
        world.join(Joining { protocols: &["sticky", "range", "only-mine"], ..Joining::new("") }),
        world.join(Joining { protocols: &["range", "sticky"], ..Joining::new("") }),
        world.join(Joining { protocols: &["range", "sticky"], ..Joining::new("") }),
    ];
    world.pass(400);
    for id in ids {
        assert_eq!(world.answer(id).protocol_name.as_deref(), Some("range"));
    }
}

#[test]
fn a_member_that_is_not_heard_of_is_taken_out() {
    let (mut world, ids) = World::stable(&["a", "b"]);
    for _ in 0..4 {
        world.pass(400);
        world.heartbeat(&ids[0], 1);
    }
    assert_eq!(world.group.members().len(), 1);
    assert_eq!(world.group.state(), State::PreparingRebalance);
    assert_eq!(world.heartbeat(&ids[0], 1), ErrorCode::REBALANCE_IN_PROGRESS);
    let again = world.join(Joining::new(&ids[0]).instance("a"));
    assert_eq!(world.answer(again).generation, 2);
    assert_eq!(world.heartbeat(&ids[1], 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn members_that_do_not_join_in_time_are_dropped_but_static_ones_wait_for_their_session() {
    let mut world = World::new(0);
    let a = world.join(Joining::new(""));
    let a = world.answer(a).member_id.clone();
    world.sync(&a, 1, &[]);
    world.written(Ok(()));
    let b = world.join(Joining { session_timeout_ms: 5000, ..Joining::new("").instance("b") });
    assert!(world.waits(b));
    world.pass(300);
    assert_eq!(world.answer(b).generation, 2, "a did not rejoin within its rebalance timeout");
    assert_eq!(world.answer(b).members.len(), 1);
    assert_eq!(world.heartbeat(&a, 1), ErrorCode::UNKNOWN_MEMBER_ID);

    let b_id = world.answer(b).member_id.clone();
    world.sync(&b_id, 2, &[]);
    world.written(Ok(()));
    let c = world.join(Joining { session_timeout_ms: 5000, ..Joining::new("") });
    world.pass(300);
    assert_eq!(world.answer(c).members.len(), 2, "static b stays a member");
    assert_eq!(world.answer(c).leader, world.answer(c).member_id, "but cannot lead");
}

#[test]
fn who_does_not_sync_in_time_is_dropped() {
    let mut world = World::new(20);
    let a = world.join(Joining { session_timeout_ms: 5000, ..Joining::new("") });
    let b = world.join(Joining { session_timeout_ms: 5000, ..Joining::new("") });
    world.pass(60);
    let (a, b) = (world.answer(a).member_id.clone(), world.answer(b).member_id.clone());
    let leader_sync = world.sync(&a, 1, &[(&a, "x"), (&b, "y")]);
    world.written(Ok(()));
    assert_eq!(world.synced[&leader_sync].assignment, "x");
    world.pass(301);
    assert_eq!(world.group.state(), State::PreparingRebalance);
    let names: Vec<_> = world.group.members().map(|m| m.id.clone()).collect();
    assert_eq!(names, [a]);
}

#[test]
fn a_leader_or_a_changed_subscription_starts_a_rebalance_others_get_the_generation_they_missed() {
    let (mut world, ids) = World::stable(&["a", "b"]);
    let missed = world.join(Joining::new(&ids[1]).instance("b"));
    assert_eq!(world.answer(missed).generation, 1);
    assert_eq!(world.group.state(), State::Stable);
    let changed = world.join(Joining { metadata: "other", ..Joining::new(&ids[1]).instance("b") });
    assert!(world.waits(changed));
    assert_eq!(world.group.state(), State::PreparingRebalance);

    let (mut world, ids) = World::stable(&["a", "b"]);
    let leader = world.join(Joining::new(&ids[0]).instance("a"));
    assert!(world.waits(leader));
    let follower = world.join(Joining::new(&ids[1]).instance("b"));
    assert_eq!((world.answer(leader).generation, world.answer(follower).generation), (2, 2));
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let (mut world, ids) = World::stable(&["a", "b"]);
    let follower = world.join(Joining::new("").instance("b"));
    world.written(Ok(()));
    let answer = world.answer(follower).clone();
    assert_eq!((answer.generation, answer.skip_assignment), (1, false));
    assert_eq!(answer.leader, ids[0]);
    let sync = world.sync(&answer.member_id, 1, &[]);
    assert_eq!(world.synced[&sync].assignment, format!("part of {}", ids[1]));
    assert_eq!(world.heartbeat(&ids[1], 1), ErrorCode::UNKNOWN_MEMBER_ID);
    let now = world.now();
    let fenced = world.group.heartbeat(&ids[1], Some(&"b".into()), 1, now);
    assert_eq!(fenced, ErrorCode::FENCED_INSTANCE_ID);

    let leader = world.join(Joining::new("").instance("a"));
    world.written(Ok(()));
    let answer = world.answer(leader).clone();
    assert!(answer.skip_assignment && answer.members.len() == 2, "{answer:?}");
    assert_eq!(answer.leader, answer.member_id);

    let old_client = world.join(Joining { can_skip: false, ..Joining::new("").instance("a") });
    world.written(Ok(()));
    let older = world.answer(old_client);
    assert_eq!(older.leader, answer.member_id, "an old client must not think that it leads");
    assert!(older.members.is_empty() && world.group.state() == State::Stable);
}

#[test]
fn a_write_that_fails_starts_over() {
    let mut world = World::new(0);
    let a = world.join(Joining::new(""));
    let a = world.answer(a).member_id.clone();
    let sync = world.sync(&a, 1, &[(&a, "x")]);
    world.written(Err(ErrorCode::NOT_COORDINATOR));
    assert_eq!(world.synced[&sync].error, ErrorCode::NOT_COORDINATOR);
    assert_eq!(world.group.state(), State::PreparingRebalance);
    let again = world.join(Joining::new(&a));
    assert_eq!(world.answer(again).generation, 2);
}

#[test]
fn an_assignment_that_becomes_durable_too_late_is_not_handed_out() {
    let mut world = World::new(0);
    let a = world.join(Joining::new(""));
    let a = world.answer(a).member_id.clone();
    let sync = world.sync(&a, 1, &[(&a, "x")]);
    let b = world.join(Joining::new(""));
    assert_eq!(world.synced[&sync].error, ErrorCode::REBALANCE_IN_PROGRESS);
    world.join(Joining::new(&a));
    assert_eq!(world.answer(b).generation, 2);
    world.written(Ok(()));
    assert_eq!(world.group.state(), State::CompletingRebalance);
    assert!(world.group.members().all(|m| m.assignment.is_empty()));
}

#[test]
fn leaving() {
    let (mut world, ids) = World::stable(&["a", "b"]);
    let table = [
        ("nobody", None, ErrorCode::UNKNOWN_MEMBER_ID),
        ("", Some("z"), ErrorCode::UNKNOWN_MEMBER_ID),
        ("nobody", Some("a"), ErrorCode::FENCED_INSTANCE_ID),
        ("", Some("b"), ErrorCode::NONE),
        (&ids[1], None, ErrorCode::UNKNOWN_MEMBER_ID),
        (&ids[0], None, ErrorCode::NONE),
    ];
    for (id, instance, want) in table {
        assert_eq!(world.leave(id, instance), want, "{id} {instance:?}");
    }
    assert_eq!(world.group.state(), State::Empty);
    assert_eq!(world.group.next_deadline(), None);
    assert_eq!(world.writes.last(), Some(&Persist::Emptied));
    let again = world.join(Joining {
        protocol_type: "connect",
        protocols: &["sessioned"],
        ..Joining::new("")
    });
    world.pass(1000);
    assert_eq!(world.answer(again).generation, 3, "an empty group takes any protocol type");
}

#[test]
fn commits_are_for_members_of_this_generation_or_for_an_empty_group() {
    let (mut world, ids) = World::stable(&["a"]);
    let now = world.now();
    let (a, instance) = (ids[0].clone(), Str::from("a"));
    let table = [
        ("", None, -1, Err(ErrorCode::UNKNOWN_MEMBER_ID)),
        (&*a, None, 1, Ok(())),
        (&*a, Some(&instance), 1, Ok(())),
        (&*a, None, 0, Err(ErrorCode::ILLEGAL_GENERATION)),
        ("x", None, 1, Err(ErrorCode::UNKNOWN_MEMBER_ID)),
        ("x", Some(&instance), 1, Err(ErrorCode::FENCED_INSTANCE_ID)),
    ];
    for (id, instance, generation, want) in table {
        let got = world.group.check_commit(id, instance, generation, now);
        assert_eq!(got, want, "{id} {generation}");
    }
    world.join(Joining::new(&a).instance("a"));
    assert_eq!(world.group.state(), State::CompletingRebalance);
    let early = world.group.check_commit(&a, None, 2, now);
    assert_eq!(early, Err(ErrorCode::REBALANCE_IN_PROGRESS));
    world.leave(&a, None);
    assert_eq!(world.group.check_commit("", None, -1, now), Ok(()));
    let stranger = world.group.check_commit("x", None, 1, now);
    assert_eq!(stranger, Err(ErrorCode::UNKNOWN_MEMBER_ID));
    world.group.kill(now);
    assert_eq!(
        world.group.check_commit("", None, -1, now),
        Err(ErrorCode::COORDINATOR_NOT_AVAILABLE)
    );
}

#[test]
fn a_group_that_was_written_down_goes_on_where_it_was() {
    let (world, ids) = World::stable(&["a", "b"]);
    let group = &world.group;
    let now = Now { monotonic_ms: 7, wall_ms: 9 };
    let members = group.members().cloned().collect();
    let protocol = (group.protocol_type().cloned(), group.protocol_name().cloned());
    let restored =
        Group::restore("g".into(), 1, protocol, group.leader().cloned(), members, 5, now);
    let mut world = World { group: restored, now_ms: 7, ..World::new(0) };
    assert_eq!(world.group.state(), State::Stable);
    assert_eq!(world.heartbeat(&ids[1], 1), ErrorCode::NONE);
    let sync = world.sync(&ids[1], 1, &[]);
    assert_eq!(world.synced[&sync].assignment, format!("part of {}", ids[1]));
    world.pass(2000);
    assert_eq!(world.group.state(), State::Empty, "nobody was heard of for a session");
}

#[test]
fn a_newcomer_is_not_waited_with_for_ever() {
    let mut world = World::new(0);
    let patient = Joining { rebalance_timeout_ms: 1_000_000, ..Joining::new("") };
    let a = world.join(patient);
    let a = world.answer(a).member_id.clone();
    world.sync(&a, 1, &[]);
    world.written(Ok(()));
    let newcomer = world.join(patient);
    for _ in 0..(NEW_MEMBER_JOIN_TIMEOUT_MS / 500) {
        assert!(world.waits(newcomer));
        world.pass(500);
        // It lives, but does not join.
        assert_ne!(world.heartbeat(&a, 1), ErrorCode::UNKNOWN_MEMBER_ID);
    }
    assert_eq!(world.answer(newcomer).error, ErrorCode::UNKNOWN_MEMBER_ID);
}
