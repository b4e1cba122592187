//! The group's offsets: what was committed was read, and what was committed stays committed.

use std::collections::BTreeMap;

use super::{Rule, Verdict};
use crate::history::{Client, Event, History, Offset, Partition, Time};

pub(super) fn check(history: &History, verdict: &mut Verdict) {
    for consumer in &history.consumers {
        one_consumer(consumer, verdict);
    }
    across_assignments(history, verdict);
}

/// Within one assignment: never beyond what was read, never back.
fn one_consumer(consumer: &Client, verdict: &mut Verdict) {
    let mut read: BTreeMap<Partition, Offset> = BTreeMap::new();
    let mut committed: BTreeMap<Partition, Offset> = BTreeMap::new();
    for (_, event) in &consumer.events {
        match event {
            Event::Assigned(_) | Event::Revoked(_) => committed.clear(),
            Event::Read { partition, offset, .. } => {
                let highest = read.entry(*partition).or_insert(*offset);
                *highest = (*highest).max(*offset);
            }
            Event::Committed { partition, offset } => {
                let next = read.get(partition).map_or(0, |highest| highest + 1);
                if *offset > next {
                    verdict.breach(Rule::CommittedUnread, || {
                        format!("{}: {partition}@{offset}, read up to {next}", consumer.name)
                    });
                }
                let before = committed.insert(*partition, *offset);
                if let Some(before) = before.filter(|before| offset < before) {
                    verdict.breach(Rule::CommitsWentBack, || {
                        format!("{}: {partition}@{offset} after {before}", consumer.name)
                    });
                }
            }
            _ => {}
        }
    }
}

/// Who is given a partition goes on at least where the group was told that it stands; so it is at the end.
fn across_assignments(history: &History, verdict: &mut Verdict) {
    let mut commits: BTreeMap<Partition, Vec<(Time, Offset)>> = BTreeMap::new();
    for (time, event) in history.consumers.iter().flat_map(|consumer| &consumer.events) {
        if let Event::Committed { partition, offset } = event {
            commits.entry(*partition).or_default().push((*time, *offset));
        }
    }
    let stands = |partition: Partition, before: Time| {
        let known = commits.get(&partition)?;
        known.iter().filter(|(time, _)| *time < before).map(|(_, offset)| *offset).max()
    };
    for consumer in &history.consumers {
        for (partition, given, first) in first_reads(consumer) {
            let committed = stands(partition, given);
            if let Some(committed) = committed.filter(|&committed| first < committed) {
                verdict.breach(Rule::CommitsWentBack, || {
                    format!(
                        "{} went on at {partition}@{first}, the group had committed {committed}",
                        consumer.name
                    )
                });
            }
        }
    }
    for (&partition, &last) in &history.group_offsets {
        let committed = stands(partition, Time::MAX);
        if let Some(committed) = committed.filter(|&committed| last < committed) {
            verdict.breach(Rule::CommitsWentBack, || {
                format!("at the end {partition}@{last}, the group had committed {committed}")
            });
        }
    }
}

/// For each partition of each assignment: when it was given, and the offset that was read first.
fn first_reads(consumer: &Client) -> Vec<(Partition, Time, Offset)> {
    let mut waiting: BTreeMap<Partition, Time> = BTreeMap::new();
    let mut found = Vec::new();
    for (time, event) in &consumer.events {
        match event {
            Event::Assigned(partitions) => {
                waiting = partitions.iter().map(|partition| (*partition, *time)).collect();
            }
            Event::Revoked(_) => waiting.clear(),
            Event::Read { partition, offset, .. } => {
                if let Some(given) = waiting.remove(partition) {
                    found.push((*partition, given, *offset));
                }
            }
            _ => {}
        }
    }
    found
}
