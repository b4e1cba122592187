//! How much each broker has, while a plan is made.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use protocol::Str;

use super::{Sizes, Survey};
use crate::image::{MetadataImage, PartitionImage, TopicImage};

/// What a replica of a partition costs its broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Weight {
    pub(super) bytes: u64,
    /// Bytes a second that every replica takes.
    pub(super) bytes_in: u64,
    /// Bytes a second that consumers take from the leader.
    pub(super) bytes_out: u64,
}

impl Weight {
    pub(super) fn of(survey: &Survey, topic: &TopicImage, index: i32) -> Self {
        let rate = survey.traffic.rate(topic.id, index);
        let bytes = size(&survey.sizes, topic, index);
        Self { bytes, bytes_in: rate.bytes_in, bytes_out: rate.bytes_out }
    }

    /// Bytes a second that the leader of so many replicas sends, to consumers and to followers.
    pub(super) fn sent(&self, replicas: usize) -> u64 {
        let followers = replicas.saturating_sub(1) as u64;
        self.bytes_out.saturating_add(self.bytes_in.saturating_mul(followers))
    }
}

/// What a broker has.
#[derive(Debug, Clone, Default)]
pub(super) struct Load {
    pub(super) replicas: usize,
    pub(super) preferred: usize,
    pub(super) bytes: u64,
    pub(super) bytes_in: u64,
    /// Sent by those that are preferred leaders.
    pub(super) bytes_out: u64,
    /// Bytes that may be brought to it; nothing when it has no room, or did not say.
    pub(super) room: Option<u64>,
}

/// The brokers that may get replicas, and what they have: what is under way counts as done.
#[derive(Debug, Clone)]
pub(super) struct Loads {
    pub(super) brokers: BTreeMap<i32, Load>,
    /// Of all that are registered.
    racks: BTreeMap<i32, Str>,
    /// What brokers have on average, at the beginning; at least 1.
    mean: Weight,
}

impl Loads {
    pub(super) fn of(image: &MetadataImage, survey: &Survey, without: &[i32]) -> Self {
        let there = image.brokers().filter(|b| b.is_active() && !without.contains(&b.id));
        let empty = |id: i32| {
            let room = survey.disks.get(&id).and_then(super::Disk::room);
            (id, Load { room, ..Load::default() })
        };
        let racks = image.brokers().filter_map(|b| Some((b.id, b.rack.clone()?)));
        let mut loads = Self {
            brokers: there.map(|b| empty(b.id)).collect(),
            racks: racks.collect(),
            mean: Weight::default(),
        };
        for topic in image.topics().iter() {
            for (index, partition) in topic.iter() {
                loads.add(&partition.target_replicas(), &Weight::of(survey, topic, index));
            }
        }
        let mean = |of: fn(&Load) -> u64| loads.mean(of).max(1);
        loads.mean = Weight {
            bytes: mean(|load| load.bytes),
            bytes_in: mean(|load| load.bytes_in),
            bytes_out: mean(|load| load.bytes_out),
        };
        loads
    }

    /// The average over the brokers, rounded down.
    pub(super) fn mean(&self, of: impl Fn(&Load) -> u64) -> u64 {
        let sum: u128 = self.brokers.values().map(|load| u128::from(of(load))).sum();
        let mean = sum / (self.brokers.len() as u128).max(1);
        u64::try_from(mean).unwrap_or(u64::MAX)
    }

    pub(super) fn add(&mut self, replicas: &[i32], weight: &Weight) {
        for (position, id) in replicas.iter().enumerate() {
            if let Some(load) = self.brokers.get_mut(id) {
                load.replicas += 1;
                load.bytes += weight.bytes;
                load.bytes_in += weight.bytes_in;
                if position == 0 {
                    load.preferred += 1;
                    load.bytes_out += weight.sent(replicas.len());
                }
            }
        }
    }

    pub(super) fn remove(&mut self, replicas: &[i32], weight: &Weight) {
        for (position, id) in replicas.iter().enumerate() {
            if let Some(load) = self.brokers.get_mut(id) {
                load.replicas = load.replicas.saturating_sub(1);
                load.bytes = load.bytes.saturating_sub(weight.bytes);
                load.bytes_in = load.bytes_in.saturating_sub(weight.bytes_in);
                if position == 0 {
                    load.preferred = load.preferred.saturating_sub(1);
                    load.bytes_out = load.bytes_out.saturating_sub(weight.sent(replicas.len()));
                }
            }
        }
    }

    /// Adds replicas of a partition that `holders` hold: to the others its bytes will come, and take room there.
    pub(super) fn place(&mut self, replicas: &[i32], holders: &[i32], weight: &Weight) {
        self.add(replicas, weight);
        for id in replicas.iter().filter(|id| !holders.contains(id)) {
            if let Some(load) = self.brokers.get_mut(id) {
                load.room = load.room.and_then(|room| room.checked_sub(weight.bytes));
            }
        }
    }

    /// Takes back what [`Loads::place`] did.
    pub(super) fn displace(&mut self, replicas: &[i32], holders: &[i32], weight: &Weight) {
        self.remove(replicas, weight);
        for id in replicas.iter().filter(|id| !holders.contains(id)) {
            if let Some(load) = self.brokers.get_mut(id) {
                load.room = load.room.map(|room| room.saturating_add(weight.bytes));
            }
        }
    }

    /// Whether a broker's disk has room for so much.
    pub(super) fn fits(&self, id: i32, bytes: u64) -> bool {
        let room = self.brokers.get(&id).and_then(|load| load.room);
        room.is_some_and(|room| room >= bytes)
    }

    pub(super) fn rack(&self, id: i32) -> Option<&Str> {
        self.racks.get(&id)
    }

    /// The best new home for a replica beside `others`: in a rack that none of them is in, then with the fewest replicas,
    /// then the least on its disk and its network, each as a share of what brokers have on average. Only those that hold the
    /// partition already, and those whose disks have room for it.
    pub(super) fn best_beside(
        &self,
        others: &[i32],
        first: bool,
        (holders, bytes): (&[i32], u64),
    ) -> Option<i32> {
        let racks: Vec<&Str> = others.iter().filter_map(|id| self.rack(*id)).collect();
        let free = self.brokers.iter().filter(|(id, _)| {
            !others.contains(id) && (holders.contains(id) || self.fits(**id, bytes))
        });
        let rank = |(id, load): &(&i32, &Load)| {
            let new_rack = self.rack(**id).is_none_or(|rack| !racks.contains(&rack));
            let preferred = if first { load.preferred } else { 0 };
            (Reverse(new_rack), load.replicas, preferred, self.pressure(load, first), **id)
        };
        free.min_by_key(rank).map(|(id, _)| *id)
    }

    /// How busy a broker is beside others, in thousandths of the average.
    fn pressure(&self, load: &Load, leads: bool) -> u128 {
        let share = |part: u64, mean: u64| u128::from(part) * 1000 / u128::from(mean.max(1));
        let out = if leads { share(load.bytes_out, self.mean.bytes_out) } else { 0 };
        share(load.bytes, self.mean.bytes) + share(load.bytes_in, self.mean.bytes_in) + out
    }

    /// Whether a partition is on as many racks with `to` in the place of `from`.
    pub(super) fn keeps_racks(&self, replicas: &[i32], from: i32, to: i32) -> bool {
        let count = |ids: &mut dyn Iterator<Item = i32>| {
            let mut racks: Vec<&Str> = ids.filter_map(|id| self.rack(id)).collect();
            racks.sort_unstable();
            racks.dedup();
            racks.len()
        };
        let mut after = replicas.iter().map(|id| if *id == from { to } else { *id });
        count(&mut after) >= count(&mut replicas.iter().copied())
    }

    /// Why none of the brokers that are not among `others` may take `bytes`, when it is for want of room.
    pub(super) fn no_room(&self, others: &[i32], bytes: u64) -> Option<String> {
        let free = || self.brokers.iter().filter(|(id, _)| !others.contains(id));
        if let Some((id, room)) =
            free().filter_map(|(id, load)| Some((id, load.room?))).max_by_key(|(_, room)| *room)
        {
            return Some(format!(
                "it has {bytes} bytes, and no other broker's disk has that much above the headroom that is kept free \
                 (broker {id} has most: {room}); enlarge the volumes, add brokers, or shorten retention"
            ));
        }
        let (id, _) = free().next()?;
        Some(format!(
            "no other broker's disk has room: less is free than the headroom, or broker {id} and others did not say; \
             enlarge the volumes, add brokers, or shorten retention"
        ))
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
