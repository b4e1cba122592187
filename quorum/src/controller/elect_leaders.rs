//! Elections that somebody asks for (ElectLeaders, KIP-460), and those that bring leaders back to where they belong.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use thiserror::Error;

use super::partition_edit::{Election, PartitionEdit};
use super::rules::TopicRules;
use super::{Command, Controller, Decision, Draft, Entropy};
use crate::image::MetadataImage;
use crate::record::MetadataRecord;

/// Elections in one round of [`BalanceLeaders`]: bounds the frame, and how many clients have to turn at once.
pub const MAX_ELECTIONS_PER_ROUND: usize = 1_000;

/// Elects leaders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElectLeaders {
    /// Any live replica if there is no other way (records are lost), instead of the preferred one.
    pub unclean: bool,
    /// Topic and partition; `None`: every partition that needs it.
    pub partitions: Option<Vec<(String, i32)>>,
}

/// Why there was no election.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum ElectError {
    /// No such topic or partition.
    #[error("No such topic or partition.")]
    Unknown,
    /// The preferred replica leads already; or there is a leader, so none has to be elected uncleanly.
    #[error("The leader is as wanted already.")]
    NotNeeded,
    /// The preferred replica is not in sync or not there.
    #[error("The preferred leader was not available.")]
    PreferredNotAvailable,
    /// No replica is there.
    #[error("No replica of the partition is available.")]
    NobodyAvailable,
}

impl ElectError {
    /// Kafka's code for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            ElectError::Unknown => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ElectError::NotNeeded => ErrorCode::ELECTION_NOT_NEEDED,
            ElectError::PreferredNotAvailable => ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE,
            ElectError::NobodyAvailable => ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE,
        }
    }
}

/// What came of each election.
pub type Elections = Vec<(String, i32, Result<(), ElectError>)>;

impl Command for ElectLeaders {
    type Answer = Elections;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let everywhere = self.partitions.is_none();
        let partitions = self.partitions.unwrap_or_else(|| all(&controller.image));
        let mut draft = Draft::of(controller);
        let mut answer = Vec::new();
        for (topic, partition) in partitions {
            let result = elect(controller, &draft.image, &topic, partition, self.unclean);
            let result = result.map(|record| draft.add(vec![record]));
            // Asked for everything, only what was tried is told.
            if !(everywhere && result == Err(ElectError::NotNeeded)) {
                answer.push((topic, partition, result));
            }
        }
        draft.decision(false, answer)
    }
}

fn all(image: &MetadataImage) -> Vec<(String, i32)> {
    let partitions =
        image.topics().iter().flat_map(|t| t.iter().map(|(p, _)| (t.name.to_string(), p)));
    partitions.collect()
}

fn elect(
    controller: &Controller,
    image: &MetadataImage,
    name: &str,
    partition: i32,
    unclean: bool,
) -> Result<MetadataRecord, ElectError> {
    let topic = image.topic(name).ok_or(ElectError::Unknown)?;
    let before = topic.partition(partition).ok_or(ElectError::Unknown)?;
    let preferred = before.target_replicas().first().copied();
    let there = if unclean { before.leader >= 0 } else { preferred == Some(before.leader) };
    if there {
        return Err(ElectError::NotNeeded);
    }
    let rules = TopicRules::of(controller, image, topic);
    let election = if unclean { Election::Unclean } else { Election::Preferred };
    let edit = PartitionEdit::new(image, rules, topic.id, partition, before).election(election);
    let change = edit.build().filter(|change| match change.leader {
        Some(leader) => leader >= 0 && (unclean || Some(leader) == preferred),
        None => false,
    });
    change.map(MetadataRecord::PartitionChange).ok_or(if unclean {
        ElectError::NobodyAvailable
    } else {
        ElectError::PreferredNotAvailable
    })
}

/// Gives leaderships back to preferred replicas that are in sync (`auto.leader.rebalance.enable`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalanceLeaders;

impl Command for BalanceLeaders {
    /// How many leaderships move.
    type Answer = usize;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let image = controller.image.clone();
        let mut draft = Draft::of(controller);
        'brokers: for (_, topics) in imbalanced(&image) {
            for (topic, partition) in topics {
                if draft.records.len() >= MAX_ELECTIONS_PER_ROUND {
                    break 'brokers;
                }
                if let Ok(record) = elect(controller, &image, &topic, partition, false) {
                    draft.add(vec![record]);
                }
            }
        }
        let moved = draft.records.len();
        draft.decision(false, moved)
    }
}

/// Brokers that could lead partitions which they are preferred for, with those partitions.
fn imbalanced(image: &MetadataImage) -> BTreeMap<i32, Vec<(String, i32)>> {
    let mut elsewhere: BTreeMap<i32, Vec<(String, i32)>> = BTreeMap::new();
    for topic in image.topics().iter() {
        for (index, partition) in topic.iter() {
            let Some(first) = partition.replicas.first().copied() else { continue };
            let could = partition.isr.contains(&first) && image.is_active(first);
            if partition.leader != first && could {
                elsewhere.entry(first).or_default().push((topic.name.to_string(), index));
            }
        }
    }
    elsewhere
}
