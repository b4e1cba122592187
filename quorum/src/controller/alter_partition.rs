//! A leader says who is in sync (AlterPartition, KIP-497, KIP-841, KIP-903).

use protocol::{ErrorCode, Uuid};
use thiserror::Error;

use super::partition_edit::{Election, PartitionEdit};
use super::rules::TopicRules;
use super::{Command, Controller, Decision, Draft, Entropy};
use crate::image::{MetadataImage, PartitionImage};
use crate::record::MetadataRecord;

/// The ISRs that one leader proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterPartition {
    /// The leader.
    pub broker_id: i32,
    /// Its registration.
    pub broker_epoch: i64,
    /// Each is answered by itself.
    pub partitions: Vec<IsrChange>,
}

/// A partition's ISR as its leader wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsrChange {
    /// The topic.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
    /// The epoch that the leader leads under.
    pub leader_epoch: i32,
    /// The state of the partition that the leader knows.
    pub partition_epoch: i32,
    /// Node ids with the registrations that the leader has seen; -1: it has seen none.
    pub isr: Vec<(i32, i64)>,
}

/// The broker may propose nothing.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("broker {0} is not registered with epoch {1}")]
pub struct StaleBrokerEpoch(pub i32, pub i64);

/// Why an ISR is not taken.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum IsrError {
    /// No such topic.
    #[error("no topic has the id {0}")]
    UnknownTopic(Uuid),
    /// No such partition.
    #[error("the topic has no partition {0}")]
    UnknownPartition(i32),
    /// The leader is not that any more, or does not know a newer state.
    #[error("{0}")]
    Fenced(&'static str),
    /// It knows an older state of the partition.
    #[error("the partition's epoch is {0} already")]
    StalePartition(i32),
    /// It knows a newer state than this controller.
    #[error("this controller does not know partition epoch {0} yet")]
    Ahead(i32),
    /// Not a set of replicas with the leader in it.
    #[error("the ISR {0:?} is not possible")]
    Invalid(Vec<i32>),
    /// A member is fenced, about to stop, or has registered anew.
    #[error("replica {0} may not be in sync now")]
    Ineligible(i32),
}

impl IsrError {
    /// Kafka's code for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            IsrError::UnknownTopic(_) => ErrorCode::UNKNOWN_TOPIC_ID,
            IsrError::UnknownPartition(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            IsrError::Fenced(_) => ErrorCode::FENCED_LEADER_EPOCH,
            IsrError::StalePartition(_) => ErrorCode::INVALID_UPDATE_VERSION,
            IsrError::Ahead(_) => ErrorCode::NOT_CONTROLLER,
            IsrError::Invalid(_) => ErrorCode::INVALID_REQUEST,
            IsrError::Ineligible(_) => ErrorCode::INELIGIBLE_REPLICA,
        }
    }
}

impl Command for AlterPartition {
    /// For each partition its state afterwards.
    type Answer = Result<Vec<Result<PartitionImage, IsrError>>, StaleBrokerEpoch>;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let known = controller.image.broker(self.broker_id).map(|broker| broker.epoch);
        if known != Some(self.broker_epoch) {
            let stale = StaleBrokerEpoch(self.broker_id, self.broker_epoch);
            return Decision::refusal(Err(stale));
        }
        let mut draft = Draft::of(controller);
        let answer = self.partitions.iter().map(|change| {
            #[cfg(feature = "planted")]
            let change = &by_name(controller, self.broker_id, change);
            let record = decide(controller, &draft.image, self.broker_id, change)?;
            draft.add(record.into_iter().collect());
            state(&draft.image, change).cloned()
        });
        let answer = Ok(answer.collect());
        draft.decision(false, answer)
    }
}

/// The mistake of taking a deleted topic for whatever the leader leads instead.
#[cfg(feature = "planted")]
fn by_name(controller: &Controller, leader: i32, change: &IsrChange) -> IsrChange {
    let image = &controller.image;
    let mut change = change.clone();
    if controller.has(super::Planted::TopicIdIgnored)
        && image.topic_by_id(&change.topic_id).is_none()
    {
        let leads = |topic: &&std::sync::Arc<crate::image::TopicImage>| {
            topic.partition(change.partition).is_some_and(|of| {
                (of.leader, of.leader_epoch, of.partition_epoch)
                    == (leader, change.leader_epoch, change.partition_epoch)
            })
        };
        let another = image.topics().iter().find(leads).map(|topic| topic.id);
        change.topic_id = another.unwrap_or(change.topic_id);
    }
    change
}

fn state<'a>(image: &'a MetadataImage, change: &IsrChange) -> Result<&'a PartitionImage, IsrError> {
    let topic = image.topic_by_id(&change.topic_id);
    let topic = topic.ok_or(IsrError::UnknownTopic(change.topic_id))?;
    topic.partition(change.partition).ok_or(IsrError::UnknownPartition(change.partition))
}

fn decide(
    controller: &Controller,
    image: &MetadataImage,
    leader: i32,
    change: &IsrChange,
) -> Result<Option<MetadataRecord>, IsrError> {
    let topic = image.topic_by_id(&change.topic_id);
    let topic = topic.ok_or(IsrError::UnknownTopic(change.topic_id))?;
    let before = state(image, change)?;
    let isr: Vec<i32> = change.isr.iter().map(|(id, _)| *id).collect();
    if change.leader_epoch > before.leader_epoch || change.partition_epoch > before.partition_epoch
    {
        return Err(IsrError::Ahead(change.partition_epoch));
    }
    if change.leader_epoch < before.leader_epoch {
        return Err(IsrError::Fenced("a later leader epoch exists"));
    }
    if before.leader != leader {
        return Err(IsrError::Fenced("another broker leads the partition"));
    }
    #[cfg(feature = "planted")]
    let known_partition_epoch = if controller.has(super::Planted::PartitionEpochIgnored) {
        before.partition_epoch
    } else {
        change.partition_epoch
    };
    #[cfg(not(feature = "planted"))]
    let known_partition_epoch = change.partition_epoch;
    if known_partition_epoch < before.partition_epoch {
        return Err(IsrError::StalePartition(before.partition_epoch));
    }
    let twice = isr.iter().enumerate().any(|(i, id)| isr[..i].contains(id));
    let stranger = isr.iter().any(|id| !before.replicas.contains(id));
    if twice || stranger || !isr.contains(&leader) {
        return Err(IsrError::Invalid(isr));
    }
    for (id, epoch) in &change.isr {
        // The leader itself may be about to stop; whoever joins must be there, in the life that the leader has seen.
        let joins = !before.isr.contains(id);
        let known = image.broker(*id);
        #[cfg(feature = "planted")]
        let epoch = if controller.has(super::Planted::BrokerEpochIgnored) { &-1 } else { epoch };
        let fits =
            known.is_some_and(|b| (!joins || b.is_active()) && (*epoch < 0 || *epoch == b.epoch));
        if !fits {
            return Err(IsrError::Ineligible(*id));
        }
    }
    let rules = TopicRules::of(controller, image, topic);
    let edit = PartitionEdit::new(image, rules, topic.id, change.partition, before);
    let edit = edit.isr(isr).election(Election::Online);
    let reads_only = image.broker(leader).is_some_and(|broker| broker.log_dir_offline);
    let edit = if !reads_only {
        // The leader is there: it has just spoken.
        edit.expecting(leader)
    } else if change.isr.iter().any(|(id, _)| image.is_active(*id)) {
        // It has led only for want of somebody who can write.
        edit.without(leader)
    } else {
        edit
    };
    Ok(edit.build().map(MetadataRecord::PartitionChange))
}
