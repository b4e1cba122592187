//! How much each broker has, while a plan is made.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use protocol::Str;

use super::Sizes;
use crate::image::{MetadataImage, PartitionImage, TopicImage};

/// What a broker has.
#[derive(Debug, Clone, Default)]
pub(super) struct Load {
    pub(super) rack: Option<Str>,
    pub(super) replicas: usize,
    pub(super) preferred: usize,
    pub(super) bytes: u64,
}

/// The brokers that may get replicas, and what they have: what is under way counts as done.
#[derive(Debug, Clone)]
pub(super) struct Loads(pub(super) BTreeMap<i32, Load>);

impl Loads {
    pub(super) fn of(image: &MetadataImage, sizes: &Sizes, without: &[i32]) -> Self {
        let there = image.brokers().filter(|b| b.is_active() && !without.contains(&b.id));
        let empty = |rack: &Option<Str>| Load { rack: rack.clone(), ..Load::default() };
        let mut loads = Self(there.map(|b| (b.id, empty(&b.rack))).collect());
        for topic in image.topics().iter() {
            for (index, partition) in topic.iter() {
                loads.add(&partition.target_replicas(), size(sizes, topic, index));
            }
        }
        loads
    }

    pub(super) fn add(&mut self, replicas: &[i32], bytes: u64) {
        for (position, id) in replicas.iter().enumerate() {
            if let Some(load) = self.0.get_mut(id) {
                load.replicas += 1;
                load.bytes += bytes;
                load.preferred += usize::from(position == 0);
            }
        }
    }

    pub(super) fn remove(&mut self, replicas: &[i32], bytes: u64) {
        for (position, id) in replicas.iter().enumerate() {
            if let Some(load) = self.0.get_mut(id) {
                load.replicas = load.replicas.saturating_sub(1);
                load.bytes = load.bytes.saturating_sub(bytes);
                load.preferred = load.preferred.saturating_sub(usize::from(position == 0));
            }
        }
    }

    /// The best new home for a replica beside `others`: in a rack that none of them is in, then with the fewest replicas,
    /// then the fewest bytes.
    pub(super) fn best_beside(&self, others: &[i32], first: bool) -> Option<i32> {
        let racks: Vec<&Str> =
            others.iter().filter_map(|id| self.0.get(id)?.rack.as_ref()).collect();
        let free = self.0.iter().filter(|(id, _)| !others.contains(id));
        let rank = |(id, load): &(&i32, &Load)| {
            let new_rack = load.rack.as_ref().is_none_or(|rack| !racks.contains(&rack));
            let preferred = if first { load.preferred } else { 0 };
            (Reverse(new_rack), load.replicas, preferred, load.bytes, **id)
        };
        free.min_by_key(rank).map(|(id, _)| *id)
    }
}

pub(super) fn size(sizes: &Sizes, topic: &TopicImage, index: i32) -> u64 {
    sizes.get(&(topic.id, index)).copied().unwrap_or(0)
}

/// How many partitions are being moved.
pub fn under_way(image: &MetadataImage) -> usize {
    let all = image.topics().iter().flat_map(|topic| topic.iter());
    all.filter(|(_, partition)| partition.is_reassigning()).count()
}

/// Bytes of the replicas that are being made.
pub fn bytes_under_way(image: &MetadataImage, sizes: &Sizes) -> u64 {
    let topics = image.topics();
    let all = topics.iter().flat_map(|topic| {
        topic.iter().map(move |(index, partition)| {
            size(sizes, topic, index) * partition.adding_replicas.len() as u64
        })
    });
    all.sum()
}

/// Whether a partition may get another plan.
pub(super) fn is_at_rest(partition: &PartitionImage) -> bool {
    !partition.is_reassigning()
}
