use std::collections::HashMap;

use protocol::ErrorCode;
use thiserror::Error;

use super::create_topics::{new_partitions, too_many};
use super::placement::{check_assignment, place};
use super::{
    Command, Controller, Decision, Draft, Entropy, MAX_PARTITIONS, MAX_PARTITIONS_PER_REQUEST,
    PlacementError,
};
use crate::image::MetadataImage;
use crate::record::MetadataRecord;

/// Adds partitions to topics.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatePartitions {
    /// Each is answered by itself.
    pub topics: Vec<MorePartitions>,
    /// Only check.
    pub validate_only: bool,
}

/// How many partitions a topic shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MorePartitions {
    /// The topic.
    pub topic: String,
    /// The new total.
    pub count: i32,
    /// Replicas of the new partitions; `None`: the controller chooses.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// Why a topic got no partitions.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum PartitionsError {
    /// No such topic.
    #[error("This server does not host this topic-partition.")]
    UnknownTopic,
    /// The request names the topic twice.
    #[error("Duplicate topic name.")]
    Duplicate,
    /// It has that many already.
    #[error("Topic already has {0} partition(s).")]
    Same(usize),
    /// Partitions cannot be taken away.
    #[error(
        "The topic {topic} currently has {have} partition(s); {wanted} would not be an increase."
    )]
    Fewer {
        /// The topic.
        topic: String,
        /// What it has.
        have: usize,
        /// What was asked for.
        wanted: i32,
    },
    /// More than one request, or the cluster, may have.
    #[error(
        "{wanted} partitions are more than may be created at once ({MAX_PARTITIONS_PER_REQUEST}) or exist ({MAX_PARTITIONS})."
    )]
    TooMany {
        /// Partitions wanted.
        wanted: usize,
    },
    /// Not one assignment for each new partition.
    #[error(
        "Attempted to add {new} additional partition(s), but {given} assignment(s) were specified."
    )]
    AssignmentCount {
        /// New partitions.
        new: usize,
        /// Assignments.
        given: usize,
    },
    /// The replicas cannot be placed.
    #[error(transparent)]
    Placement(#[from] PlacementError),
}

impl PartitionsError {
    /// Kafka's code for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            PartitionsError::UnknownTopic => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            PartitionsError::Duplicate => ErrorCode::INVALID_REQUEST,
            PartitionsError::Same(_) | PartitionsError::Fewer { .. } => {
                ErrorCode::INVALID_PARTITIONS
            }
            PartitionsError::TooMany { .. } => ErrorCode::POLICY_VIOLATION,
            PartitionsError::AssignmentCount { .. }
            | PartitionsError::Placement(PlacementError::Assignment(_)) => {
                ErrorCode::INVALID_REPLICA_ASSIGNMENT
            }
            PartitionsError::Placement(_) => ErrorCode::INVALID_REPLICATION_FACTOR,
        }
    }
}

impl Command for CreatePartitions {
    type Answer = Vec<Result<(), PartitionsError>>;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let mut names: HashMap<&str, usize> = HashMap::new();
        for topic in &self.topics {
            *names.entry(&topic.topic).or_default() += 1;
        }
        let mut draft = Draft::of(controller);
        let before = controller.image.topics().partition_count();
        let answer = self.topics.iter().map(|topic| {
            if names.get(&*topic.topic).is_some_and(|&n| n > 1) {
                return Err(PartitionsError::Duplicate);
            }
            let created_so_far = draft.image.topics().partition_count() - before;
            let records = add(&draft.image, topic, created_so_far)?;
            draft.add(records);
            Ok(())
        });
        let answer = answer.collect();
        draft.decision(self.validate_only, answer)
    }
}

fn add(
    image: &MetadataImage,
    wish: &MorePartitions,
    created_so_far: usize,
) -> Result<Vec<MetadataRecord>, PartitionsError> {
    let topic = image.topic(&wish.topic).ok_or(PartitionsError::UnknownTopic)?;
    let have = topic.partitions.len();
    let wanted = usize::try_from(wish.count).unwrap_or(0);
    if wanted == have {
        return Err(PartitionsError::Same(have));
    }
    if wanted < have {
        return Err(PartitionsError::Fewer { topic: wish.topic.clone(), have, wanted: wish.count });
    }
    let new = wanted - have;
    if too_many(image, created_so_far, new) {
        return Err(PartitionsError::TooMany { wanted: new });
    }
    let factor = topic.partitions.first().map_or(1, |p| p.replicas.len());
    let assignment = match &wish.assignments {
        None => place(image, have, new, i16::try_from(factor).unwrap_or(i16::MAX))?,
        Some(given) if given.len() != new => {
            return Err(PartitionsError::AssignmentCount { new, given: given.len() });
        }
        Some(given) => {
            for replicas in given {
                check_assignment(image, replicas, Some(factor))?;
            }
            given.clone()
        }
    };
    let first = i32::try_from(have).unwrap_or(i32::MAX);
    Ok(new_partitions(image, topic.id, first, assignment).collect())
}
