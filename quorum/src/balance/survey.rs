//! What the brokers say of what they hold: bytes of partitions, room on their disks, traffic.

use std::collections::{BTreeMap, HashMap};

use protocol::Uuid;

use super::traffic::{Rate, Traffic};
use crate::image::MetadataImage;

/// Bytes of partitions, by topic id and index; those that are missing count as empty.
pub type Sizes = HashMap<(Uuid, i32), u64>;

/// A plan leaves so much of a disk free, at least: a tenth of it, but not more than this many bytes. Partitions that are there
/// grow, and a broker whose disk is full stops serving.
const MAX_HEADROOM: u64 = 10 * 1024 * 1024 * 1024;

/// What one broker says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Its node id.
    pub broker: i32,
    /// Bytes of the replicas that it holds.
    pub sizes: Vec<((Uuid, i32), u64)>,
    /// Bytes of the volume that holds them, and those that are free (KIP-827); nothing when it could not say.
    pub disk: Option<(u64, u64)>,
    /// The traffic of the partitions that it leads, as far as it has measured it; nothing when it did not answer.
    pub traffic: Option<Vec<((Uuid, i32), Rate)>>,
}

/// A broker's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Disk {
    /// Bytes of the volume.
    pub total: u64,
    /// Bytes that are free.
    pub usable: u64,
    /// Bytes that are on their way to it.
    pub coming: u64,
}

impl Disk {
    /// Bytes that a plan leaves free.
    pub fn headroom(&self) -> u64 {
        (self.total / 10).min(MAX_HEADROOM)
    }

    /// Bytes that may still be brought to it; nothing when less than the headroom is left already.
    pub fn room(&self) -> Option<u64> {
        self.usable.saturating_sub(self.coming).checked_sub(self.headroom())
    }
}

/// What is known of the brokers beside the metadata.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survey {
    /// The largest size that any replica of each partition has.
    pub sizes: Sizes,
    /// By broker. One that is missing gets nothing: it might have no room.
    pub disks: BTreeMap<i32, Disk>,
    /// What clients write and read.
    pub traffic: Traffic,
}

impl Survey {
    /// Puts together what brokers said.
    pub fn of(image: &MetadataImage, reports: &[Report]) -> Self {
        let mut sizes = Sizes::new();
        for (partition, bytes) in reports.iter().flat_map(|report| &report.sizes) {
            let size = sizes.entry(*partition).or_default();
            *size = (*size).max(*bytes);
        }
        let disks = reports.iter().filter_map(|report| {
            let (total, usable) = report.disk?;
            let coming = coming(image, &sizes, report);
            Some((report.broker, Disk { total, usable, coming }))
        });
        let disks = disks.collect();
        Self { disks, traffic: Traffic::of(image, reports), sizes }
    }
}

/// Bytes that a broker lacks of the replicas that are being made on it.
fn coming(image: &MetadataImage, sizes: &Sizes, report: &Report) -> u64 {
    let has: HashMap<_, _> = report.sizes.iter().copied().collect();
    let mut coming = 0_u64;
    for topic in image.topics().iter() {
        for (index, _) in topic.iter().filter(|(_, p)| p.adding_replicas.contains(&report.broker)) {
            let key = (topic.id, index);
            let whole = sizes.get(&key).copied().unwrap_or(0);
            let there = has.get(&key).copied().unwrap_or(0);
            coming = coming.saturating_add(whole.saturating_sub(there));
        }
    }
    coming
}

#[cfg(test)]
mod tests {
    use super::super::testing::cluster;
    use super::*;
    use crate::record::{MetadataRecord, PartitionChange};

    #[test]
    fn the_largest_replica_counts_and_what_is_on_its_way_takes_room() {
        let image = cluster(&[(1, None), (2, None), (3, None)], 1, 2);
        let id = image.topic("t").unwrap().id;
        let adding = PartitionChange {
            replicas: Some(vec![1, 2, 3]),
            adding_replicas: Some(vec![3]),
            ..PartitionChange::of(id, 0)
        };
        let image = image.with(&[MetadataRecord::PartitionChange(adding)]).unwrap();
        let report = |broker, bytes| Report {
            broker,
            sizes: vec![((id, 0), bytes)],
            disk: Some((1_000, 500)),
            traffic: Some(Vec::new()),
        };
        let survey = Survey::of(&image, &[report(1, 90), report(2, 100), report(3, 40)]);
        assert_eq!(survey.sizes[&(id, 0)], 100);
        assert_eq!(survey.disks[&3], Disk { total: 1_000, usable: 500, coming: 60 });
        assert_eq!((survey.disks[&3].room(), survey.disks[&1].room()), (Some(340), Some(400)));
        let silent = Survey::of(&image, &[Report { disk: None, ..report(1, 90) }]);
        assert!(silent.disks.is_empty());
    }

    #[test]
    fn a_tenth_is_kept_free_and_of_large_disks_less() {
        let disk = |total, usable| Disk { total, usable, coming: 0 };
        assert_eq!(disk(1_000, 100).room(), Some(0));
        assert_eq!(disk(1_000, 99).room(), None);
        assert_eq!(disk(1 << 40, 1 << 39).headroom(), MAX_HEADROOM);
    }
}
