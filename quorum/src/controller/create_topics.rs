use std::collections::HashMap;

use protocol::{ErrorCode, Uuid};
use thiserror::Error;

use super::names::check_collision;
use super::placement::{check_assignment, place};
use super::schema::MAX_CONFIG_VALUE_BYTES;
use super::{
    Command, ConfigError, Controller, Decision, Draft, Entropy, MAX_PARTITIONS,
    MAX_PARTITIONS_PER_REQUEST, NameError, PlacementError, check_topic_name,
};
use crate::image::{ConfigMap, MetadataImage};
use crate::record::{ConfigResource, MetadataRecord, PartitionRecord};

/// Creates topics (CreateTopics, and topics created by use).
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTopics {
    /// The topics; each is answered by itself.
    pub topics: Vec<NewTopic>,
    /// Only check.
    pub validate_only: bool,
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// -1: the broker's default; must be -1 when there are assignments.
    pub num_partitions: i32,
    /// -1: the broker's default; must be -1 when there are assignments.
    pub replication_factor: i16,
    /// Partition → replicas; empty: the controller chooses.
    pub assignments: Vec<(i32, Vec<i32>)>,
    /// Kafka's keys and values.
    pub configs: Vec<(String, Option<String>)>,
}

/// A topic that was created, or would have been.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatedTopic {
    /// Its id (zero when only checked).
    pub topic_id: Uuid,
    /// How many partitions it has.
    pub num_partitions: i32,
    /// How many replicas each has.
    pub replication_factor: i16,
    /// What was set on it.
    pub configs: ConfigMap,
}

/// Why a topic was not created.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum CreateTopicError {
    /// The name cannot be.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A topic of that name exists.
    #[error("Topic '{0}' already exists.")]
    Exists(String),
    /// The request names the topic twice.
    #[error("Duplicate topic name.")]
    Duplicate,
    /// 0 or below -1.
    #[error("Number of partitions was set to an invalid non-positive value.")]
    NotPositive,
    /// More than one request, or the cluster, may have.
    #[error(
        "{wanted} partitions are more than may be created at once ({MAX_PARTITIONS_PER_REQUEST}) or exist ({MAX_PARTITIONS})."
    )]
    TooMany {
        /// Partitions wanted.
        wanted: usize,
    },
    /// Assignments and numbers, or assignments with gaps.
    #[error("{0}")]
    Request(&'static str),
    /// The assignments have gaps.
    #[error("partitions should be a consecutive 0-based integer sequence")]
    Gaps,
    /// The replicas cannot be placed.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// A config is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl CreateTopicError {
    /// Kafka's code for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            CreateTopicError::Name(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
            CreateTopicError::Exists(_) => ErrorCode::TOPIC_ALREADY_EXISTS,
            CreateTopicError::Duplicate | CreateTopicError::Request(_) => {
                ErrorCode::INVALID_REQUEST
            }
            CreateTopicError::NotPositive => ErrorCode::INVALID_PARTITIONS,
            CreateTopicError::TooMany { .. } => ErrorCode::POLICY_VIOLATION,
            CreateTopicError::Gaps | CreateTopicError::Placement(PlacementError::Assignment(_)) => {
                ErrorCode::INVALID_REPLICA_ASSIGNMENT
            }
            CreateTopicError::Placement(_) => ErrorCode::INVALID_REPLICATION_FACTOR,
            CreateTopicError::Config(e) => e.code(),
        }
    }
}

impl NewTopic {
    /// A topic with the broker's defaults.
    pub fn with_defaults(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            num_partitions: -1,
            replication_factor: -1,
            assignments: Vec::new(),
            configs: Vec::new(),
        }
    }
}

impl Command for CreateTopics {
    type Answer = Vec<Result<CreatedTopic, CreateTopicError>>;

    fn decide(
        self,
        controller: &mut Controller,
        entropy: &mut dyn Entropy,
    ) -> Decision<Self::Answer> {
        let mut names: HashMap<&str, usize> = HashMap::new();
        for topic in &self.topics {
            *names.entry(&topic.name).or_default() += 1;
        }
        let mut draft = Draft::of(controller);
        let before = controller.image.topics().partition_count();
        let answer = self.topics.iter().map(|topic| {
            if names.get(&*topic.name).is_some_and(|&n| n > 1) {
                return Err(CreateTopicError::Duplicate);
            }
            let created_so_far = draft.image.topics().partition_count() - before;
            let (records, mut created) =
                create(controller, &draft.image, topic, created_so_far, entropy)?;
            draft.add(records);
            if self.validate_only {
                created.topic_id = Uuid::ZERO;
            }
            Ok(created)
        });
        let answer = answer.collect();
        draft.decision(self.validate_only, answer)
    }
}

fn create(
    controller: &Controller,
    image: &MetadataImage,
    topic: &NewTopic,
    created_so_far: usize,
    entropy: &mut dyn Entropy,
) -> Result<(Vec<MetadataRecord>, CreatedTopic), CreateTopicError> {
    check_topic_name(&topic.name)?;
    if image.topic(&topic.name).is_some() {
        return Err(CreateTopicError::Exists(topic.name.clone()));
    }
    check_collision(&topic.name, image.topics())?;
    let configs = check_configs(controller, topic)?;
    let assignment = if topic.assignments.is_empty() {
        choose_replicas(controller, image, topic, created_so_far)?
    } else {
        manual_replicas(image, topic, created_so_far)?
    };
    let topic_id = unused_id(image, entropy);
    let created = CreatedTopic {
        topic_id,
        num_partitions: i32::try_from(assignment.len()).unwrap_or(i32::MAX),
        replication_factor: assignment.first().map_or(0, |r| r.len() as i16),
        configs,
    };
    let mut records = vec![MetadataRecord::Topic { name: topic.name.clone(), topic_id }];
    records.extend(new_partitions(image, topic_id, 0, assignment));
    records.extend(created.configs.iter().map(|(key, value)| MetadataRecord::Config {
        resource: ConfigResource::Topic(topic.name.clone()),
        key: key.clone(),
        value: Some(value.clone()),
    }));
    Ok((records, created))
}

/// The records of new partitions. All replicas that are there are in sync (they are equally empty), and the first of them
/// leads; those that are not there join when they come.
pub(super) fn new_partitions(
    image: &MetadataImage,
    topic_id: Uuid,
    first: i32,
    assignment: Vec<Vec<i32>>,
) -> impl Iterator<Item = MetadataRecord> {
    (first..).zip(assignment).map(move |(partition, replicas)| {
        let there = |id: &&i32| image.is_active(**id);
        let isr: Vec<i32> = replicas.iter().filter(there).copied().collect();
        MetadataRecord::Partition(PartitionRecord {
            topic_id,
            partition,
            leader: isr.first().copied().unwrap_or(-1),
            isr,
            replicas,
            ..PartitionRecord::default()
        })
    })
}

/// Refuses more partitions than a request may create or the cluster may have.
pub(super) fn too_many(image: &MetadataImage, in_request: usize, wanted: usize) -> bool {
    in_request + wanted > MAX_PARTITIONS_PER_REQUEST
        || image.topics().partition_count() + wanted > MAX_PARTITIONS
}

fn choose_replicas(
    controller: &Controller,
    image: &MetadataImage,
    topic: &NewTopic,
    created_so_far: usize,
) -> Result<Vec<Vec<i32>>, CreateTopicError> {
    let settings = &controller.settings;
    let partitions = match topic.num_partitions {
        -1 => settings.num_partitions,
        n => n,
    };
    let replication_factor = match topic.replication_factor {
        -1 => settings.default_replication_factor,
        n => n,
    };
    let wanted = usize::try_from(partitions).unwrap_or(0);
    if wanted == 0 {
        return Err(CreateTopicError::NotPositive);
    }
    if too_many(image, created_so_far, wanted) {
        return Err(CreateTopicError::TooMany { wanted });
    }
    Ok(place(image, 0, wanted, replication_factor)?)
}

fn manual_replicas(
    image: &MetadataImage,
    topic: &NewTopic,
    created_so_far: usize,
) -> Result<Vec<Vec<i32>>, CreateTopicError> {
    if topic.replication_factor != -1 {
        return Err(CreateTopicError::Request(
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        ));
    }
    if topic.num_partitions != -1 {
        return Err(CreateTopicError::Request(
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        ));
    }
    let wanted = topic.assignments.len();
    if too_many(image, created_so_far, wanted) {
        return Err(CreateTopicError::TooMany { wanted });
    }
    let mut assignments: Vec<&(i32, Vec<i32>)> = topic.assignments.iter().collect();
    assignments.sort_by_key(|(partition, _)| *partition);
    if !assignments.iter().map(|(partition, _)| *partition).eq((0..).take(wanted)) {
        return Err(CreateTopicError::Gaps);
    }
    let mut factor = None;
    for (_, replicas) in &assignments {
        check_assignment(image, replicas, factor)?;
        factor = Some(replicas.len());
    }
    Ok(assignments.into_iter().map(|(_, replicas)| replicas.clone()).collect())
}

fn check_configs(controller: &Controller, topic: &NewTopic) -> Result<ConfigMap, ConfigError> {
    let resource = ConfigResource::Topic(topic.name.clone());
    let mut configs = ConfigMap::new();
    for (key, value) in &topic.configs {
        let Some(value) = value else {
            return Err(ConfigError::Invalid {
                key: key.clone(),
                value: "null".to_owned(),
                reason: "null value not supported for topic configs".to_owned(),
            });
        };
        check_length(key, value)?;
        controller.schema.check(&resource, key, value)?;
        if configs.insert(key.clone(), value.clone()).is_some() {
            return Err(ConfigError::Request(format!("The config {key} is set twice.")));
        }
    }
    controller.schema.check_all(&resource, &configs)?;
    Ok(configs)
}

pub(super) fn check_length(key: &str, value: &str) -> Result<(), ConfigError> {
    if value.len() <= MAX_CONFIG_VALUE_BYTES {
        return Ok(());
    }
    Err(ConfigError::Invalid {
        key: key.to_owned(),
        value: format!("of {} bytes", value.len()),
        reason: format!("it exceeds the maximum value size of {MAX_CONFIG_VALUE_BYTES} bytes"),
    })
}

fn unused_id(image: &MetadataImage, entropy: &mut dyn Entropy) -> Uuid {
    loop {
        let id = entropy.uuid();
        if image.topic_by_id(&id).is_none() {
            return id;
        }
    }
}
