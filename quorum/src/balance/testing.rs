//! Clusters to plan for.

use std::collections::HashMap;

use protocol::Uuid;

use super::{Disk, Plan, Rate, Sizes, Survey, Traffic};
use crate::controller::Reassignment;
use crate::image::MetadataImage;
use crate::record::{BrokerChange, BrokerRecord, MetadataRecord, PartitionChange, PartitionRecord};

pub(super) fn cluster(
    brokers: &[(i32, Option<&str>)],
    partitions: usize,
    factor: usize,
) -> MetadataImage {
    let broker = |(id, rack): &(i32, Option<&str>)| {
        MetadataRecord::RegisterBroker(BrokerRecord {
            broker_id: *id,
            broker_epoch: i64::from(*id) + 1,
            host: "h".into(),
            port: 1,
            rack: rack.map(str::to_owned),
            ..BrokerRecord::default()
        })
    };
    let mut records: Vec<MetadataRecord> = brokers.iter().map(broker).collect();
    let topic_id = Uuid([1; 16]);
    records.push(MetadataRecord::Topic { name: "t".into(), topic_id });
    for partition in 0..partitions {
        let home = |r: usize| brokers[(partition + r) % brokers.len()].0;
        let replicas: Vec<i32> = (0..factor).map(home).collect();
        records.push(MetadataRecord::Partition(PartitionRecord {
            topic_id,
            partition: partition as i32,
            isr: replicas.clone(),
            leader: replicas[0],
            replicas,
            ..PartitionRecord::default()
        }));
    }
    MetadataImage::default().with(&records).unwrap()
}

pub(super) fn join(image: &MetadataImage, id: i32, rack: Option<&str>) -> MetadataImage {
    let records = [MetadataRecord::RegisterBroker(BrokerRecord {
        broker_id: id,
        broker_epoch: 100 + i64::from(id),
        host: "h".into(),
        port: 1,
        rack: rack.map(str::to_owned),
        ..BrokerRecord::default()
    })];
    image.with(&records).unwrap()
}

/// A broker of [`cluster`] that is not heard from any more.
pub(super) fn fence(image: &MetadataImage, id: i32) -> MetadataImage {
    let change = BrokerChange {
        broker_id: id,
        broker_epoch: i64::from(id) + 1,
        fenced: Some(true),
        in_controlled_shutdown: None,
        log_dir_offline: None,
    };
    image.with(&[MetadataRecord::BrokerChange(change)]).unwrap()
}

/// Only these are in sync.
pub(super) fn with_isr(image: &MetadataImage, partition: i32, isr: &[i32]) -> MetadataImage {
    let topic_id = image.topic("t").unwrap().id;
    let change =
        PartitionChange { isr: Some(isr.to_vec()), ..PartitionChange::of(topic_id, partition) };
    image.with(&[MetadataRecord::PartitionChange(change)]).unwrap()
}

/// As if every move had been carried out.
pub(super) fn carry_out(image: &MetadataImage, plan: &Plan) -> MetadataImage {
    let topic_id = image.topic("t").unwrap().id;
    let change = |m: &Reassignment| {
        MetadataRecord::PartitionChange(PartitionChange {
            replicas: m.replicas.clone(),
            isr: m.replicas.clone(),
            leader: m.replicas.as_ref().map(|r| r[0]),
            ..PartitionChange::of(topic_id, m.partition)
        })
    };
    image.with(&plan.moves.iter().map(change).collect::<Vec<_>>()).unwrap()
}

/// How many replicas a plan copies.
pub(super) fn new_replicas(image: &MetadataImage, plan: &Plan) -> usize {
    let new = |m: &Reassignment| {
        let was = &image.partition("t", m.partition).unwrap().replicas;
        m.replicas.as_ref().unwrap().iter().filter(|id| !was.contains(id)).count()
    };
    plan.moves.iter().map(new).sum()
}

/// Disks with room for anything, and nothing that is known of partitions.
pub(super) fn roomy(image: &MetadataImage) -> Survey {
    let disk = Disk { total: 1 << 50, usable: 1 << 49, coming: 0 };
    let disks = image.brokers().map(|broker| (broker.id, disk)).collect();
    Survey { disks, ..Survey::default() }
}

/// Partitions of [`cluster`]'s topic with so many bytes, bytes in and bytes out.
pub(super) fn measured(image: &MetadataImage, weights: &[(u64, u64, u64)]) -> Survey {
    let id = image.topic("t").unwrap().id;
    let keys = || (0..).map(|index| (id, index));
    let sizes: Sizes = keys().zip(weights.iter().map(|(bytes, ..)| *bytes)).collect();
    let rates = weights.iter().map(|&(_, bytes_in, bytes_out)| Rate { bytes_in, bytes_out });
    let rates: HashMap<_, _> = keys().zip(rates).collect();
    Survey { sizes, traffic: Traffic::known(rates), ..roomy(image) }
}
