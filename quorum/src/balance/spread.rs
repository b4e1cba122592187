//! From brokers that have much on to brokers that have little.
//!
//! In this order, and what comes later never undoes what came before: equally many replicas; bytes on disk; bytes a second
//! written ([`even`](super::even)); then, copying nothing, equally many preferred leaders, and bytes a second that those
//! send ([`leaders`](super::leaders)). Every step lowers that list of measures, so planning ends, and a plan made on the
//! result of a whole plan is empty. (A whole one: few enough that neither the moves at a time nor the exchanges of a plan run out.)

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::board::Board;
use super::even::{Resource, even_out};
use super::leaders::turn_leaders;
use super::load::under_way;
use super::{Plan, Survey};
use crate::image::MetadataImage;

/// The next moves towards brokers with equal shares, so many that at most `max_moving` partitions of the cluster are being
/// moved; and, where nothing else is left to copy, changes of the preferred leader.
pub fn spread(image: &MetadataImage, survey: &Survey, max_moving: usize) -> Plan {
    let mut board = Board::of(image, survey, max_moving);
    let at_rest = under_way(image) == 0;
    loop {
        let mut steps = even_counts(&mut board);
        steps += even_out(&mut board, Resource::Disk, None);
        steps += even_out(&mut board, Resource::BytesIn, Some(Resource::Disk));
        // Later ones may go by what is there when nothing moves any more.
        if steps == 0 && at_rest && board.may_exchange() {
            steps += turn_leaders(&mut board);
        }
        if steps == 0 {
            return board.plan(image);
        }
    }
}

/// Replicas from brokers with most to brokers with fewest, as long as they differ by more than one; gives the steps made.
fn even_counts(board: &mut Board) -> usize {
    let mut steps = 0;
    loop {
        // Who gets nothing now may get something when others have moved.
        let mut stuck = BTreeSet::new();
        let before = steps;
        while board.budget > 0
            && let Some(to) = least(board, &stuck)
        {
            if step(board, to) {
                steps += 1;
            } else {
                stuck.insert(to);
            }
        }
        if steps == before {
            return steps;
        }
    }
}

/// The broker with the fewest replicas that others may have too many beside.
fn least(board: &Board, stuck: &BTreeSet<i32>) -> Option<i32> {
    let most = board.loads.brokers.values().map(|load| load.replicas).max()?;
    let open = board.loads.brokers.iter().filter(|(id, _)| !stuck.contains(id));
    let (id, load) = open.min_by_key(|(id, load)| (load.replicas, **id))?;
    (most > load.replicas + 1).then_some(*id)
}

/// One replica to `to`, from a broker with as many more as possible.
fn step(board: &mut Board, to: i32) -> bool {
    let has = |id: i32| board.loads.brokers.get(&id).map_or(0, |load| load.replicas);
    let enough = has(to) + 1;
    let mut givers: Vec<i32> =
        board.loads.brokers.keys().copied().filter(|id| has(*id) > enough).collect();
    givers.sort_by_key(|id| (Reverse(has(*id)), *id));
    let mut refused = None;
    for from in givers {
        let movable = || {
            (0..).zip(&board.candidates).filter(|(_, candidate)| board.may_go(candidate, from, to))
        };
        if let Some((index, _)) = movable().find(|(_, candidate)| board.fits(candidate, to)) {
            board.replace(index, from, to);
            return true;
        }
        refused =
            refused.or_else(|| movable().next().map(|(_, candidate)| candidate.topic.clone()));
    }
    if let Some(topic) = refused {
        board.refuse(topic, to);
    }
    false
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
