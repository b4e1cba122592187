use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    ConsumerProtocolSubscription, DeleteGroupsRequest, DescribeGroupsRequest,
    FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, SyncGroupRequest,
};
use protocol::{Encoder, ErrorCode, Message, Str};

use crate::support::{Conn, TestBroker};

/// Asks for the coordinator, which creates the topic for offsets, until its partition is loaded.
async fn find(broker: &TestBroker, group: &str) -> Conn {
    let mut conn = broker.connect().await;
    for version in FindCoordinatorRequest::VERSIONS {
        let request = if version >= 4 {
            FindCoordinatorRequest {
                coordinator_keys: vec![Str::copy(group)],
                ..Default::default()
            }
        } else {
            FindCoordinatorRequest { key: Str::copy(group), ..Default::default() }
        };
        let response = conn.call(&request, version).await;
        let (error, port) = match response.coordinators.first() {
            Some(one) if version >= 4 => (one.error_code, one.port),
            _ => (response.error_code, response.port),
        };
        assert_eq!((ErrorCode(error), port), (ErrorCode::NONE, i32::from(broker.port())));
    }
    loop {
        let request = OffsetFetchRequest {
            group_id: Str::copy(group),
            topics: Some(Vec::new()),
            ..Default::default()
        };
        match ErrorCode(conn.call(&request, 5).await.error_code) {
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => tokio::task::yield_now().await,
            ErrorCode::NONE => return conn,
            error => panic!("{}", error.name()),
        }
    }
}

fn subscription(topics: &[&str]) -> Bytes {
    let message = ConsumerProtocolSubscription {
        topics: topics.iter().map(|t| Str::copy(t)).collect(),
        ..Default::default()
    };
    let mut e = Encoder::new();
    e.i16(0);
    message.encode(&mut e, 0).unwrap();
    e.finish_bytes().unwrap()
}

fn join(group: &str, member: &str, topics: &[&str]) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: Str::copy(group),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id: Str::copy(member),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: subscription(topics),
        }],
        ..Default::default()
    }
}

fn sync(group: &str, joined: &JoinGroupResponse, parts: &[(&Str, &str)]) -> SyncGroupRequest {
    SyncGroupRequest {
        group_id: Str::copy(group),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: parts
            .iter()
            .map(|(member, part)| SyncGroupRequestAssignment {
                member_id: (*member).clone(),
                assignment: Bytes::copy_from_slice(part.as_bytes()),
            })
            .collect(),
        ..Default::default()
    }
}

/// Joins (twice, since a new member must come back with its id) and syncs alone.
async fn join_alone(conn: &mut Conn, group: &str, topics: &[&str]) -> JoinGroupResponse {
    let first = conn.call(&join(group, "", topics), 9).await;
    assert_eq!(ErrorCode(first.error_code), ErrorCode::MEMBER_ID_REQUIRED);
    let joined = conn.call(&join(group, &first.member_id, topics), 9).await;
    assert_eq!(ErrorCode(joined.error_code), ErrorCode::NONE, "{joined:?}");
    let synced = conn.call(&sync(group, &joined, &[(&joined.member_id, "all")]), 5).await;
    assert_eq!((ErrorCode(synced.error_code), &*synced.assignment), (ErrorCode::NONE, &b"all"[..]));
    joined
}

fn heartbeat(group: &str, joined: &JoinGroupResponse) -> HeartbeatRequest {
    HeartbeatRequest {
        group_id: Str::copy(group),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        ..Default::default()
    }
}

fn commit(
    group: &str,
    joined: Option<&JoinGroupResponse>,
    topic: &str,
    offset: i64,
) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: Str::copy(group),
        generation_id_or_member_epoch: joined.map_or(-1, |j| j.generation_id),
        member_id: joined.map(|j| j.member_id.clone()).unwrap_or_default(),
        topics: vec![OffsetCommitRequestTopic {
            name: Str::copy(topic),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: 0,
                committed_offset: offset,
                committed_leader_epoch: 3,
                committed_metadata: Some("note".into()),
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

async fn commit_code(conn: &mut Conn, request: &OffsetCommitRequest, version: i16) -> ErrorCode {
    let response = conn.call(request, version).await;
    ErrorCode(response.topics[0].partitions[0].error_code)
}

/// Offset, metadata and leader epoch of partition 0.
async fn fetched(conn: &mut Conn, group: &str, topic: &str) -> (i64, Option<Str>, i32) {
    let topics =
        Some(vec![OffsetFetchRequestTopic { name: Str::copy(topic), partition_indexes: vec![0] }]);
    let request = OffsetFetchRequest { group_id: Str::copy(group), topics, ..Default::default() };
    let response = conn.call(&request, 7).await;
    assert_eq!(ErrorCode(response.error_code), ErrorCode::NONE);
    let p = &response.topics[0].partitions[0];
    (p.committed_offset, p.metadata.clone(), p.committed_leader_epoch)
}

#[tokio::test]
async fn two_members_share_the_work() {
    let broker = TestBroker::start(&[]).await;
    let (mut a, mut b) = (find(&broker, "g").await, broker.connect().await);
    let alone = join_alone(&mut a, "g", &["t"]).await;
    assert_eq!(alone.leader, alone.member_id);

    let id = b.call(&join("g", "", &["t"]), 9).await.member_id;
    let b_join = join("g", &id, &["t"]);
    let b_joins = tokio::spawn(async move { (b.call(&b_join, 9).await, b) });
    loop {
        let code = ErrorCode(a.call(&heartbeat("g", &alone), 4).await.error_code);
        match code {
            ErrorCode::NONE => tokio::task::yield_now().await,
            ErrorCode::REBALANCE_IN_PROGRESS => break,
            other => panic!("{}", other.name()),
        }
    }
    let a_joined = a.call(&join("g", &alone.member_id, &["t"]), 9).await;
    let (b_joined, mut b) = b_joins.await.unwrap();
    assert_eq!((a_joined.generation_id, b_joined.generation_id), (2, 2));
    assert_eq!((a_joined.members.len(), b_joined.members.len()), (2, 0));
    let b_sync = sync("g", &b_joined, &[]);
    let b_syncs = tokio::spawn(async move { (b.call(&b_sync, 5).await, b) });
    let parts = [(&a_joined.member_id, "left"), (&b_joined.member_id, "right")];
    let a_synced = a.call(&sync("g", &a_joined, &parts), 5).await;
    let (b_synced, mut b) = b_syncs.await.unwrap();
    assert_eq!((&*a_synced.assignment, &*b_synced.assignment), (&b"left"[..], &b"right"[..]));
    assert_eq!(b_synced.protocol_name.as_deref(), Some("range"));

    let stale = heartbeat("g", &alone);
    let code = ErrorCode(b.call(&stale, 4).await.error_code);
    assert_eq!(code, ErrorCode::ILLEGAL_GENERATION);
}

#[tokio::test]
async fn old_clients_join_in_every_version() {
    let broker = TestBroker::start(&[]).await;
    let mut conn = find(&broker, "g").await;
    for version in JoinGroupRequest::VERSIONS {
        let group = format!("g{version}");
        find(&broker, &group).await;
        let mut joined = conn.call(&join(&group, "", &["t"]), version).await;
        if version >= 4 {
            assert_eq!(ErrorCode(joined.error_code), ErrorCode::MEMBER_ID_REQUIRED);
            joined = conn.call(&join(&group, &joined.member_id, &["t"]), version).await;
        }
        assert_eq!(ErrorCode(joined.error_code), ErrorCode::NONE, "v{version}");
        assert_eq!(joined.protocol_name.as_deref(), Some("range"));
        for version in SyncGroupRequest::VERSIONS {
            let request = sync(&group, &joined, &[(&joined.member_id, "x")]);
            assert_eq!(conn.call(&request, version).await.assignment, "x");
        }
        for version in HeartbeatRequest::VERSIONS {
            let code = conn.call(&heartbeat(&group, &joined), version).await.error_code;
            assert_eq!(ErrorCode(code), ErrorCode::NONE);
        }
        let leave_version = version.min(*LeaveGroupRequest::VERSIONS.end());
        let leave = if leave_version >= 3 {
            let member_id = joined.member_id.clone();
            let members = vec![MemberIdentity { member_id, ..Default::default() }];
            LeaveGroupRequest { group_id: Str::copy(&group), members, ..Default::default() }
        } else {
            let member_id = joined.member_id.clone();
            LeaveGroupRequest { group_id: Str::copy(&group), member_id, ..Default::default() }
        };
        let left = conn.call(&leave, leave_version).await;
        assert_eq!(ErrorCode(left.error_code), ErrorCode::NONE);
        assert!(left.members.iter().all(|m| m.error_code == 0));
        let code = conn.call(&heartbeat(&group, &joined), 4).await.error_code;
        assert_eq!(ErrorCode(code), ErrorCode::UNKNOWN_MEMBER_ID);
    }
}

#[tokio::test]
async fn offsets_are_committed_and_fetched_in_every_version() {
    let broker = TestBroker::start(&[]).await;
    broker.create(&[("t", 1)]).await;
    let mut conn = find(&broker, "g").await;
    let topic_id = {
        use protocol::messages::MetadataRequest;
        let all = MetadataRequest { topics: None, ..Default::default() };
        let response = conn.call(&all, 12).await;
        response.topics.iter().find(|t| t.name.as_deref() == Some("t")).unwrap().topic_id
    };
    for version in OffsetCommitRequest::VERSIONS {
        let mut request = commit("g", None, "t", 100 + i64::from(version));
        request.topics[0].topic_id = topic_id;
        assert_eq!(commit_code(&mut conn, &request, version).await, ErrorCode::NONE, "v{version}");
        assert_eq!(fetched(&mut conn, "g", "t").await.0, 100 + i64::from(version));
    }
    for version in OffsetFetchRequest::VERSIONS.filter(|v| *v < 8) {
        let topics =
            Some(vec![OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0, 5] }]);
        let request = OffsetFetchRequest { group_id: "g".into(), topics, ..Default::default() };
        let response = conn.call(&request, version).await;
        let partitions = &response.topics[0].partitions;
        assert_eq!((partitions[0].committed_offset, partitions[1].committed_offset), (110, -1));
        assert_eq!(partitions[0].metadata.as_deref(), Some("note"));
        assert_eq!(partitions[0].committed_leader_epoch, if version >= 5 { 3 } else { -1 });
        if version >= 2 {
            let all = OffsetFetchRequest { topics: None, ..request };
            assert_eq!(conn.call(&all, version).await.topics.len(), 1);
        }
    }
    for version in 8..=*OffsetFetchRequest::VERSIONS.end() {
        let topics = |wanted| OffsetFetchRequestTopics {
            name: "t".into(),
            topic_id: wanted,
            partition_indexes: vec![0],
        };
        let group = |id: &'static str, topics| OffsetFetchRequestGroup {
            group_id: id.into(),
            topics,
            ..Default::default()
        };
        let unknown = protocol::Uuid([9; 16]);
        let request = OffsetFetchRequest {
            groups: vec![
                group("g", Some(vec![topics(topic_id)])),
                group("g", None),
                group("other", Some(vec![topics(unknown)])),
            ],
            require_stable: true,
            ..Default::default()
        };
        let response = conn.call(&request, version).await;
        let offsets: Vec<i64> =
            response.groups.iter().map(|g| g.topics[0].partitions[0].committed_offset).collect();
        assert_eq!(offsets, [110, 110, -1], "v{version}");
        let last = ErrorCode(response.groups[2].topics[0].partitions[0].error_code);
        assert_eq!(last == ErrorCode::UNKNOWN_TOPIC_ID, version >= 10, "v{version}");
    }
}

#[tokio::test]
async fn commits_that_must_be_refused() {
    let broker = TestBroker::start(&[("offset.metadata.max.bytes", "10")]).await;
    broker.create(&[("t", 1)]).await;
    let mut conn = find(&broker, "g").await;
    let joined = join_alone(&mut conn, "g", &["t"]).await;
    assert_eq!(
        commit_code(&mut conn, &commit("g", Some(&joined), "t", 5), 9).await,
        ErrorCode::NONE
    );

    let wrong_generation = JoinGroupResponse { generation_id: 7, ..joined.clone() };
    let stranger = JoinGroupResponse { member_id: "x".into(), ..joined.clone() };
    let mut long = commit("g", Some(&joined), "t", 6);
    long.topics[0].partitions[0].committed_metadata = Some("01234567890".into());
    let mut other_partition = commit("g", Some(&joined), "t", 6);
    other_partition.topics[0].partitions[0].partition_index = 1;
    let table = [
        (commit("g", Some(&wrong_generation), "t", 6), ErrorCode::ILLEGAL_GENERATION),
        (commit("g", Some(&stranger), "t", 6), ErrorCode::UNKNOWN_MEMBER_ID),
        (commit("g", None, "t", 6), ErrorCode::UNKNOWN_MEMBER_ID),
        (commit("g", Some(&joined), "nope", 6), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (other_partition, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (long, ErrorCode::OFFSET_METADATA_TOO_LARGE),
        (commit("new", Some(&joined), "t", 6), ErrorCode::GROUP_ID_NOT_FOUND),
    ];
    find(&broker, "new").await;
    for (request, want) in table {
        assert_eq!(commit_code(&mut conn, &request, 9).await, want, "{request:?}");
    }
    assert_eq!(fetched(&mut conn, "g", "t").await, (5, Some("note".into()), 3));
}

#[tokio::test]
async fn groups_and_offsets_survive_a_restart() {
    let mut broker = TestBroker::start(&[]).await;
    broker.create(&[("t", 1)]).await;
    let mut conn = find(&broker, "g").await;
    let joined = join_alone(&mut conn, "g", &["t"]).await;
    for offset in [7, 8, 42] {
        let request = commit("g", Some(&joined), "t", offset);
        assert_eq!(commit_code(&mut conn, &request, 9).await, ErrorCode::NONE);
    }
    broker.restart().await;
    let mut conn = find(&broker, "g").await;
    assert_eq!(fetched(&mut conn, "g", "t").await.0, 42);
    let code = conn.call(&heartbeat("g", &joined), 4).await.error_code;
    assert_eq!(ErrorCode(code), ErrorCode::NONE, "the member need not join again");
    let synced = conn.call(&sync("g", &joined, &[]), 5).await;
    assert_eq!(&*synced.assignment, b"all");
    assert_eq!(
        commit_code(&mut conn, &commit("g", Some(&joined), "t", 43), 9).await,
        ErrorCode::NONE
    );
}

#[tokio::test]
async fn groups_are_listed_described_and_deleted() {
    let mut broker = TestBroker::start(&[]).await;
    broker.create(&[("t", 1), ("u", 1)]).await;
    let mut conn = find(&broker, "busy").await;
    let joined = join_alone(&mut conn, "busy", &["t"]).await;
    find(&broker, "simple").await;
    for (group, member) in [("simple", None), ("busy", Some(&joined))] {
        for topic in ["t", "u"] {
            let request = commit(group, member, topic, 1);
            assert_eq!(commit_code(&mut conn, &request, 9).await, ErrorCode::NONE);
        }
    }
    assert_eq!(
        list(&mut conn, &[], &[]).await,
        BTreeMap::from([("busy", "Stable"), ("simple", "Empty")].map(own))
    );
    assert_eq!(list(&mut conn, &["empty"], &[]).await, BTreeMap::from([own(("simple", "Empty"))]));
    assert_eq!(list(&mut conn, &[], &["consumer"]).await, BTreeMap::new());
    for version in DescribeGroupsRequest::VERSIONS {
        let groups = vec!["busy".into(), "nobody".into()];
        let request = DescribeGroupsRequest { groups, ..Default::default() };
        let response = conn.call(&request, version).await;
        let (busy, nobody) = (&response.groups[0], &response.groups[1]);
        assert_eq!((busy.group_state.as_str(), busy.protocol_data.as_str()), ("Stable", "range"));
        let member = &busy.members[0];
        assert_eq!(
            (member.client_id.as_str(), member.client_host.as_str()),
            ("test", "/127.0.0.1")
        );
        assert_eq!(&*member.member_assignment, b"all");
        assert_eq!(nobody.group_state, "Dead");
        let missing = if version >= 6 { ErrorCode::GROUP_ID_NOT_FOUND } else { ErrorCode::NONE };
        assert_eq!(ErrorCode(nobody.error_code), missing);
    }

    assert_eq!(
        delete_offsets(&mut conn, "busy").await,
        [
            ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
            ErrorCode::NONE,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        ]
    );
    assert_eq!(fetched(&mut conn, "busy", "t").await.0, 1);
    assert_eq!(fetched(&mut conn, "busy", "u").await.0, -1);

    let groups_names = vec!["busy".into(), "simple".into(), "nobody".into()];
    let response = conn.call(&DeleteGroupsRequest { groups_names }, 2).await;
    let codes: Vec<_> = response.results.iter().map(|r| ErrorCode(r.error_code)).collect();
    assert_eq!(codes, [ErrorCode::NON_EMPTY_GROUP, ErrorCode::NONE, ErrorCode::GROUP_ID_NOT_FOUND]);
    broker.restart().await;
    let mut conn = find(&broker, "simple").await;
    find(&broker, "busy").await;
    assert_eq!(fetched(&mut conn, "simple", "t").await.0, -1, "deleted for good");
    assert_eq!(list(&mut conn, &[], &[]).await, BTreeMap::from([own(("busy", "Stable"))]));
}

fn own((id, state): (&str, &str)) -> (String, String) {
    (id.to_owned(), state.to_owned())
}

async fn list(conn: &mut Conn, states: &[&str], types: &[&str]) -> BTreeMap<String, String> {
    let copy = |list: &[&str]| list.iter().map(|s| Str::copy(s)).collect();
    let request = ListGroupsRequest { states_filter: copy(states), types_filter: copy(types) };
    loop {
        let response = conn.call(&request, 5).await;
        match ErrorCode(response.error_code) {
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => tokio::task::yield_now().await,
            error => {
                assert_eq!(error, ErrorCode::NONE);
                let groups = response.groups.into_iter();
                return groups
                    .map(|g| (g.group_id.to_string(), g.group_state.to_string()))
                    .collect();
            }
        }
    }
}

async fn delete_offsets(conn: &mut Conn, group: &str) -> Vec<ErrorCode> {
    let topics = ["t", "u", "nope"].map(|name| OffsetDeleteRequestTopic {
        name: Str::copy(name),
        partitions: vec![OffsetDeleteRequestPartition { partition_index: 0 }],
    });
    let request = OffsetDeleteRequest { group_id: Str::copy(group), topics: topics.to_vec() };
    let response = conn.call(&request, 0).await;
    assert_eq!(ErrorCode(response.error_code), ErrorCode::NONE);
    response.topics.iter().map(|t| ErrorCode(t.partitions[0].error_code)).collect()
}

#[tokio::test]
async fn offsets_of_a_deleted_topic_are_forgotten() {
    use protocol::messages::DeleteTopicsRequest;
    let mut broker = TestBroker::start(&[]).await;
    broker.create(&[("t", 1)]).await;
    let mut conn = find(&broker, "g").await;
    assert_eq!(commit_code(&mut conn, &commit("g", None, "t", 5), 9).await, ErrorCode::NONE);
    let delete = DeleteTopicsRequest { topic_names: vec!["t".into()], ..Default::default() };
    assert_eq!(conn.call(&delete, 5).await.responses[0].error_code, 0);
    broker.create(&[("t", 1)]).await;
    assert_eq!(fetched(&mut conn, "g", "t").await.0, -1);
    broker.restart().await;
    let mut conn = find(&broker, "g").await;
    assert_eq!(fetched(&mut conn, "g", "t").await.0, -1);
}

#[tokio::test]
async fn a_member_that_falls_silent_is_taken_out() {
    let broker = TestBroker::start(&[("group.min.session.timeout.ms", "50")]).await;
    let mut conn = find(&broker, "g").await;
    let request = JoinGroupRequest {
        session_timeout_ms: 50,
        rebalance_timeout_ms: 50,
        ..join("g", "", &["t"])
    };
    let joined = conn.call(&request, 3).await;
    conn.call(&sync("g", &joined, &[(&joined.member_id, "x")]), 3).await;
    loop {
        let groups = list(&mut conn, &[], &[]).await;
        if groups["g"] == "Empty" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let code = conn.call(&heartbeat("g", &joined), 4).await.error_code;
    assert_eq!(ErrorCode(code), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[tokio::test]
async fn groups_without_a_name_and_other_coordinators_are_refused() {
    let broker = TestBroker::start(&[]).await;
    let mut conn = find(&broker, "g").await;
    let joined = conn.call(&join("", "", &["t"]), 9).await;
    assert_eq!(ErrorCode(joined.error_code), ErrorCode::INVALID_GROUP_ID);
    let short = JoinGroupRequest { session_timeout_ms: 1, ..join("g", "", &["t"]) };
    let code = ErrorCode(conn.call(&short, 9).await.error_code);
    assert_eq!(code, ErrorCode::INVALID_SESSION_TIMEOUT);
    let request = FindCoordinatorRequest { key: "tx".into(), key_type: 1, ..Default::default() };
    let response = conn.call(&request, 2).await;
    assert_eq!(ErrorCode(response.error_code), ErrorCode::INVALID_REQUEST);
    assert!(response.error_message.is_some());
}

fn join_static(group: &str, member: &str, instance: &str) -> JoinGroupRequest {
    JoinGroupRequest { group_instance_id: Some(Str::copy(instance)), ..join(group, member, &["t"]) }
}

#[tokio::test]
async fn a_static_member_keeps_its_place_over_restarts_of_itself_and_of_the_broker() {
    let mut broker = TestBroker::start(&[]).await;
    let mut conn = find(&broker, "g").await;
    let first = conn.call(&join_static("g", "", "one"), 9).await;
    assert_eq!(ErrorCode(first.error_code), ErrorCode::NONE, "static members need no second join");
    conn.call(&sync("g", &first, &[(&first.member_id, "mine")]), 5).await;

    let again = conn.call(&join_static("g", "", "one"), 9).await;
    assert_ne!(again.member_id, first.member_id);
    assert_eq!((again.generation_id, again.skip_assignment), (1, true));
    assert_eq!(&*conn.call(&sync("g", &again, &[]), 5).await.assignment, b"mine");
    let old = HeartbeatRequest { group_instance_id: Some("one".into()), ..heartbeat("g", &first) };
    let code = ErrorCode(conn.call(&old, 4).await.error_code);
    assert_eq!(code, ErrorCode::FENCED_INSTANCE_ID);

    broker.restart().await;
    let mut conn = find(&broker, "g").await;
    let new = HeartbeatRequest { group_instance_id: Some("one".into()), ..heartbeat("g", &again) };
    assert_eq!(ErrorCode(conn.call(&new, 4).await.error_code), ErrorCode::NONE);
    let once_more = conn.call(&join_static("g", "", "one"), 9).await;
    assert_eq!(once_more.generation_id, 1);
    assert_eq!(&*conn.call(&sync("g", &once_more, &[]), 5).await.assignment, b"mine");

    let members = [("one", ErrorCode::NONE), ("two", ErrorCode::UNKNOWN_MEMBER_ID)];
    let leave = LeaveGroupRequest {
        group_id: "g".into(),
        members: members
            .iter()
            .map(|(instance, _)| MemberIdentity {
                group_instance_id: Some(Str::copy(instance)),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    let left = conn.call(&leave, 5).await;
    for ((instance, want), got) in members.iter().zip(&left.members) {
        assert_eq!(ErrorCode(got.error_code), *want, "{instance}");
    }
    assert_eq!(list(&mut conn, &[], &[]).await["g"], "Empty");
}

/// Members of two groups that come, commit and go at the same time, over many connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_members_come_and_go() {
    const MEMBERS: usize = 8;
    const ROUNDS: i64 = 5;
    let broker = std::sync::Arc::new(TestBroker::start(&[]).await);
    broker.create(&[("t", 1)]).await;
    let mut conn = find(&broker, "g0").await;
    find(&broker, "g1").await;
    let members = (0..MEMBERS).map(|i| {
        let broker = std::sync::Arc::clone(&broker);
        tokio::spawn(async move {
            let mut conn = broker.connect().await;
            let group = format!("g{}", i % 2);
            for round in 0..ROUNDS {
                let joined = join_until_stable(&mut conn, &group).await;
                let request = commit(&group, Some(&joined), "t", round);
                let code = commit_code(&mut conn, &request, 9).await;
                let fine = [
                    ErrorCode::NONE,
                    ErrorCode::ILLEGAL_GENERATION,
                    ErrorCode::REBALANCE_IN_PROGRESS,
                ];
                assert!(fine.contains(&code), "{}", code.name());
                let member_id = joined.member_id;
                let members = vec![MemberIdentity { member_id, ..Default::default() }];
                let leave = LeaveGroupRequest {
                    group_id: Str::copy(&group),
                    members,
                    ..Default::default()
                };
                assert_eq!(
                    ErrorCode(conn.call(&leave, 5).await.members[0].error_code),
                    ErrorCode::NONE
                );
            }
        })
    });
    for member in members.collect::<Vec<_>>() {
        member.await.unwrap();
    }
    let empty = BTreeMap::from([("g0", "Empty"), ("g1", "Empty")].map(own));
    assert_eq!(list(&mut conn, &[], &[]).await, empty);
    assert!(fetched(&mut conn, "g0", "t").await.0 < ROUNDS);
}

/// What a consumer does until it has an assignment.
async fn join_until_stable(conn: &mut Conn, group: &str) -> JoinGroupResponse {
    let mut member = Str::EMPTY;
    loop {
        let joined = conn.call(&join(group, &member, &["t"]), 9).await;
        member = joined.member_id.clone();
        match ErrorCode(joined.error_code) {
            ErrorCode::NONE => {}
            ErrorCode::MEMBER_ID_REQUIRED => continue,
            other => panic!("join: {}", other.name()),
        }
        let parts: Vec<(&Str, &str)> = joined.members.iter().map(|m| (&m.member_id, "x")).collect();
        let synced = conn.call(&sync(group, &joined, &parts), 5).await;
        match ErrorCode(synced.error_code) {
            ErrorCode::NONE => {
                assert_eq!(&*synced.assignment, b"x");
                return joined;
            }
            ErrorCode::REBALANCE_IN_PROGRESS => {}
            other => panic!("sync: {}", other.name()),
        }
    }
}
