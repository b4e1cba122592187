//! The metadata log through crashes: every answered command is there, and none is half there.

use std::path::Path;
use std::sync::Arc;

use protocol::Uuid;
use quorum::record::PartitionRecord;
use quorum::{MetadataImage, MetadataLog, MetadataRecord};
use storage::Disk;

use crate::disk::{SimDisk, data_dir};
use crate::{Planted, Violation};

/// Small, so that short runs compact often.
const COMPACT_FROM_BYTES: u64 = 2_000;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Crashes survived.
    pub crashes: u32,
    /// Topics in the end.
    pub topics: usize,
    /// Times that the log was compacted.
    pub compactions: u32,
}

/// Runs the scenario for `steps` random steps: commands of a topic with its partitions each, in groups that share a
/// sync, and crashes.
///
/// # Errors
/// The first broken rule.
pub fn run(seed: u64, steps: u32, planted: Option<Planted>) -> Result<Report, Violation> {
    let disk = SimDisk::new(seed);
    if planted == Some(Planted::SyncDoesNothing) {
        disk.break_sync();
    }
    let mut random = fastrand::Rng::with_seed(seed ^ 0x3e7a);
    let mut report = Report::default();
    let violation = |step: u32, what: String| Violation { seed, step, what };
    let (mut log, mut image) = open(&disk).map_err(|what| violation(0, what))?;
    let mut answered = image.clone();
    let mut next_topic = 0_u64;

    for step in 0..steps {
        let wrong = |what: String| violation(step, what);
        if random.u8(..100) < 90 {
            let commands: Vec<Vec<MetadataRecord>> = (0..random.usize(1..4))
                .map(|_| {
                    next_topic += 1;
                    create_topic(next_topic, random.i32(1..5))
                })
                .collect();
            let frames: Vec<&[MetadataRecord]> = commands.iter().map(Vec::as_slice).collect();
            log.append(&frames).map_err(|error| wrong(error.to_string()))?;
            for records in &commands {
                image = image.with(records).map_err(|error| wrong(error.to_string()))?;
            }
            answered = image.clone();
            let compacted =
                log.compact_if_large(&image).map_err(|error| wrong(error.to_string()))?;
            report.compactions += u32::from(compacted);
        } else {
            disk.crash();
            (log, image) = open(&disk).map_err(wrong)?;
            check(&answered, &image).map_err(wrong)?;
            report.crashes += 1;
        }
    }
    report.topics = image.topics().len();
    Ok(report)
}

/// Everything is synced before it is answered, so the image must be just the answered one.
fn check(answered: &MetadataImage, found: &MetadataImage) -> Result<(), String> {
    if found == answered {
        return Ok(());
    }
    let (had, has) = (answered.topics().len(), found.topics().len());
    Err(format!("{had} topics were answered for, {has} are there, or their partitions differ"))
}

fn create_topic(number: u64, partitions: i32) -> Vec<MetadataRecord> {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let topic_id = Uuid(id);
    let mut records = vec![MetadataRecord::Topic { name: format!("topic-{number}"), topic_id }];
    records.extend((0..partitions).map(|partition| {
        MetadataRecord::Partition(PartitionRecord {
            topic_id,
            partition,
            replicas: vec![0],
            isr: vec![0],
            leader: 0,
            leader_epoch: 0,
            ..PartitionRecord::default()
        })
    }));
    records
}

fn open(disk: &SimDisk) -> Result<(MetadataLog, MetadataImage), String> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    // The broker makes the data folder durable before anything in it (`Identity::establish`).
    let dir = data_dir();
    disk.create_dir(&dir).map_err(|error| error.to_string())?;
    for folder in dir.ancestors() {
        disk.sync_dir(folder).map_err(|error| error.to_string())?;
    }
    let metadata = dir.join(Path::new("__cluster_metadata"));
    let (log, image, _) = MetadataLog::open_with(shared, &metadata, COMPACT_FROM_BYTES)
        .map_err(|error| error.to_string())?;
    Ok((log, image))
}
