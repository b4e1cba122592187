//! Everything off brokers that go.

use std::collections::BTreeSet;

use protocol::Str;

use super::load::{Loads, is_at_rest, size, under_way};
use super::{Blocked, Plan, Sizes};
use crate::image::MetadataImage;

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
pub fn evacuate(image: &MetadataImage, sizes: &Sizes, leaving: &[i32], max_moving: usize) -> Plan {
    let mut loads = Loads::of(image, sizes, leaving);
    let mut plan = Plan::default();
    let mut room = max_moving.saturating_sub(under_way(image));
    for topic in image.topics().iter() {
        for (index, partition) in topic.iter() {
            let target = partition.target_replicas();
            if !target.iter().any(|id| leaving.contains(id)) {
                continue;
            }
            let bytes = size(sizes, topic, index);
            let Some(replicas) = without(&mut loads, &target, leaving, bytes) else {
                plan.blocked.push(Blocked {
                    topic: topic.name.clone(),
                    why: format!(
                        "partition {index} has {} replicas and {} brokers would be left; \
                         add brokers, or lower its replication factor",
                        target.len(),
                        loads.0.len()
                    ),
                });
                continue;
            };
            // A move that is under way to another broker that leaves is overridden; others wait for their turn.
            if room == 0 && is_at_rest(partition) {
                continue;
            }
            room = room.saturating_sub(usize::from(is_at_rest(partition)));
            plan.add((&topic.name, index), partition, replicas, bytes);
        }
    }
    plan
}

/// The replicas with others in the places of those that leave.
fn without(loads: &mut Loads, target: &[i32], leaving: &[i32], bytes: u64) -> Option<Vec<i32>> {
    loads.remove(target, bytes);
    let mut replicas = target.to_vec();
    for position in 0..replicas.len() {
        if !leaving.contains(&replicas[position]) {
            continue;
        }
        let others: Vec<i32> =
            replicas.iter().copied().filter(|id| !leaving.contains(id)).collect();
        let Some(home) = loads.best_beside(&others, position == 0) else {
            loads.add(target, bytes);
            return None;
        };
        replicas[position] = home;
    }
    loads.add(&replicas, bytes);
    Some(replicas)
}
