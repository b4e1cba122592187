//! Who comes, goes and restarts. Pure.

use crate::api;
use crate::cluster::build;
use crate::cluster::dereference::Live;
use crate::cluster::validate::{Wanted, broker_id};

/// What is between what is there and what is asked for; ids are sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// All that there are.
    pub(super) there: Vec<i32>,
    pub(super) adds: Vec<i32>,
    pub(super) removes: Vec<i32>,
    pub(super) restarts: Vec<i32>,
    /// Most brokers of one zone that restart together.
    pub(super) together: usize,
    /// Whether the volumes of those that go are deleted.
    pub(super) deletes_volumes: bool,
}

pub(super) fn change(wanted: &Wanted, live: &Live) -> Change {
    let sets = live.sets.iter().filter(|set| !api::is_deleted(*set));
    let mut sets: Vec<_> = sets.filter_map(|set| Some((broker_id(set)?, set))).collect();
    sets.sort_by_key(|(id, _)| *id);
    let there: Vec<i32> = sets.iter().map(|(id, _)| *id).collect();
    let ids = wanted.ids();
    let restarts = sets.iter().filter(|(id, set)| {
        let broker = wanted.brokers.iter().find(|broker| broker.id == *id);
        broker.is_some_and(|broker| !build::is_current(wanted, broker, set))
    });
    Change {
        adds: ids.iter().copied().filter(|id| !there.contains(id)).collect(),
        removes: there.iter().copied().filter(|id| !ids.contains(id)).collect(),
        restarts: restarts.map(|(id, _)| *id).collect(),
        together: wanted.together,
        deletes_volumes: wanted.delete_volumes,
        there,
    }
}
