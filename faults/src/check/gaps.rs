//! How long a producer went without an acknowledgement from a partition that it wrote to.

use std::collections::BTreeMap;

use crate::history::{Client, Event, Partition, Time};

/// The longest such time of each producer, in nanoseconds, over all partitions. What was still unanswered when
/// the load ended counts until it was answered: producers end by waiting for all of their records.
pub(super) fn longest(producers: &[Client]) -> BTreeMap<String, u64> {
    producers.iter().map(|producer| (producer.name.clone(), of_one(producer))).collect()
}

fn of_one(producer: &Client) -> u64 {
    // The time of the last acknowledgement; of the first attempt, as long as there is none.
    let mut since: BTreeMap<Partition, Time> = BTreeMap::new();
    let mut longest = 0;
    let mut open: BTreeMap<Partition, u64> = BTreeMap::new();
    for (time, event) in &producer.events {
        match event {
            Event::Attempt { partition, .. } => {
                since.entry(*partition).or_insert(*time);
                *open.entry(*partition).or_default() += 1;
            }
            Event::Acknowledged { partition, .. } => {
                if let Some(before) = since.insert(*partition, *time) {
                    longest = longest.max(time.saturating_sub(before));
                }
                let open = open.entry(*partition).or_default();
                *open = open.saturating_sub(1);
            }
            Event::Failed { partition, .. } => {
                let open = open.entry(*partition).or_default();
                *open = open.saturating_sub(1);
                if let Some(before) = since.get(partition) {
                    longest = longest.max(time.saturating_sub(*before));
                }
            }
            _ => {}
        }
    }
    longest.max(never_answered(producer, &since, &open))
}

/// A producer that died or hung leaves attempts without an answer: they count up to its last line.
fn never_answered(
    producer: &Client,
    since: &BTreeMap<Partition, Time>,
    open: &BTreeMap<Partition, u64>,
) -> u64 {
    let end = producer.events.last().map_or(0, |(time, _)| *time);
    let waiting = since.iter().filter(|(partition, _)| open.get(partition).is_some_and(|&n| n > 0));
    waiting.map(|(_, since)| end.saturating_sub(*since)).max().unwrap_or(0)
}
