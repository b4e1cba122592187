//! The log at the end against what producers were told and consumers saw.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, Rule, Verdict, reads};
use crate::history::{Offset, Partition, Value};

pub(super) fn check(facts: &Facts, verdict: &mut Verdict) {
    let mut places: BTreeMap<&Value, Vec<(Partition, Offset)>> = BTreeMap::new();
    for (&place, &value) in &facts.log {
        places.entry(value).or_default().push(place);
    }
    lost(facts, &places, verdict);
    for (value, places) in &places {
        if places.len() > 1 {
            verdict.breach(Rule::Duplicated, || format!("{value} is at {places:?}"));
        }
    }
    inconsistent(facts, verdict);
    reordered(facts, verdict);
}

fn lost(facts: &Facts, places: &BTreeMap<&Value, Vec<(Partition, Offset)>>, verdict: &mut Verdict) {
    for (value, told) in &facts.acknowledged {
        let found = places.get(value).map_or(&[][..], Vec::as_slice);
        let place = (told.partition, told.offset);
        if found.is_empty() {
            let instead = facts.log.get(&place);
            verdict.breach(Rule::Lost, || {
                let instead = instead.map_or("nothing".into(), ToString::to_string);
                format!("{value} was acknowledged at {place:?}, where {instead} is now")
            });
        } else if told.offset >= 0 && !found.contains(&place) {
            verdict.breach(Rule::Inconsistent, || {
                format!("{value} was acknowledged at {place:?} and is at {found:?}")
            });
        }
    }
}

/// All readers agree, also with one another on what is no longer there.
fn inconsistent(facts: &Facts, verdict: &mut Verdict) {
    let mut seen = facts.log.clone();
    let mut gone = BTreeSet::new();
    // The last reader too: its own second look at an offset may differ from its first.
    let readers = facts.history.consumers.iter().chain([&facts.history.last_read]);
    for reader in readers {
        for (partition, offset, value) in reads(reader) {
            let place = (partition, offset);
            let first = *seen.entry(place).or_insert(value);
            if first != value {
                verdict.breach(Rule::Inconsistent, || {
                    format!("{} read {value} at {place:?}, where others have {first}", reader.name)
                });
            } else if !facts.log.contains_key(&place) && gone.insert(place) {
                verdict.breach(Rule::Inconsistent, || {
                    format!("{} read {value} at {place:?}, where nothing is now", reader.name)
                });
            }
        }
    }
}

/// A producer's numbers rise with the offsets of a partition.
fn reordered(facts: &Facts, verdict: &mut Verdict) {
    let mut highest: BTreeMap<(Partition, &str), (u64, Offset)> = BTreeMap::new();
    for (&(partition, offset), value) in &facts.log {
        let last = highest.entry((partition, &value.producer)).or_insert((value.number, offset));
        if value.number < last.0 {
            let (number, at) = *last;
            verdict.breach(Rule::Reordered, || {
                format!(
                    "partition {partition}: {value} at {offset} after {}:{number} at {at}",
                    value.producer
                )
            });
        } else {
            *last = (value.number, offset);
        }
    }
}
