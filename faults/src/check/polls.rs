//! What each consumer of the group read, assignment by assignment.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, Rule, Verdict, reads};
use crate::history::{Client, Event, Offset, Partition, Value};

pub(super) fn check(facts: &Facts, verdict: &mut Verdict) {
    for consumer in &facts.history.consumers {
        one_consumer(consumer, facts, verdict);
    }
    // Where nobody consumed there is nothing to have seen.
    if facts.history.consumers.is_empty() {
        return;
    }
    let seen: BTreeSet<&Value> =
        facts.history.consumers.iter().flat_map(reads).map(|(_, _, value)| value).collect();
    let kept: BTreeSet<&Value> = facts.log.values().copied().collect();
    for (value, place) in &facts.acknowledged {
        // What is lost is told as lost.
        if !seen.contains(value) && kept.contains(value) {
            verdict.breach(Rule::Unseen, || format!("{value}, acknowledged at {place:?}"));
        }
    }
}

/// Offsets rise, one by one, as long as the consumer keeps the partition.
fn one_consumer(consumer: &Client, facts: &Facts, verdict: &mut Verdict) {
    let mut last: BTreeMap<Partition, Offset> = BTreeMap::new();
    for (_, event) in &consumer.events {
        match event {
            // The position after an assignment is the group's, whoever had the partition before.
            Event::Assigned(_) | Event::Revoked(_) => last.clear(),
            Event::Read { partition, offset, .. } => {
                let before = last.insert(*partition, *offset);
                let Some(before) = before else { continue };
                if *offset <= before {
                    verdict.breach(Rule::NotMonotonic, || {
                        format!("{}: {partition}@{offset} after {before}", consumer.name)
                    });
                    continue;
                }
                let between = (*partition, before + 1)..(*partition, *offset);
                for (place, value) in facts.log.range(between) {
                    verdict.breach(Rule::Skipped, || {
                        format!("{}: {value} at {place:?}", consumer.name)
                    });
                }
            }
            _ => {}
        }
    }
}
