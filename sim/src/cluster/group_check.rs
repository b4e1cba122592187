//! [`GroupChecker`]: what members of groups must never see.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Str;

use super::coordinator::Offset;

/// A generation, as its members have been told of it.
#[derive(Debug, Default)]
struct Generation {
    /// When the first member was given its partitions.
    told_at: u64,
    assigned: BTreeMap<Str, Vec<i32>>,
}

/// What the run has shown of groups so far.
#[derive(Debug, Default)]
pub(super) struct GroupChecker {
    /// By group and generation.
    generations: BTreeMap<(usize, i32), Generation>,
    /// What members have asked to have committed.
    asked: BTreeSet<Offset>,
    /// Assignments that members were given.
    pub(super) count: u32,
}

impl GroupChecker {
    /// A member is given partitions: always the same ones in a generation, and nobody else's.
    pub(super) fn assigned(
        &mut self,
        now: u64,
        (group, generation): (usize, i32),
        member: Str,
        partitions: Vec<i32>,
    ) -> Result<(), String> {
        self.count += 1;
        let of = self
            .generations
            .entry((group, generation))
            .or_insert_with(|| Generation { told_at: now, assigned: BTreeMap::new() });
        if let Some(known) = of.assigned.get(&member)
            && *known != partitions
        {
            return Err(format!(
                "generation {generation} of group {group}: {member} was given {known:?}, and now {partitions:?}"
            ));
        }
        let others = of.assigned.iter().filter(|(other, _)| **other != member);
        for (other, theirs) in others {
            if let Some(both) = theirs.iter().find(|p| partitions.contains(p)) {
                return Err(format!(
                    "generation {generation} of group {group}: partition {both} was given to {other} and to {member}"
                ));
            }
        }
        of.assigned.insert(member, partitions);
        Ok(())
    }

    /// A member asks for an offset to be committed.
    pub(super) fn asks_to_commit(&mut self, offset: Offset) {
        self.asked.insert(offset);
    }

    /// A member is told of an offset of a topic: somebody has committed it for this topic, and not for another of the same name.
    pub(super) fn is_told(&self, offset: Offset) -> Result<(), String> {
        if self.asked.contains(&offset) {
            return Ok(());
        }
        let (group, (topic_id, partition), offset) = offset;
        Err(format!(
            "group {group} is told {offset} of partition {partition} of {topic_id}, which nobody has committed for that topic"
        ))
    }

    /// An offset is committed that a coordinator took at a time: not from who knew an older generation than others did then.
    pub(super) fn commits(
        &self,
        group: usize,
        generation: i32,
        taken_at: u64,
    ) -> Result<(), String> {
        let newer = (group, generation + 1)..=(group, i32::MAX);
        let newer = self.generations.range(newer).find(|(_, of)| of.told_at < taken_at);
        newer.map_or(Ok(()), |((_, newer), _)| {
            Err(format!(
                "group {group} has had generation {newer}, and an offset of generation {generation} was taken after that"
            ))
        })
    }
}
