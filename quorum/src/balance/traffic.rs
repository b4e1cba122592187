//! What clients write to and read from partitions, as their leaders measure it.

use std::collections::HashMap;

use protocol::Uuid;

use super::survey::Report;
use crate::image::MetadataImage;

/// One in so many partitions may be without a measurement before nothing is planned by traffic: what is missing counts as
/// nothing, and a broker whose partitions are not measured yet would look idle.
const TOLERATED_SHARE: usize = 10;
/// Brokers that a note names.
const MAX_NAMED: usize = 5;

/// A partition's traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// Bytes a second that producers write: every replica takes as many.
    pub bytes_in: u64,
    /// Bytes a second that consumers read from the leader.
    pub bytes_out: u64,
}

/// What is known of all partitions' traffic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    rates: HashMap<(Uuid, i32), Rate>,
    note: Option<String>,
}

impl Traffic {
    /// What leaders said of the partitions that they lead.
    pub(super) fn of(image: &MetadataImage, reports: &[Report]) -> Self {
        let mut silent: Vec<String> = Vec::new();
        let mut rates = HashMap::new();
        for broker in image.brokers().filter(|broker| broker.is_active()) {
            let report = reports.iter().find(|report| report.broker == broker.id);
            match report.and_then(|report| report.traffic.as_ref()) {
                Some(measured) => rates.extend(measured.iter().filter_map(|(key, rate)| {
                    let partition = image.topic_by_id(&key.0)?.partition(key.1)?;
                    (partition.leader == broker.id).then_some((*key, *rate))
                })),
                None => silent.push(broker.id.to_string()),
            }
        }
        if !silent.is_empty() {
            let named = silent.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>();
            let more = if silent.len() > MAX_NAMED { " and others" } else { "" };
            return Self::without(format!("broker {}{more} did not tell it", named.join(", ")));
        }
        let led = image.topics().iter().flat_map(|topic| topic.iter());
        let led = led.filter(|(_, partition)| image.is_active(partition.leader)).count();
        let missing = led.saturating_sub(rates.len());
        if missing > led / TOLERATED_SHARE {
            return Self::without(format!(
                "{missing} of {led} partitions have not been measured for long enough under their leaders"
            ));
        }
        let note = (missing > 0).then(|| {
            format!("{missing} partitions count as without traffic: they are not measured yet")
        });
        Self { rates, note }
    }

    fn without(why: String) -> Self {
        let note = format!("moves are planned without regard to traffic: {why}");
        Self { rates: HashMap::new(), note: Some(note) }
    }

    /// These rates, all that there are.
    #[cfg(test)]
    pub(super) fn known(rates: HashMap<(Uuid, i32), Rate>) -> Self {
        Self { rates, note: None }
    }

    /// A partition's traffic: nothing when it is not known.
    pub fn rate(&self, topic_id: Uuid, partition: i32) -> Rate {
        self.rates.get(&(topic_id, partition)).copied().unwrap_or_default()
    }

    /// What is not known, for people.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cluster, fence};
    use super::*;

    const BROKERS: [(i32, Option<&str>); 2] = [(1, None), (2, None)];
    const RATE: Rate = Rate { bytes_in: 10, bytes_out: 20 };

    /// A broker's report of the partitions in `measured`, whoever leads them.
    fn report(image: &MetadataImage, broker: i32, measured: Option<&[i32]>) -> Report {
        let id = image.topic("t").unwrap().id;
        let traffic = measured.map(|of| of.iter().map(|index| ((id, *index), RATE)).collect());
        Report { broker, traffic, ..Report::default() }
    }

    #[test]
    fn leaders_are_believed_of_what_they_lead() {
        let image = cluster(&BROKERS, 2, 2);
        let id = image.topic("t").unwrap().id;
        let reports = [report(&image, 1, Some(&[0])), report(&image, 2, Some(&[1]))];
        let traffic = Traffic::of(&image, &reports);
        assert_eq!((traffic.rate(id, 0), traffic.rate(id, 1), traffic.note()), (RATE, RATE, None));
        // Broker 1 has led partition 1, and does not any more.
        let reports = [report(&image, 1, Some(&[0, 1])), report(&image, 2, Some(&[]))];
        assert_eq!(Traffic::of(&image, &reports).rate(id, 1), Rate::default());
    }

    #[test]
    fn a_broker_that_does_not_tell_takes_all_traffic_out_of_the_plan() {
        let image = cluster(&BROKERS, 2, 2);
        let id = image.topic("t").unwrap().id;
        let told = report(&image, 1, Some(&[0]));
        for reports in [vec![told.clone()], vec![told.clone(), report(&image, 2, None)]] {
            let traffic = Traffic::of(&image, &reports);
            assert_eq!(traffic.rate(id, 0), Rate::default());
            assert!(traffic.note().unwrap().contains("broker 2 did not"), "{:?}", traffic.note());
        }
        // One that is down leads nothing.
        let traffic = Traffic::of(&fence(&image, 2), &[told]);
        assert_eq!(traffic.rate(id, 0), RATE);
    }

    #[test]
    fn few_partitions_without_a_measurement_count_as_idle_and_many_as_no_knowledge() {
        let image = cluster(&BROKERS[..1], 20, 1);
        let id = image.topic("t").unwrap().id;
        let of = |measured: i32| {
            let measured: Vec<i32> = (0..measured).collect();
            Traffic::of(&image, &[report(&image, 1, Some(&measured))])
        };
        assert_eq!((of(20).rate(id, 0), of(20).note()), (RATE, None));
        assert_eq!((of(18).rate(id, 0), of(18).rate(id, 19)), (RATE, Rate::default()));
        assert!(of(18).note().unwrap().starts_with("2 partitions"));
        assert_eq!(of(17).rate(id, 0), Rate::default());
        assert!(of(17).note().unwrap().contains("3 of 20"));
    }
}
