//! Everything off brokers that go.

use std::collections::BTreeSet;

use protocol::Str;

use super::load::{Loads, Weight, is_at_rest, size, under_way};
use super::{Blocked, Plan, Sizes, Survey};
use crate::image::{MetadataImage, PartitionImage};

/// What is still on brokers that go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remaining {
    /// Replicas, those that are on their way included.
    pub replicas: usize,
    /// Partitions that they lead.
    pub leaders: usize,
    /// Partitions that are being moved off them.
    pub moving: usize,
    /// Bytes of those replicas.
    pub bytes: u64,
    /// Replicas that are not in sync.
    pub behind: usize,
    /// Partitions of which no broker that is active, but these, has everything that was acknowledged.
    pub sole: usize,
    /// The topics, sorted.
    pub topics: Vec<Str>,
    /// The topics of `sole`, sorted.
    pub sole_topics: Vec<Str>,
}

/// What is still on `brokers`.
pub fn remaining(image: &MetadataImage, sizes: &Sizes, brokers: &[i32]) -> Remaining {
    let mut left = Remaining::default();
    let (mut topics, mut sole_topics) = (BTreeSet::new(), BTreeSet::new());
    for topic in image.topics().iter() {
        for (index, partition) in topic.iter() {
            let here = partition.replicas.iter().filter(|id| brokers.contains(id)).count();
            if here == 0 {
                continue;
            }
            left.replicas += here;
            left.leaders += usize::from(brokers.contains(&partition.leader));
            let going = partition.removing_replicas.iter().any(|id| brokers.contains(id));
            left.moving += usize::from(going);
            left.bytes += size(sizes, topic, index) * here as u64;
            topics.insert(topic.name.clone());
            let in_sync = |id: &&i32| brokers.contains(id) && partition.isr.contains(id);
            left.behind += here - partition.replicas.iter().filter(in_sync).count();
            let holds = |id: &i32| !brokers.contains(id) && image.is_active(*id);
            if !partition.isr.iter().any(holds) {
                left.sole += 1;
                sole_topics.insert(topic.name.clone());
            }
        }
    }
    left.topics = topics.into_iter().collect();
    left.sole_topics = sole_topics.into_iter().collect();
    left
}

/// The next moves off `leaving`, so many that at most `max_moving` partitions of the cluster are being moved.
pub fn evacuate(
    image: &MetadataImage,
    survey: &Survey,
    leaving: &[i32],
    max_moving: usize,
) -> Plan {
    let mut loads = Loads::of(image, survey, leaving);
    let mut plan = Plan::default();
    let mut room = max_moving.saturating_sub(under_way(image));
    for topic in image.topics().iter() {
        for (index, partition) in topic.iter() {
            let target = partition.target_replicas();
            if !target.iter().any(|id| leaving.contains(id)) {
                continue;
            }
            let weight = Weight::of(survey, topic, index);
            let replicas = match without(&mut loads, partition, &target, leaving, &weight) {
                Ok(replicas) => replicas,
                Err(why) => {
                    let why = format!("partition {index} cannot move: {why}");
                    plan.blocked.push(Blocked { topic: topic.name.clone(), why });
                    continue;
                }
            };
            // A move that is under way to another broker that leaves is overridden; others wait for their turn.
            if room == 0 && is_at_rest(partition) {
                continue;
            }
            room = room.saturating_sub(usize::from(is_at_rest(partition)));
            plan.add((&topic.name, index), partition, replicas, weight.bytes);
        }
    }
    plan
}

/// The replicas with others in the places of those that leave, or why there are none.
fn without(
    loads: &mut Loads,
    partition: &PartitionImage,
    target: &[i32],
    leaving: &[i32],
    weight: &Weight,
) -> Result<Vec<i32>, String> {
    loads.remove(target, weight);
    let mut replicas = target.to_vec();
    for position in 0..replicas.len() {
        if !leaving.contains(&replicas[position]) {
            continue;
        }
        let others: Vec<i32> =
            replicas.iter().copied().filter(|id| !leaving.contains(id)).collect();
        let holds = (&*partition.replicas, weight.bytes);
        let Some(home) = loads.best_beside(&others, position == 0, holds) else {
            loads.add(target, weight);
            return Err(loads.no_room(&others, weight.bytes).unwrap_or_else(|| {
                format!(
                    "it has {} replicas and {} brokers would be left; add brokers, or lower its replication factor",
                    target.len(),
                    loads.brokers.len()
                )
            }));
        };
        replicas[position] = home;
    }
    loads.place(&replicas, &partition.replicas, weight);
    Ok(replicas)
}
