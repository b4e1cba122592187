//! The rules, after those of Jepsen's Kafka workload: pure functions of what clients did and saw.
//!
//! - an acknowledged record is in the log at the end, at the offset that its producer was told ([`log`]);
//! - no value is there twice, and each producer's values are in its order in each partition ([`log`]);
//! - one value per partition and offset, whoever reads it and whenever ([`log`]);
//! - a consumer's offsets only rise while it keeps a partition, and leave nothing out ([`polls`]);
//! - a group's committed offsets never pass what was read, and never go back ([`commits`]);
//! - the group has seen every acknowledged record ([`polls`]);
//! - how long nobody acknowledged anything is measured, not judged ([`gaps`]).

mod commits;
mod gaps;
mod log;
mod polls;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Event, History, Offset, Partition, Value};

/// How many breaches of one rule are told with their details.
const EXAMPLES: usize = 5;

/// What may be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    Lost,
    Duplicated,
    Inconsistent,
    Reordered,
    NotMonotonic,
    Skipped,
    CommittedUnread,
    CommitsWentBack,
    Unseen,
}

impl Rule {
    /// What the rule's breach is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lost => "acknowledged records lost",
            Self::Duplicated => "records duplicated",
            Self::Inconsistent => "offsets with two values",
            Self::Reordered => "records out of their producer's order",
            Self::NotMonotonic => "polls that went back",
            Self::Skipped => "records that a poll left out",
            Self::CommittedUnread => "commits beyond what was read",
            Self::CommitsWentBack => "committed offsets that went back",
            Self::Unseen => "acknowledged records that the group never read",
        }
    }
}

/// What came out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    pub(crate) attempted: usize,
    pub(crate) acknowledged: usize,
    /// Writes given up after all retries, by error.
    pub(crate) failed: BTreeMap<String, usize>,
    /// Breaches by rule, with the first few told.
    breaches: BTreeMap<Rule, (usize, Vec<String>)>,
    /// The longest time without an acknowledgement, in nanoseconds, by producer.
    pub(crate) longest_gap: BTreeMap<String, u64>,
}

impl Verdict {
    pub(crate) fn count(&self, rule: Rule) -> usize {
        self.breaches.get(&rule).map_or(0, |(count, _)| *count)
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.breaches.is_empty()
    }

    /// A line for each rule that was broken, and for each breach that is told.
    pub(crate) fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (rule, (count, told)) in &self.breaches {
            lines.push(format!("{count} {}", rule.name()));
            lines.extend(told.iter().map(|breach| format!("  {breach}")));
        }
        lines
    }

    fn breach(&mut self, rule: Rule, tell: impl FnOnce() -> String) {
        let (count, told) = self.breaches.entry(rule).or_default();
        *count += 1;
        if told.len() < EXAMPLES {
            told.push(tell());
        }
    }
}

/// An acknowledged record: where its producer was told it is (below 0: not told).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    partition: Partition,
    offset: Offset,
}

/// The history in the order in which the rules need it.
struct Facts<'a> {
    history: &'a History,
    acknowledged: BTreeMap<Value, Place>,
    /// The log at the end.
    log: BTreeMap<(Partition, Offset), &'a Value>,
}

/// Judges a run.
pub(crate) fn check(history: &History) -> Verdict {
    let mut verdict = Verdict::default();
    let mut acknowledged = BTreeMap::new();
    for producer in &history.producers {
        for (_, event) in &producer.events {
            match event {
                Event::Attempt { .. } => verdict.attempted += 1,
                Event::Failed { error, .. } => {
                    *verdict.failed.entry(error.clone()).or_default() += 1;
                }
                Event::Acknowledged { number, partition, offset } => {
                    let value = Value { producer: producer.name.clone(), number: *number };
                    acknowledged.insert(value, Place { partition: *partition, offset: *offset });
                }
                _ => {}
            }
        }
    }
    verdict.acknowledged = acknowledged.len();
    let mut log = BTreeMap::new();
    for (partition, offset, value) in reads(&history.last_read) {
        log.insert((partition, offset), value);
    }
    let facts = Facts { history, acknowledged, log };
    log::check(&facts, &mut verdict);
    polls::check(&facts, &mut verdict);
    commits::check(history, &mut verdict);
    verdict.longest_gap = gaps::longest(&history.producers);
    verdict
}

/// The values that were acknowledged, and those that consumers have read: the group is done when it has
/// read them all.
pub(crate) fn unseen(history: &History) -> usize {
    let seen: BTreeSet<&Value> =
        history.consumers.iter().flat_map(reads).map(|(_, _, value)| value).collect();
    let acknowledged = history.producers.iter().flat_map(|producer| {
        producer.events.iter().filter_map(|(_, event)| match event {
            Event::Acknowledged { number, .. } => {
                Some(Value { producer: producer.name.clone(), number: *number })
            }
            _ => None,
        })
    });
    acknowledged.filter(|value| !seen.contains(value)).count()
}

/// Everything that a client read.
fn reads(client: &crate::history::Client) -> impl Iterator<Item = (Partition, Offset, &Value)> {
    client.events.iter().filter_map(|(_, event)| match event {
        Event::Read { partition, offset, value } => Some((*partition, *offset, value)),
        _ => None,
    })
}
