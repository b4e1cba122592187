//! May these brokers stop now? A pure question to the metadata and the quorum's state; it is asked of the active
//! controller, and whoever cannot be asked has not said yes.
//!
//! The rule: with them gone, each of their partitions still has its minimum of in-sync replicas, and the quorum still has a
//! majority that keeps up. What cannot be helped (a partition with one replica, or with a minimum as large as its number of
//! replicas) is named, but does not say no: it would say so for ever.

use std::collections::BTreeMap;

use protocol::Str;

use crate::image::{MetadataImage, PartitionImage, TopicImage};
use crate::node::QuorumStatus;

/// Reasons that are listed at most: the first ones are enough to act on.
pub const MAX_REASONS: usize = 100;
/// A voter that is further behind than so many records does not count as one that keeps up.
const MAX_LAG: u64 = 1_000;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Why not; empty: they may stop.
    pub reasons: Vec<Reason>,
    /// What will be unavailable meanwhile, whatever is done.
    pub unavoidable: Vec<Reason>,
    /// How many partitions each of them leads.
    pub leaders: BTreeMap<i32, usize>,
}

/// One thing that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A partition would have too few in-sync replicas.
    Partition {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// In-sync replicas that would be left.
        left: usize,
        /// Its minimum.
        min: usize,
    },
    /// The quorum would have no majority.
    Quorum {
        /// Voters that keep up and would be left.
        left: usize,
        /// Voters needed.
        needed: usize,
    },
    /// The broker is not one of the cluster.
    UnknownBroker(i32),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reason::Partition { topic, partition, left, min } => {
                write!(f, "{topic}-{partition} would have {left} replicas in sync, it needs {min}")
            }
            Reason::Quorum { left, needed } => write!(
                f,
                "{left} voters of the metadata quorum that keep up would be left, it needs {needed}"
            ),
            Reason::UnknownBroker(id) => write!(f, "broker {id} is not registered"),
        }
    }
}

/// Whether `brokers` may stop together. `min_isr` gives a partition's minimum.
pub fn may_stop(
    image: &MetadataImage,
    quorum: &QuorumStatus,
    brokers: &[i32],
    min_isr: impl Fn(&TopicImage, &PartitionImage) -> usize,
) -> Verdict {
    let mut verdict = Verdict::default();
    let unknown = brokers.iter().filter(|id| image.broker(**id).is_none());
    verdict.reasons.extend(unknown.map(|id| Reason::UnknownBroker(*id)));
    verdict.reasons.extend(quorum_says_no(quorum, brokers));
    for topic in image.topics().iter() {
        for (index, partition) in topic.iter() {
            look_at(&mut verdict, image, brokers, (topic, index, partition), &min_isr);
        }
    }
    verdict.reasons.truncate(MAX_REASONS);
    verdict.unavoidable.truncate(MAX_REASONS);
    verdict
}

fn look_at(
    verdict: &mut Verdict,
    image: &MetadataImage,
    brokers: &[i32],
    (topic, index, partition): (&TopicImage, i32, &PartitionImage),
    min_isr: impl Fn(&TopicImage, &PartitionImage) -> usize,
) {
    let goes = |id: &i32| brokers.contains(id);
    if brokers.contains(&partition.leader) {
        *verdict.leaders.entry(partition.leader).or_default() += 1;
    }
    let going = partition.replicas.iter().filter(|id| goes(id)).count();
    if going == 0 {
        return;
    }
    let min = min_isr(topic, partition);
    let stays = partition.isr.iter().filter(|id| !goes(id) && image.is_active(**id));
    let left = stays.count();
    if left >= min {
        return;
    }
    let reason = Reason::Partition { topic: topic.name.clone(), partition: index, left, min };
    // One broker at a time is as gentle as it gets.
    let possible = partition.replicas.len() - if brokers.len() == 1 { 1 } else { going };
    let helpless = brokers.len() == 1 && possible < min;
    let of = if helpless { &mut verdict.unavoidable } else { &mut verdict.reasons };
    of.push(reason);
}

fn quorum_says_no(quorum: &QuorumStatus, brokers: &[i32]) -> Option<Reason> {
    let voters = &quorum.voters;
    let touched = voters.iter().any(|voter| brokers.contains(&voter.id));
    // A quorum of one or two has no spare voter: its stop cannot be helped.
    if !touched || (voters.len() < 3 && brokers.len() == 1) {
        return None;
    }
    let needed = voters.len() / 2 + 1;
    let keeps_up = |end: Option<u64>| end.is_some_and(|end| end + MAX_LAG >= quorum.high_watermark);
    let left = voters
        .iter()
        .filter(|voter| !brokers.contains(&voter.id) && keeps_up(voter.log_end_offset))
        .count();
    (left < needed).then_some(Reason::Quorum { left, needed })
}

#[cfg(test)]
mod tests;
