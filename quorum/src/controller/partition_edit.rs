//! One change of one partition: who leads it, who is in sync, who is eligible (KIP-966), whose reassignment is complete.

use protocol::Uuid;

use super::rules::TopicRules;
use crate::image::{MetadataImage, PartitionImage};
use crate::record::PartitionChange;

/// How far an election may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Election {
    /// Keeps a leader that still may lead; else elects from the ISR, then from the eligible replicas.
    Online,
    /// The first replica, when it may lead; else as [`Election::Online`].
    Preferred,
    /// As [`Election::Online`]; when nobody there may lead, any live replica: what it lacks is lost.
    Unclean,
}

/// Collects what shall change in a partition, then says what that is as a record.
pub(super) struct PartitionEdit<'a> {
    topic_id: Uuid,
    partition: i32,
    before: &'a PartitionImage,
    rules: TopicRules,
    /// Says who is there.
    image: &'a MetadataImage,
    /// Not to lead, although the image says that it is there.
    excluded: Option<i32>,
    /// May lead, although the image says that it is not there yet.
    included: Option<i32>,
    election: Election,
    /// Leads, if it is in sync and there.
    chosen: Option<i32>,
    new_epoch: bool,
    /// Replicas that came back without all that they had.
    lost_tail: Vec<i32>,
    /// Replicas that came back with nothing.
    lost_disk: Vec<i32>,
    after: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    leader: i32,
    replicas: Vec<i32>,
    isr: Vec<i32>,
    elr: Vec<i32>,
    last_known_elr: Vec<i32>,
    adding: Vec<i32>,
    removing: Vec<i32>,
}

impl<'a> PartitionEdit<'a> {
    pub(super) fn new(
        image: &'a MetadataImage,
        rules: TopicRules,
        topic_id: Uuid,
        partition: i32,
        before: &'a PartitionImage,
    ) -> Self {
        let election = if rules.unclean_election { Election::Unclean } else { Election::Online };
        Self {
            topic_id,
            partition,
            before,
            rules,
            image,
            excluded: None,
            included: None,
            election,
            chosen: None,
            new_epoch: false,
            lost_tail: Vec::new(),
            lost_disk: Vec::new(),
            after: State::of(before),
        }
    }

    /// How the leader is chosen.
    pub(super) fn election(mut self, election: Election) -> Self {
        self.election = election;
        self
    }

    /// Who shall lead, if it is in sync and there.
    pub(super) fn led_by(mut self, broker: i32) -> Self {
        self.chosen = Some(broker);
        self
    }

    /// Another ISR.
    pub(super) fn isr(mut self, isr: Vec<i32>) -> Self {
        self.after.isr = isr;
        self
    }

    /// A replica is going or gone: it leaves the ISR and does not lead.
    pub(super) fn without(mut self, broker: i32) -> Self {
        self.after.isr.retain(|id| *id != broker);
        self.excluded = Some(broker);
        self
    }

    /// A replica may lead that is not there yet, but will be.
    pub(super) fn expecting(mut self, broker: i32) -> Self {
        self.included = Some(broker);
        self
    }

    /// The leader gets a new epoch even when it stays the same.
    pub(super) fn new_epoch(mut self) -> Self {
        self.new_epoch = true;
        self
    }

    /// A replica may have lost the end of its log: it is no longer sure to hold what was committed.
    pub(super) fn lost_tail(mut self, broker: i32) -> Self {
        self.lost_tail.push(broker);
        self.without(broker)
    }

    /// A replica has another disk: nothing that it held counts.
    pub(super) fn lost_disk(mut self, broker: i32) -> Self {
        self.lost_disk.push(broker);
        self.without(broker)
    }

    /// A reassignment: all replicas meanwhile, those that join and those that go.
    pub(super) fn reassign(
        mut self,
        replicas: Vec<i32>,
        adding: Vec<i32>,
        removing: Vec<i32>,
    ) -> Self {
        self.after.isr.retain(|id| replicas.contains(id));
        self.after.replicas = replicas;
        self.after.adding = adding;
        self.after.removing = removing;
        self
    }

    /// The record, or `None` when nothing changes.
    pub(super) fn build(mut self) -> Option<PartitionChange> {
        self.complete_reassignment();
        self.keep_eligible();
        let leader = self.elect();
        let moved = leader != self.before.leader;
        // A replica that goes must not go on fetching, or counting, under the epoch that it knew.
        let fewer = self.before.replicas.iter().any(|id| !self.after.replicas.contains(id));
        self.after.leader = leader;
        let bump = moved || ((self.new_epoch || fewer) && leader >= 0);
        let before = State::of(self.before);
        if before == self.after && !bump {
            return None;
        }
        let after = self.after;
        let changed = |old: Vec<i32>, new: Vec<i32>| (old != new).then_some(new);
        Some(PartitionChange {
            topic_id: self.topic_id,
            partition: self.partition,
            leader: bump.then_some(leader),
            isr: changed(before.isr, after.isr),
            replicas: changed(before.replicas, after.replicas),
            elr: changed(before.elr, after.elr),
            last_known_elr: changed(before.last_known_elr, after.last_known_elr),
            adding_replicas: changed(before.adding, after.adding),
            removing_replicas: changed(before.removing, after.removing),
        })
    }

    /// Complete once every new replica is in sync and enough of those in sync stay to write with (Kafka takes one for enough):
    /// the only one that stays may have lost its disk already, and the old replicas have everything.
    fn complete_reassignment(&mut self) {
        let after = &mut self.after;
        if after.adding.is_empty() && after.removing.is_empty() {
            return;
        }
        let stays = |id: &i32| !after.removing.contains(id);
        let isr: Vec<i32> = after.isr.iter().copied().filter(stays).collect();
        #[cfg(feature = "planted")]
        let isr = if self.rules.planted == Some(super::Planted::ReassignedBeforeInSync) {
            after.adding.iter().copied().chain(isr).collect()
        } else {
            isr
        };
        if isr.is_empty() || !after.adding.iter().all(|id| isr.contains(id)) {
            return;
        }
        let replicas: Vec<i32> = after.replicas.iter().copied().filter(stays).collect();
        let enough = self.rules.min_insync_replicas.min(replicas.len()).max(1);
        if replicas.is_empty() || (!after.removing.is_empty() && isr.len() < enough) {
            return;
        }
        after.isr = isr;
        after.replicas = replicas;
        after.adding.clear();
        after.removing.clear();
    }

    /// Below the minimum ISR nothing is committed any more, so whoever leaves from then on still holds all that was.
    fn keep_eligible(&mut self) {
        let State { replicas, isr, elr, last_known_elr, .. } = &mut self.after;
        if isr.len() >= self.rules.min_insync_replicas.min(replicas.len()) {
            elr.clear();
            last_known_elr.clear();
            return;
        }
        let mut eligible: Vec<i32> = Vec::new();
        let mut was_eligible: Vec<i32> = Vec::new();
        for id in self.before.elr.iter().chain(self.before.isr.iter()) {
            if !replicas.contains(id) || isr.contains(id) || eligible.contains(id) {
                continue;
            }
            if self.lost_disk.contains(id) {
                continue;
            }
            if self.lost_tail.contains(id) {
                was_eligible.push(*id);
            } else {
                eligible.push(*id);
            }
        }
        *elr = eligible;
        if elr.is_empty() && isr.is_empty() {
            // Those that were the last to hold everything, should it come to an election among the incomplete.
            for id in was_eligible {
                if !last_known_elr.contains(&id) {
                    last_known_elr.push(id);
                }
            }
            let lost = &self.lost_disk;
            last_known_elr.retain(|id| replicas.contains(id) && !lost.contains(id));
        } else {
            last_known_elr.clear();
        }
    }

    fn elect(&mut self) -> i32 {
        let (image, included, excluded) = (self.image, self.included, self.excluded);
        let may =
            |id: &i32| included == Some(*id) || (image.is_active(*id) && excluded != Some(*id));
        let State { replicas, isr, elr, last_known_elr, removing, .. } = &mut self.after;
        #[cfg(feature = "planted")]
        if self.rules.planted == Some(super::Planted::AnybodyLeads)
            && !(isr.contains(&self.before.leader) && may(&self.before.leader))
            && let Some(id) = replicas.iter().copied().find(may)
        {
            *isr = vec![id];
            return id;
        }
        let in_sync = |id: &i32| isr.contains(id) && may(id);
        let present = self.before.leader;
        let preferred = replicas.iter().find(|id| !removing.contains(id)).copied();
        if let Some(id) = self.chosen.filter(in_sync) {
            return id;
        }
        if self.election == Election::Preferred
            && let Some(id) = preferred.filter(in_sync)
        {
            return id;
        }
        if in_sync(&present) {
            return present;
        }
        if let Some(id) = replicas.iter().copied().find(in_sync) {
            return id;
        }
        if isr.is_empty() || !isr.iter().any(may) {
            let eligible = replicas.iter().copied().find(|id| elr.contains(id) && may(id));
            if eligible.is_none() {
                // Nobody who could write; but to read what is there is better than nothing, and than to lose any of it.
                let reads = |id: &i32| {
                    let broker = image.broker(*id);
                    let readable = broker.is_some_and(|broker| broker.is_readable());
                    isr.contains(id) && readable && excluded != Some(*id)
                };
                let present = Some(present).filter(&reads);
                if let Some(id) = present.or_else(|| replicas.iter().copied().find(reads)) {
                    return id;
                }
            }
            if let Some(id) = eligible {
                elr.retain(|other| *other != id);
                // What is left of the ISR cannot lead now, and has all that was committed.
                elr.extend(isr.iter().filter(|other| **other != id));
                *isr = vec![id];
                return id;
            }
            let nobody = isr.is_empty() && elr.is_empty();
            let last = match last_known_elr.as_slice() {
                [only] if nobody && may(only) => Some(*only),
                _ => None,
            };
            let unclean = self.election == Election::Unclean;
            let any = || unclean.then(|| replicas.iter().copied().find(may)).flatten();
            if let Some(id) = last.or_else(any) {
                *isr = vec![id];
                elr.clear();
                last_known_elr.clear();
                return id;
            }
        }
        -1
    }
}

impl State {
    fn of(image: &PartitionImage) -> Self {
        Self {
            leader: image.leader,
            replicas: image.replicas.to_vec(),
            isr: image.isr.to_vec(),
            elr: image.elr.to_vec(),
            last_known_elr: image.last_known_elr.to_vec(),
            adding: image.adding_replicas.to_vec(),
            removing: image.removing_replicas.to_vec(),
        }
    }
}
