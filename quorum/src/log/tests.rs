use std::fs;
use std::sync::Arc;

use protocol::Uuid;
use storage::disk::OsDisk;
use tempfile::TempDir;

use super::*;
use crate::record::{ConfigResource, PartitionRecord};

fn topic(n: u8) -> Vec<MetadataRecord> {
    let topic_id = Uuid([n; 16]);
    let name = format!("topic-{n}");
    vec![
        MetadataRecord::Topic { name: name.clone(), topic_id },
        MetadataRecord::Partition(PartitionRecord {
            topic_id,
            partition: 0,
            replicas: vec![0],
            isr: vec![0],
            leader: 0,
            leader_epoch: 0,
            ..PartitionRecord::default()
        }),
        MetadataRecord::Config {
            resource: ConfigResource::Topic(name),
            key: "retention.ms".into(),
            value: Some("1".into()),
        },
    ]
}

fn open(dir: &TempDir, compact_from: u64) -> (MetadataLog, MetadataImage, Recovery) {
    MetadataLog::open_with(Arc::new(OsDisk), dir.path(), compact_from).unwrap()
}

fn written(dir: &TempDir, topics: u8) -> MetadataImage {
    let (mut log, mut image, _) = open(dir, u64::MAX);
    for n in 1..=topics {
        let records = topic(n);
        log.append(&[&records]).unwrap();
        image = image.with(&records).unwrap();
    }
    image
}

#[test]
fn what_was_appended_is_there_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let image = written(&dir, 3);
    let (log, again, recovery) = open(&dir, u64::MAX);
    assert_eq!(again, image);
    assert_eq!((log.next_offset(), recovery.replayed_records, recovery.truncated_bytes), (9, 9, 0));
}

#[test]
fn several_commands_go_in_one_append() {
    let dir = TempDir::new().unwrap();
    let (mut log, image, _) = open(&dir, u64::MAX);
    let (a, b) = (topic(1), topic(2));
    log.append(&[&a, &[], &b]).unwrap();
    let image = image.with(&a).unwrap().with(&b).unwrap();
    assert_eq!(open(&dir, u64::MAX).1, image);
}

/// Whatever part of the last append a crash left, the commands before it are there and the last one is gone whole.
#[test]
fn a_torn_tail_is_cut_at_every_byte() {
    let dir = TempDir::new().unwrap();
    let two = written(&dir, 2);
    let path = dir.path().join(log_name(0));
    let kept = fs::read(&path).unwrap();
    let mut log = open(&dir, u64::MAX).0;
    log.append(&[&topic(3)]).unwrap();
    let whole = fs::read(&path).unwrap();
    for len in kept.len()..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let (mut log, image, recovery) = open(&dir, u64::MAX);
        assert_eq!(image, two, "{len} bytes");
        assert_eq!(recovery.truncated_bytes, (len - kept.len()) as u64);
        log.append(&[&topic(4)]).unwrap();
        assert_eq!(open(&dir, u64::MAX).1, two.with(&topic(4)).unwrap());
    }
}

#[test]
fn a_tail_of_zeros_or_with_a_wrong_checksum_is_cut() {
    let dir = TempDir::new().unwrap();
    let two = written(&dir, 2);
    let path = dir.path().join(log_name(0));
    let good = fs::read(&path).unwrap();
    let mut zeros = good.clone();
    zeros.resize(good.len() + 5000, 0);
    let mut flipped = good;
    frame::encode(&mut flipped, 6, b"[{}]").unwrap();
    *flipped.last_mut().unwrap() ^= 1;
    for bytes in [zeros, flipped] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(open(&dir, u64::MAX).1, two);
    }
}

#[test]
fn damage_in_the_middle_refuses_to_start() {
    let dir = TempDir::new().unwrap();
    written(&dir, 3);
    let path = dir.path().join(log_name(0));
    let good = fs::read(&path).unwrap();
    for at in [0, 5, 9, 15, 40] {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        fs::write(&path, bytes).unwrap();
        let error = MetadataLog::open(Arc::new(OsDisk), dir.path()).unwrap_err();
        assert!(matches!(error, LogError::Corrupt { at: 0, .. }), "byte {at}: {error}");
    }
}

#[test]
fn a_large_log_becomes_a_snapshot() {
    let dir = TempDir::new().unwrap();
    let (mut log, mut image, _) = open(&dir, 2000);
    let mut compacted = 0;
    for n in 1..=60 {
        let records = topic(n);
        log.append(&[&records]).unwrap();
        image = image.with(&records).unwrap();
        compacted += u32::from(log.compact_if_large(&image).unwrap());
    }
    assert!(compacted >= 2, "{compacted}");
    let (log, again, recovery) = open(&dir, 2000);
    assert_eq!(again, image);
    assert!(recovery.snapshot_offset.is_some() && log.next_offset() == 180);
    assert!(fs::read_dir(dir.path()).unwrap().count() == 2);
}

/// A crash after the snapshot's rename leaves the old log; one before it an unfinished snapshot.
#[test]
fn a_crash_during_compaction_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let image = written(&dir, 5);
    let before = fs::read(dir.path().join(log_name(0))).unwrap();
    fs::write(dir.path().join("00000000000000000015.snapshot.tmp"), b"half").unwrap();
    assert_eq!(open(&dir, u64::MAX).1, image);
    assert!(!dir.path().join("00000000000000000015.snapshot.tmp").exists());

    let (mut log, ..) = open(&dir, 1);
    assert!(log.compact_if_large(&image).unwrap());
    fs::write(dir.path().join(log_name(0)), before).unwrap();
    fs::remove_file(dir.path().join(log_name(15))).unwrap();
    let (mut log, again, _) = open(&dir, u64::MAX);
    assert_eq!(again, image);
    log.append(&[&topic(9)]).unwrap();
    assert_eq!(open(&dir, u64::MAX).1, image.with(&topic(9)).unwrap());
}

#[test]
fn a_damaged_snapshot_refuses_to_start() {
    let dir = TempDir::new().unwrap();
    let image = written(&dir, 2);
    open(&dir, 1).0.compact_if_large(&image).unwrap();
    let path = dir.path().join(snapshot::name(6));
    let good = fs::read(&path).unwrap();
    for bytes in [&good[..good.len() - 1], &good[..25], b""] {
        fs::write(&path, bytes).unwrap();
        assert!(MetadataLog::open(Arc::new(OsDisk), dir.path()).is_err(), "{} bytes", bytes.len());
    }
}

#[test]
fn a_full_disk_refuses_an_append_and_the_next_one_may_succeed() {
    let disk = sim::SimDisk::new(1);
    let open = || {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        MetadataLog::open(shared, Path::new("data/metadata")).unwrap()
    };
    disk.create_dir(Path::new("data")).unwrap();
    let (mut log, image, _) = open();
    log.append(&[&topic(1)]).unwrap();
    disk.set_capacity_bytes(disk.used_bytes() + 10);
    let error = log.append(&[&topic(2)]).unwrap_err();
    assert!(matches!(&error, LogError::Disk(e) if e.failure == DiskFailure::Full), "{error}");
    disk.set_capacity_bytes(usize::MAX);
    log.append(&[&topic(3)]).unwrap();
    let image = image.with(&topic(1)).unwrap().with(&topic(3)).unwrap();
    assert_eq!(open().1, image);
}

#[test]
fn after_a_failed_sync_nothing_is_appended_any_more() {
    let disk = sim::SimDisk::new(1);
    disk.create_dir(Path::new("data")).unwrap();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (mut log, ..) = MetadataLog::open(shared, Path::new("data/metadata")).unwrap();
    log.append(&[&topic(1)]).unwrap();
    disk.fail_syncs(1);
    assert!(matches!(log.append(&[&topic(2)]), Err(LogError::Disk(_))));
    assert!(matches!(log.append(&[&topic(3)]), Err(LogError::Poisoned(_))));
    assert_eq!(log.next_offset(), 3);
}
