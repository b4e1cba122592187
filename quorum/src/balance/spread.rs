//! From brokers that have many replicas on to brokers that have few.

use super::load::{Loads, is_at_rest, size, under_way};
use super::{Plan, Sizes};
use crate::image::MetadataImage;

/// A partition that may be moved.
struct Candidate {
    topic: String,
    partition: i32,
    replicas: Vec<i32>,
    bytes: u64,
    moved: bool,
}

/// The next moves towards brokers with equally many replicas, so many that at most `max_moving` partitions of the cluster
/// are being moved; then, where nothing has to be copied any more, changes of the preferred leader.
pub fn spread(image: &MetadataImage, sizes: &Sizes, max_moving: usize) -> Plan {
    let mut loads = Loads::of(image, sizes, &[]);
    let mut candidates = candidates(image, sizes);
    let room = max_moving.saturating_sub(under_way(image));
    let mut plan = Plan::default();
    let mut moves = 0;
    while moves < room && step(&mut loads, &mut candidates) {
        moves += 1;
    }
    if moves == 0 && under_way(image) == 0 {
        turn_leaders(&mut loads, &mut candidates, max_moving);
    }
    for candidate in candidates.into_iter().filter(|candidate| candidate.moved) {
        let name = (candidate.topic.as_str(), candidate.partition);
        let Some(before) = image.partition(name.0, name.1) else { continue };
        plan.add(name, before, candidate.replicas, candidate.bytes);
    }
    plan
}

/// Partitions at rest, the smallest first: of equally good moves the cheapest is taken.
fn candidates(image: &MetadataImage, sizes: &Sizes) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for topic in image.topics().iter() {
        for (index, partition) in topic.iter().filter(|(_, partition)| is_at_rest(partition)) {
            candidates.push(Candidate {
                topic: topic.name.to_string(),
                partition: index,
                replicas: partition.replicas.to_vec(),
                bytes: size(sizes, topic, index),
                moved: false,
            });
        }
    }
    candidates
        .sort_by(|a, b| (a.bytes, &a.topic, a.partition).cmp(&(b.bytes, &b.topic, b.partition)));
    candidates
}

/// One replica from a broker with most to the one with fewest, as long as they differ by more than one.
fn step(loads: &mut Loads, candidates: &mut [Candidate]) -> bool {
    let Some((&to, least)) = loads.0.iter().min_by_key(|(id, load)| (load.replicas, **id)) else {
        return false;
    };
    let least = least.replicas;
    let mut givers: Vec<(i32, usize)> =
        loads.0.iter().map(|(id, load)| (*id, load.replicas)).collect();
    givers.sort_by_key(|(id, replicas)| (std::cmp::Reverse(*replicas), *id));
    for (from, replicas) in givers {
        if replicas <= least + 1 {
            return false;
        }
        let movable = candidates.iter_mut().find(|candidate| {
            !candidate.moved
                && candidate.replicas.contains(&from)
                && !candidate.replicas.contains(&to)
                && keeps_racks(loads, &candidate.replicas, from, to)
        });
        if let Some(candidate) = movable {
            loads.remove(&candidate.replicas, candidate.bytes);
            for id in candidate.replicas.iter_mut().filter(|id| **id == from) {
                *id = to;
            }
            loads.add(&candidate.replicas, candidate.bytes);
            candidate.moved = true;
            return true;
        }
    }
    false
}

/// Whether a partition is on as many racks with `to` in the place of `from`.
fn keeps_racks(loads: &Loads, replicas: &[i32], from: i32, to: i32) -> bool {
    let rack = |id: &i32| loads.0.get(id).and_then(|load| load.rack.clone());
    let count = |ids: &[i32]| {
        let mut racks: Vec<_> = ids.iter().filter_map(rack).collect();
        racks.sort();
        racks.dedup();
        racks.len()
    };
    let after: Vec<i32> = replicas.iter().map(|id| if *id == from { to } else { *id }).collect();
    count(&after) >= count(replicas)
}

/// Preferred leaders from brokers with most to brokers with fewer; no record moves.
fn turn_leaders(loads: &mut Loads, candidates: &mut [Candidate], limit: usize) {
    for _ in 0..limit {
        let turn = candidates.iter_mut().filter(|candidate| !candidate.moved).find_map(|c| {
            let led = |id: &i32| loads.0.get(id).map(|load| load.preferred);
            let now = led(c.replicas.first()?)?;
            let (position, least) =
                c.replicas.iter().enumerate().skip(1).min_by_key(|(_, id)| led(id))?;
            (led(least)? + 1 < now).then_some((c, position))
        });
        let Some((candidate, position)) = turn else { return };
        loads.remove(&candidate.replicas, candidate.bytes);
        candidate.replicas.swap(0, position);
        loads.add(&candidate.replicas, candidate.bytes);
        candidate.moved = true;
    }
}

#[cfg(test)]
mod tests;
