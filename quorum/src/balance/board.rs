//! The brokers' loads and the partitions that may move, while a plan is made: moves are tried out here.

use protocol::Str;

use super::load::{Loads, Weight, is_at_rest, under_way};
use super::{Blocked, Plan, Survey};
use crate::image::MetadataImage;

/// Exchanges in one plan, which bounds how long planning takes; the next plan goes on.
const MAX_EXCHANGES: usize = 300;

/// A partition that may be moved.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) topic: Str,
    partition: i32,
    /// The brokers that hold it.
    holders: Vec<i32>,
    /// Those that shall hold it.
    pub(super) replicas: Vec<i32>,
    pub(super) weight: Weight,
}

impl Candidate {
    pub(super) fn is_changed(&self) -> bool {
        self.replicas != self.holders
    }
}

/// What is there and what is planned so far.
#[derive(Debug, Clone)]
pub(super) struct Board {
    pub(super) loads: Loads,
    /// Partitions at rest, the smallest first: of equally good moves the cheapest is taken.
    pub(super) candidates: Vec<Candidate>,
    /// Partitions that may still be changed beside those that are.
    pub(super) budget: usize,
    /// Exchanges that may still be looked for.
    pub(super) exchanges: usize,
    /// Where something did not move for want of room: topic and broker.
    refused: Vec<(Str, i32)>,
}

impl Board {
    pub(super) fn of(image: &MetadataImage, survey: &Survey, max_moving: usize) -> Self {
        let mut candidates = Vec::new();
        for topic in image.topics().iter() {
            for (partition, state) in topic.iter().filter(|(_, partition)| is_at_rest(partition)) {
                candidates.push(Candidate {
                    topic: topic.name.clone(),
                    partition,
                    holders: state.replicas.to_vec(),
                    replicas: state.replicas.to_vec(),
                    weight: Weight::of(survey, topic, partition),
                });
            }
        }
        candidates.sort_by(|a, b| {
            let (one, other) = (a.weight.bytes, b.weight.bytes);
            (one, &a.topic, a.partition).cmp(&(other, &b.topic, b.partition))
        });
        Self {
            loads: Loads::of(image, survey, &[]),
            candidates,
            budget: max_moving.saturating_sub(under_way(image)),
            exchanges: MAX_EXCHANGES,
            refused: Vec::new(),
        }
    }

    /// Whether another exchange may be looked for.
    pub(super) fn may_exchange(&self) -> bool {
        self.budget > 0 && self.exchanges > 0
    }

    /// Whether candidates may be changed: those that are changed already may be changed again.
    pub(super) fn affords(&self, indexes: impl IntoIterator<Item = usize>) -> bool {
        let changed = |index: &usize| self.candidates.get(*index).is_some_and(|c| c.is_changed());
        indexes.into_iter().filter(|index| !changed(index)).count() <= self.budget
    }

    /// Whether a candidate may give its replica on `from` to `to`, as far as racks and replicas go.
    pub(super) fn may_go(&self, candidate: &Candidate, from: i32, to: i32) -> bool {
        candidate.replicas.contains(&from)
            && !candidate.replicas.contains(&to)
            && self.loads.keeps_racks(&candidate.replicas, from, to)
    }

    /// Whether there is room for a candidate on `to`.
    pub(super) fn fits(&self, candidate: &Candidate, to: i32) -> bool {
        candidate.holders.contains(&to) || self.loads.fits(to, candidate.weight.bytes)
    }

    /// Changes a candidate's replicas.
    pub(super) fn assign(&mut self, index: usize, replicas: Vec<i32>) {
        let Some(candidate) = self.candidates.get_mut(index) else { return };
        let was_changed = candidate.is_changed();
        self.loads.displace(&candidate.replicas, &candidate.holders, &candidate.weight);
        self.loads.place(&replicas, &candidate.holders, &candidate.weight);
        candidate.replicas = replicas;
        match (was_changed, candidate.is_changed()) {
            (false, true) => self.budget = self.budget.saturating_sub(1),
            (true, false) => self.budget += 1,
            _ => {}
        }
    }

    /// Puts `to` into the place of `from`.
    pub(super) fn replace(&mut self, index: usize, from: i32, to: i32) {
        let Some(candidate) = self.candidates.get(index) else { return };
        let replaced = candidate.replicas.iter().map(|id| if *id == from { to } else { *id });
        self.assign(index, replaced.collect());
    }

    /// Makes `leader`, one of the replicas, the preferred leader.
    pub(super) fn prefer(&mut self, index: usize, leader: i32) {
        let Some(candidate) = self.candidates.get(index) else { return };
        let mut replicas = candidate.replicas.clone();
        if let Some(position) = replicas.iter().position(|id| *id == leader) {
            replicas.swap(0, position);
            self.assign(index, replicas);
        }
    }

    /// `topic` would have moved to `broker`, whose disk has no room for it.
    pub(super) fn refuse(&mut self, topic: Str, broker: i32) {
        if self.refused.iter().all(|(_, known)| *known != broker) {
            self.refused.push((topic, broker));
        }
    }

    /// The moves, and what did not move for want of room.
    pub(super) fn plan(self, image: &MetadataImage) -> Plan {
        let mut plan = Plan::default();
        for candidate in self.candidates.into_iter().filter(Candidate::is_changed) {
            let name = (&*candidate.topic, candidate.partition);
            let Some(before) = image.partition(name.0, name.1) else { continue };
            plan.add(name, before, candidate.replicas, candidate.weight.bytes);
        }
        let blocked = self.refused.into_iter().map(|(topic, broker)| Blocked {
            why: format!(
                "broker {broker} has fewer replicas than others and gets none of them: its disk has no room above the \
                 headroom that is kept free, or it did not say; enlarge its volume, or shorten retention"
            ),
            topic,
        });
        plan.blocked.extend(blocked);
        plan
    }
}
