use protocol::ErrorCode;

use super::*;
use crate::image::ConfigMap;
use crate::record::ConfigResource;

struct Count(u8);
impl Entropy for Count {
    fn bytes(&mut self) -> [u8; 16] {
        self.0 += 1;
        [self.0; 16]
    }
}

/// `num` is a number, `list` a list with the default `x`, `fixed` read-only; `min`, `max` must be in order.
#[derive(Debug)]
struct SmallSchema;

impl ConfigSchema for SmallSchema {
    fn check(&self, resource: &ConfigResource, key: &str, value: &str) -> Result<(), ConfigError> {
        self.check_key(resource, key)?;
        if key != "list" && value.parse::<i64>().is_err() {
            return Err(ConfigError::Invalid {
                key: key.into(),
                value: value.into(),
                reason: "not a number".into(),
            });
        }
        Ok(())
    }

    fn check_key(&self, _: &ConfigResource, key: &str) -> Result<(), ConfigError> {
        match key {
            "num" | "list" | "min" | "max" => Ok(()),
            "fixed" => Err(ConfigError::ReadOnly(key.into())),
            _ => Err(ConfigError::Unknown { kind: "topic", key: key.into(), nearest: Some("num") }),
        }
    }

    fn check_all(&self, _: &ConfigResource, configs: &ConfigMap) -> Result<(), ConfigError> {
        match (configs.get("min"), configs.get("max")) {
            (Some(min), Some(max)) if min > max => Err(ConfigError::Invalid {
                key: "min".into(),
                value: min.clone(),
                reason: "above max".into(),
            }),
            _ => Ok(()),
        }
    }

    fn list_default(&self, _: &ConfigResource, key: &str) -> Option<String> {
        (key == "list").then(|| "x".into())
    }
}

struct World {
    controller: Controller,
    entropy: Count,
    now_ms: u64,
}

impl World {
    fn new(brokers: i32) -> Self {
        let settings = ControllerSettings { num_partitions: 4, ..Default::default() };
        let controller = Controller::new(Arc::default(), settings, Arc::new(SmallSchema));
        let mut world = Self { controller, entropy: Count(0), now_ms: 0 };
        for broker_id in 0..brokers {
            world.register(broker_id);
        }
        world
    }

    fn register(&mut self, broker_id: i32) -> i64 {
        let incarnation = self.entropy.uuid();
        let command = RegisterBroker {
            broker_id,
            incarnation_id: incarnation,
            directory_id: Uuid([broker_id as u8 + 1; 16]),
            previous_broker_epoch: self.epoch_of(broker_id),
            now_ms: self.now_ms,
            host: "h".into(),
            port: 1,
            rack: Some(format!("rack-{}", broker_id % 2)),
            features: vec![("metadata.version".into(), 27)],
        };
        let epoch = self.run(command).unwrap();
        self.heartbeat(broker_id, false);
        epoch
    }

    fn epoch_of(&self, broker_id: i32) -> i64 {
        self.controller.image().broker(broker_id).map_or(-1, |broker| broker.epoch)
    }

    /// A heartbeat of a broker that has read all metadata.
    fn heartbeat(&mut self, broker_id: i32, want_shut_down: bool) -> HeartbeatAnswer {
        let command = BrokerHeartbeat {
            broker_id,
            broker_epoch: self.epoch_of(broker_id),
            metadata_offset: self.controller.image().offset(),
            want_fence: false,
            want_shut_down,
            offline_log_dirs: Vec::new(),
            now_ms: self.now_ms,
        };
        self.run(command).unwrap()
    }

    fn run<C: Command>(&mut self, command: C) -> C::Answer {
        let decision = self.controller.decide(command, &mut self.entropy);
        let image = self.controller.image().with(&decision.records).unwrap();
        self.controller.advance(Arc::new(image));
        decision.answer
    }

    fn create(&mut self, topics: Vec<NewTopic>) -> Vec<ErrorCode> {
        let answer = self.run(CreateTopics { topics, validate_only: false });
        answer
            .iter()
            .map(|r| r.as_ref().map_or_else(CreateTopicError::code, |_| ErrorCode::NONE))
            .collect()
    }

    fn alter(
        &mut self,
        resource: &ConfigResource,
        changes: &[(&str, ConfigOp)],
    ) -> Result<(), ConfigError> {
        let changes = changes.iter().map(|(k, op)| ((*k).to_owned(), op.clone())).collect();
        let change = ResourceChange { resource: resource.clone(), changes, replace_all: false };
        self.run(AlterConfigs { resources: vec![change], validate_only: false }).remove(0)
    }
}

fn topic(name: &str, partitions: i32, factor: i16) -> NewTopic {
    NewTopic {
        num_partitions: partitions,
        replication_factor: factor,
        ..NewTopic::with_defaults(name)
    }
}

fn with_config(name: &str, key: &str, value: Option<&str>) -> NewTopic {
    let configs = vec![(key.into(), value.map(Into::into))];
    NewTopic { configs, ..NewTopic::with_defaults(name) }
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> NewTopic {
    let assignments = assignments.iter().map(|(p, r)| (*p, r.to_vec())).collect();
    NewTopic { assignments, ..NewTopic::with_defaults(name) }
}

#[test]
fn each_topic_of_a_batch_is_answered_by_itself() {
    let mut world = World::new(3);
    assert_eq!(world.create(vec![topic("old", 1, 1), topic("a.b", 1, 1)]), [ErrorCode::NONE; 2]);
    let table = [
        (topic("good", 2, 3), ErrorCode::NONE),
        (NewTopic::with_defaults("defaults"), ErrorCode::NONE),
        (with_config("configured", "num", Some("7")), ErrorCode::NONE),
        (assigned("manual", &[(1, &[2, 0]), (0, &[0, 1])]), ErrorCode::NONE),
        (topic("old", 1, 1), ErrorCode::TOPIC_ALREADY_EXISTS),
        (topic("a_b", 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic("", 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic("zero", 0, 1), ErrorCode::INVALID_PARTITIONS),
        (topic("negative", -2, 1), ErrorCode::INVALID_PARTITIONS),
        (topic("huge", i32::MAX, 1), ErrorCode::POLICY_VIOLATION),
        (topic("rf0", 1, 0), ErrorCode::INVALID_REPLICATION_FACTOR),
        (topic("rf4", 1, 4), ErrorCode::INVALID_REPLICATION_FACTOR),
        (topic("twice", 1, 1), ErrorCode::INVALID_REQUEST),
        (topic("twice", 1, 1), ErrorCode::INVALID_REQUEST),
        (with_config("c1", "nope", Some("7")), ErrorCode::INVALID_CONFIG),
        (with_config("c2", "num", Some("x")), ErrorCode::INVALID_CONFIG),
        (with_config("c3", "num", None), ErrorCode::INVALID_CONFIG),
        (with_config("c4", "list", Some(&"x".repeat(40_000))), ErrorCode::INVALID_CONFIG),
        (assigned("m1", &[(0, &[0]), (2, &[0])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned("m2", &[(0, &[9])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned("m3", &[(0, &[0, 0])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned("m4", &[(0, &[0]), (1, &[0, 1])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned("m5", &[(0, &[])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (
            NewTopic { num_partitions: 1, ..assigned("m6", &[(0, &[0])]) },
            ErrorCode::INVALID_REQUEST,
        ),
    ];
    let codes = world.create(table.iter().map(|(topic, _)| topic.clone()).collect());
    for ((topic, want), got) in table.iter().zip(codes) {
        assert_eq!(got, *want, "{}", topic.name);
    }
    let image = world.controller.image();
    assert_eq!(image.topics().len(), 6);
    assert_eq!(image.topic("defaults").unwrap().partitions.len(), 4);
    assert_eq!(*image.partition("manual", 1).unwrap().replicas, [2, 0]);
    assert_eq!(image.topic("configured").unwrap().configs.get("num").unwrap(), "7");
    let good = image.partition("good", 0).unwrap();
    assert_eq!(good.replicas.len(), 3);
    assert_eq!(good.leader, good.replicas[0]);
}

#[test]
fn later_topics_of_a_batch_see_the_earlier_ones() {
    let mut world = World::new(1);
    let codes = world.create(vec![topic("x.y", 1, 1), topic("x_y", 1, 1)]);
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::INVALID_TOPIC_EXCEPTION]);
    let codes = world.create(vec![topic("big", 6000, 1), topic("big2", 6000, 1)]);
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::POLICY_VIOLATION]);
}

#[test]
fn replicas_are_spread_over_brokers_and_racks() {
    let mut world = World::new(4);
    world.create(vec![topic("t", 8, 2)]);
    let image = world.controller.image();
    let mut leads = [0; 4];
    for (_, partition) in image.topic("t").unwrap().iter() {
        leads[partition.leader as usize] += 1;
        assert_ne!(partition.replicas[0] % 2, partition.replicas[1] % 2, "{partition:?}");
    }
    assert_eq!(leads, [2; 4]);
}

#[test]
fn validate_only_changes_nothing() {
    let mut world = World::new(1);
    let before = world.controller.image().clone();
    let create = CreateTopics { topics: vec![topic("t", 3, 1)], validate_only: true };
    let created = world.run(create).remove(0).unwrap();
    assert_eq!((created.num_partitions, created.topic_id), (3, Uuid::ZERO));
    assert_eq!(world.controller.image(), &before);
}

#[test]
fn a_topic_created_again_has_another_id() {
    let mut world = World::new(1);
    world.create(vec![topic("t", 1, 1)]);
    let first = world.controller.image().topic("t").unwrap().id;
    let delete = |topics| DeleteTopics { topics };
    assert!(world.run(delete(vec![TopicRef::Id(first)]))[0].is_ok());
    world.create(vec![topic("t", 1, 1)]);
    assert_ne!(world.controller.image().topic("t").unwrap().id, first);
    let refs = vec![
        TopicRef::Id(first),
        TopicRef::Name("nope".into()),
        TopicRef::Name("t".into()),
        TopicRef::Name("t".into()),
    ];
    let codes: Vec<_> =
        world.run(delete(refs)).iter().map(|r| r.as_ref().unwrap_err().code()).collect();
    let want = [
        ErrorCode::UNKNOWN_TOPIC_ID,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::INVALID_REQUEST,
        ErrorCode::INVALID_REQUEST,
    ];
    assert_eq!(codes, want);
}

#[test]
fn partitions_only_grow() {
    let mut world = World::new(2);
    world.create(vec![topic("a", 3, 1), topic("b", 1, 2), topic("c", 1, 1), topic("d", 1, 1)]);
    let more = |topic: &str, count, assignments: Option<&[&[i32]]>| MorePartitions {
        topic: topic.into(),
        count,
        assignments: assignments.map(|a| a.iter().map(|r| r.to_vec()).collect()),
    };
    let table = [
        (more("a", 2, None), ErrorCode::INVALID_PARTITIONS),
        (more("b", 3, Some(&[&[0, 1], &[1, 0]])), ErrorCode::NONE),
        (more("c", 2, Some(&[&[0, 1]])), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (more("d", 3, Some(&[&[0]])), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (more("nope", 2, None), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ];
    let topics = table.iter().map(|(more, _)| more.clone()).collect();
    let answer = world.run(CreatePartitions { topics, validate_only: false });
    for ((more, want), got) in table.iter().zip(answer) {
        let got = got.map_or_else(|e| e.code(), |()| ErrorCode::NONE);
        assert_eq!(got, *want, "{more:?}");
    }
    for (count, want) in [
        (3, ErrorCode::INVALID_PARTITIONS),
        (-1, ErrorCode::INVALID_PARTITIONS),
        (5, ErrorCode::NONE),
    ] {
        let command =
            CreatePartitions { topics: vec![more("a", count, None)], validate_only: false };
        let got = world.run(command).remove(0).map_or_else(|e| e.code(), |()| ErrorCode::NONE);
        assert_eq!(got, want, "{count}");
    }
    let image = world.controller.image();
    assert_eq!(image.topic("a").unwrap().partitions.len(), 5);
    assert_eq!(*image.partition("b", 2).unwrap().replicas, [1, 0]);
}

#[test]
fn configs_are_set_appended_subtracted_and_deleted() {
    let mut world = World::new(1);
    world.create(vec![topic("t", 1, 1)]);
    let t = ConfigResource::Topic("t".into());
    let value =
        |world: &World, key: &str| world.controller.image().configs(&t).unwrap().get(key).cloned();
    world
        .alter(&t, &[("num", ConfigOp::Set("1".into())), ("list", ConfigOp::Append("y,x".into()))])
        .unwrap();
    assert_eq!(value(&world, "list").unwrap(), "x,y");
    world
        .alter(&t, &[("list", ConfigOp::Subtract("x".into())), ("num", ConfigOp::Delete)])
        .unwrap();
    assert_eq!(value(&world, "list").unwrap(), "y");
    assert_eq!(value(&world, "num"), None);

    let set = |value: &str| ConfigOp::Set(value.into());
    let table: [(&[(&str, ConfigOp)], ErrorCode); 6] = [
        (&[("num", ConfigOp::Append("1".into()))], ErrorCode::INVALID_CONFIG),
        (&[("num", set("x"))], ErrorCode::INVALID_CONFIG),
        (&[("nope", set("1"))], ErrorCode::INVALID_CONFIG),
        (&[("fixed", set("1"))], ErrorCode::INVALID_REQUEST),
        (&[("num", set("1")), ("num", set("2"))], ErrorCode::INVALID_REQUEST),
        (&[("list", set("z")), ("min", set("2")), ("max", set("1"))], ErrorCode::INVALID_CONFIG),
    ];
    for (changes, code) in table {
        assert_eq!(world.alter(&t, changes).unwrap_err().code(), code, "{changes:?}");
    }
    assert_eq!(value(&world, "list").unwrap(), "y", "a refused change changes nothing");
}

#[test]
fn configs_of_unknown_resources_are_refused_and_the_old_call_replaces_all() {
    let mut world = World::new(1);
    let set = [("num", ConfigOp::Set("1".into()))];
    let topic_error = world.alter(&ConfigResource::Topic("t".into()), &set).unwrap_err();
    assert_eq!(topic_error.code(), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let broker_error = world.alter(&ConfigResource::Broker(Some(7)), &set).unwrap_err();
    assert_eq!(broker_error.code(), ErrorCode::BROKER_ID_NOT_REGISTERED);
    let all = ConfigResource::Broker(None);
    world.alter(&all, &set).unwrap();
    let change = ResourceChange {
        resource: all.clone(),
        changes: vec![("min".into(), ConfigOp::Set("1".into()))],
        replace_all: true,
    };
    let twice =
        AlterConfigs { resources: vec![change.clone(), change.clone()], validate_only: false };
    assert!(world.run(twice).iter().all(Result::is_err));
    world.run(AlterConfigs { resources: vec![change], validate_only: false }).remove(0).unwrap();
    let configs = world.controller.image().configs(&all).unwrap().clone();
    assert_eq!(configs, ConfigMap::from([("min".into(), "1".into())]));
}

#[test]
fn a_broker_that_comes_back_leads_in_a_new_epoch() {
    let mut world = World::new(1);
    world.create(vec![topic("t", 2, 1)]);
    let first = world.controller.image().broker(0).unwrap().epoch;
    assert!(world.register(0) > first);
    let image = world.controller.image();
    assert!(image.topic("t").unwrap().iter().all(|(_, p)| p.leader_epoch == 1 && p.leader == 0));
    assert_eq!(image.features().get("metadata.version"), Some(&27));
}

#[test]
fn producer_id_blocks_never_overlap() {
    let mut world = World::new(1);
    let mut next = 0;
    for _ in 0..10 {
        let block = world.run(AllocateProducerIds).unwrap();
        assert!(block.first >= next && block.len > 0);
        next = block.first + i64::from(block.len);
    }
    let full = MetadataRecord::ProducerIds { next_producer_id: i64::MAX };
    let image = world.controller.image().with(&[full]).unwrap();
    world.controller.advance(Arc::new(image));
    assert_eq!(world.run(AllocateProducerIds), Err(ProducerIdError));
}

mod cluster;
