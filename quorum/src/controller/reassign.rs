//! Moving partitions (AlterPartitionReassignments, KIP-455). Progress is in the partition itself: it is complete when the
//! leader has brought the last new replica into the ISR.

use protocol::ErrorCode;
use thiserror::Error;

use super::partition_edit::PartitionEdit;
use super::placement::{PlacementError, check_assignment};
use super::rules::TopicRules;
use super::{Command, Controller, Decision, Draft, Entropy};
use crate::image::{MetadataImage, PartitionImage};
use crate::record::MetadataRecord;

/// Moves partitions, or stops moving them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterReassignments {
    /// Each is answered by itself.
    pub partitions: Vec<Reassignment>,
    /// Whether a reassignment may change how many replicas a partition has (KIP-860).
    pub allow_replication_factor_change: bool,
}

/// Where a partition shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassignment {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The replicas wanted, the preferred leader first; `None`: stop what is under way.
    pub replicas: Option<Vec<i32>>,
}

/// Why a partition is not moved.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ReassignError {
    /// No such topic or partition.
    #[error("The partition does not exist.")]
    Unknown,
    /// Nothing to stop.
    #[error("No partition reassignment is in progress.")]
    NotInProgress,
    /// What was there before cannot serve any more.
    #[error("None of the original replicas is in sync, so the reassignment cannot be cancelled.")]
    NobodyLeft,
    /// The replicas are not possible.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// Another number of replicas than before, which the request does not allow.
    #[error(
        "The replication factor would change from {0} to {1}, which the request does not allow."
    )]
    FactorChange(usize, usize),
}

impl ReassignError {
    /// Kafka's code for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            ReassignError::Unknown => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ReassignError::NotInProgress => ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
            ReassignError::NobodyLeft | ReassignError::Placement(_) => {
                ErrorCode::INVALID_REPLICA_ASSIGNMENT
            }
            ReassignError::FactorChange(..) => ErrorCode::INVALID_REPLICATION_FACTOR,
        }
    }
}

impl Command for AlterReassignments {
    type Answer = Vec<Result<(), ReassignError>>;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let mut draft = Draft::of(controller);
        let change_factor = self.allow_replication_factor_change;
        let answer = self.partitions.iter().map(|wish| {
            let record = reassign(controller, &draft.image, wish, change_factor)?;
            draft.add(record.into_iter().collect());
            Ok(())
        });
        let answer = answer.collect();
        draft.decision(false, answer)
    }
}

fn reassign(
    controller: &Controller,
    image: &MetadataImage,
    wish: &Reassignment,
    change_factor: bool,
) -> Result<Option<MetadataRecord>, ReassignError> {
    let topic = image.topic(&wish.topic).ok_or(ReassignError::Unknown)?;
    let before = topic.partition(wish.partition).ok_or(ReassignError::Unknown)?;
    let rules = TopicRules::of(controller, image, topic);
    let edit = PartitionEdit::new(image, rules, topic.id, wish.partition, before);
    let edit = match &wish.replicas {
        Some(target) => {
            let original = originals(before);
            if !change_factor && original.len() != target.len() {
                return Err(ReassignError::FactorChange(original.len(), target.len()));
            }
            check_assignment(image, target, None)?;
            let kept = kept(before, original, target, rules.min_insync_replicas);
            start(edit, &kept, target)
        }
        None => cancel(edit, before, rules.min_insync_replicas)?,
    };
    Ok(edit.build().map(MetadataRecord::PartitionChange))
}

/// The replicas as they were before the reassignment that is under way.
fn originals(partition: &PartitionImage) -> Vec<i32> {
    let was = |id: &&i32| !partition.adding_replicas.contains(id);
    partition.replicas.iter().filter(was).copied().collect()
}

/// Who was there before, and, when fewer would be left in sync than writing needs, those whom an overridden or cancelled reassignment
/// has brought there and who are in sync or eligible: they may be the only ones that have what is committed, and go when others have
/// it.
fn kept(
    before: &PartitionImage,
    original: Vec<i32>,
    target: &[i32],
    min_insync_replicas: usize,
) -> Vec<i32> {
    let stays = |id: &i32| original.contains(id) || target.contains(id);
    if before.isr.iter().filter(|id| stays(id)).count()
        >= min_insync_replicas.min(target.len()).max(1)
    {
        return original;
    }
    let hold_all = before.isr.iter().chain(&*before.elr).copied();
    let go: Vec<i32> = hold_all.filter(|id| !stays(id)).collect();
    original.into_iter().chain(go).collect()
}

/// New replicas that an overridden reassignment brought into the ISR count as added at once (see
/// `PartitionEdit::build`).
fn start<'a>(edit: PartitionEdit<'a>, original: &[i32], target: &[i32]) -> PartitionEdit<'a> {
    let without = |ids: &[i32], of: &[i32]| -> Vec<i32> {
        ids.iter().filter(|id| !of.contains(id)).copied().collect()
    };
    let (adding, removing) = (without(target, original), without(original, target));
    let mut replicas = target.to_vec();
    replicas.extend(&removing);
    edit.reassign(replicas, adding, removing)
}

fn cancel<'a>(
    edit: PartitionEdit<'a>,
    before: &PartitionImage,
    min_insync_replicas: usize,
) -> Result<PartitionEdit<'a>, ReassignError> {
    if !before.is_reassigning() {
        return Err(ReassignError::NotInProgress);
    }
    let original = originals(before);
    // Also those that stay eligible can lead again, so nothing is lost by going back to them.
    if !original.iter().any(|id| before.isr.contains(id) || before.elr.contains(id)) {
        return Err(ReassignError::NobodyLeft);
    }
    let kept = kept(before, original.clone(), &original, min_insync_replicas);
    Ok(start(edit, &kept, &original))
}
