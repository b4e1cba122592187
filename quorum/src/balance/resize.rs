//! More or fewer replicas of a topic.

use std::cmp::Reverse;

use super::load::{Loads, Weight, is_at_rest, size, under_way};
use super::{Blocked, Plan, Sizes, Survey};
use crate::image::{MetadataImage, PartitionImage};

/// How far a topic is from a number of replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Misfits {
    /// Partitions that have another number of replicas, or are on their way to it.
    pub partitions: usize,
    /// Those of them that are being moved.
    pub moving: usize,
    /// Bytes that are still to be copied, at most: what is on its way counts in full.
    pub bytes: u64,
}

/// How far `topic` is from `factor` replicas of each partition; `None` if there is no such topic.
pub fn misfits(
    image: &MetadataImage,
    sizes: &Sizes,
    topic: &str,
    factor: usize,
) -> Option<Misfits> {
    let topic = image.topic(topic)?;
    let mut found = Misfits::default();
    for (index, partition) in topic.iter() {
        let moving = !is_at_rest(partition);
        let target = partition.target_replicas().len();
        if !moving && target == factor {
            continue;
        }
        found.partitions += 1;
        found.moving += usize::from(moving);
        let missing = partition.adding_replicas.len() + factor.saturating_sub(target);
        found.bytes += size(sizes, topic, index) * missing as u64;
    }
    Some(found)
}

/// The next moves towards `factor` replicas of each partition of `topic`, so many that at most `max_moving` partitions of the
/// cluster are being moved; `None` if there is no such topic. A move that is under way to another number is
/// overridden. New replicas go to racks that have none, then to brokers that have few; preferred leaders stay.
pub fn resize(
    image: &MetadataImage,
    survey: &Survey,
    topic: &str,
    factor: usize,
    max_moving: usize,
) -> Option<Plan> {
    let topic = image.topic(topic)?;
    let mut loads = Loads::of(image, survey, &[]);
    let mut plan = Plan::default();
    let mut room = max_moving.saturating_sub(under_way(image));
    for (index, partition) in topic.iter() {
        let target = partition.target_replicas();
        if target.len() == factor || (room == 0 && is_at_rest(partition)) {
            continue;
        }
        let weight = Weight::of(survey, topic, index);
        let replicas = match resized(&mut loads, partition, target, factor, &weight) {
            Ok(replicas) => replicas,
            Err(why) => {
                plan.blocked.push(Blocked { topic: topic.name.clone(), why });
                return Some(plan);
            }
        };
        room = room.saturating_sub(usize::from(is_at_rest(partition)));
        plan.add((&topic.name, index), partition, replicas, weight.bytes);
    }
    Some(plan)
}

/// The replicas with some more or some fewer, or why there are no more.
fn resized(
    loads: &mut Loads,
    partition: &PartitionImage,
    target: Vec<i32>,
    factor: usize,
    weight: &Weight,
) -> Result<Vec<i32>, String> {
    let mut replicas = target.clone();
    loads.remove(&target, weight);
    let holds = (&*partition.replicas, weight.bytes);
    while replicas.len() < factor {
        let Some(home) = loads.best_beside(&replicas, replicas.is_empty(), holds) else {
            loads.add(&target, weight);
            return Err(loads.no_room(&replicas, weight.bytes).unwrap_or_else(|| {
                format!(
                    "{factor} replicas need {factor} brokers and there are {}; \
                     add brokers, or ask for fewer replicas",
                    loads.brokers.len()
                )
            }));
        };
        replicas.push(home);
    }
    while replicas.len() > factor.max(1) {
        let Some(position) = worst(loads, partition, &replicas) else { break };
        replicas.remove(position);
    }
    loads.place(&replicas, &partition.replicas, weight);
    Ok(replicas)
}

/// The position of the replica that is missed least: one that is down or behind, then one that shares its rack, then one on
/// a broker with many. The first stays if it can: it is the preferred leader.
fn worst(loads: &Loads, partition: &PartitionImage, replicas: &[i32]) -> Option<usize> {
    let rack = |id: i32| loads.rack(id);
    let rank = |&(position, id): &(usize, &i32)| {
        let load = loads.brokers.get(id);
        let shares = replicas.iter().any(|other| other != id && rack(*other) == rack(*id));
        (
            load.is_none(),
            !partition.isr.contains(id),
            Reverse(position == 0),
            shares,
            load.map_or(0, |load| load.replicas),
            load.map_or(0, |load| load.bytes),
            position,
        )
    };
    replicas.iter().enumerate().max_by_key(rank).map(|(position, _)| position)
}

#[cfg(test)]
mod tests;
