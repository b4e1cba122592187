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
    frame::encode(&mut flipped, 6, 0, b"[{}]").unwrap();
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

fn replica(dir: &TempDir, compact_from: u64) -> Opened {
    MetadataLog::open_replica(Arc::new(OsDisk), dir.path(), compact_from).unwrap()
}

/// Frames of three records, with these epochs.
fn frames(epochs: &[i32]) -> Vec<Frame> {
    let frame = |(n, epoch): (usize, &i32)| Frame::new(3 * n as u64, *epoch, topic(n as u8 + 1));
    epochs.iter().enumerate().map(|of| frame(of).unwrap()).collect()
}

fn with_frames(dir: &TempDir, epochs: &[i32]) -> MetadataLog {
    let mut log = replica(dir, u64::MAX).log;
    for frame in frames(epochs) {
        log.push(frame).unwrap();
    }
    assert!(log.flush().unwrap() && !log.flush().unwrap());
    log
}

#[test]
fn frames_are_read_from_memory_and_from_disk() {
    let dir = TempDir::new().unwrap();
    let all = frames(&[1, 1, 2]);
    let mut log = with_frames(&dir, &[1, 1, 2]);
    assert_eq!((log.last_epoch(), log.next_offset()), (2, 9));
    for _ in 0..2 {
        assert_eq!(log.frames(0, usize::MAX).unwrap(), all);
        assert_eq!(log.frames(3, 1).unwrap(), all[1..2], "one at least");
        assert_eq!(log.frames(0, 500).unwrap(), all[..1]);
        assert!(log.frames(4, 1).unwrap().is_empty(), "no frame begins there");
        assert!(log.frames(9, 1).unwrap().is_empty());
        log.recent = Recent::default();
    }
    let opened = replica(&dir, u64::MAX);
    assert_eq!((opened.tail, opened.image.offset()), (all, 0));
}

#[test]
fn a_log_is_cut_at_a_frame_and_goes_on_from_there() {
    let dir = TempDir::new().unwrap();
    let mut log = with_frames(&dir, &[1, 2, 3]);
    assert!(matches!(log.truncate(4), Err(LogError::Truncate { .. })), "within a frame");
    log.truncate(3).unwrap();
    assert_eq!((log.next_offset(), log.last_epoch()), (3, 1));
    let old = Frame::new(3, 0, topic(9)).unwrap();
    assert!(matches!(log.push(old), Err(LogError::OutOfOrder { .. })), "epochs do not fall");
    log.push(Frame::new(3, 4, topic(9)).unwrap()).unwrap();
    log.flush().unwrap();
    let epochs: Vec<i32> = replica(&dir, u64::MAX).tail.iter().map(Frame::epoch).collect();
    assert_eq!(epochs, [1, 4]);
}

#[test]
fn a_snapshot_keeps_frames_for_followers_and_cannot_be_cut() {
    let dir = TempDir::new().unwrap();
    with_frames(&dir, &[1, 1, 2, 3]);
    let Opened { mut log, mut image, .. } = replica(&dir, 1);
    for frame in &frames(&[1, 1, 2]) {
        log.apply(&mut image, frame).unwrap();
    }
    let set =
        crate::raft::VoterSet::new([crate::raft::Voter { id: 4, directory_id: Uuid([4; 16]) }]);
    assert!(log.compact_committed(&image, Some(&set), 400).unwrap());
    assert_eq!((log.snapshot(), log.start_offset()), (SnapshotId { offset: 9, epoch: 2 }, 6));
    assert!(matches!(log.truncate(6), Err(LogError::Truncate { .. })));
    let opened = replica(&dir, u64::MAX);
    assert_eq!((opened.image.clone(), opened.voters), (image, Some(set)));
    assert_eq!(opened.tail, frames(&[1, 1, 2, 3])[3..]);
    assert_eq!(opened.log.frames(6, 1).unwrap().len(), 1, "before the snapshot, but still there");
}

/// Whatever a crash leaves of the log before: what the leader's snapshot replaces does not come back.
#[test]
fn an_installed_snapshot_replaces_another_history() {
    let leader = TempDir::new().unwrap();
    with_frames(&leader, &[1, 2, 2]);
    let Opened { mut log, mut image, .. } = replica(&leader, 1);
    for frame in &frames(&[1, 2, 2]) {
        log.apply(&mut image, frame).unwrap();
    }
    log.compact_committed(&image, None, 0).unwrap();
    let id = log.snapshot();
    let (bytes, len) = log.read_snapshot(id, 0, usize::MAX).unwrap().unwrap();
    assert_eq!(bytes.len() as u64, len);
    let (part, _) = log.read_snapshot(id, 10, 5).unwrap().unwrap();
    assert_eq!(part, bytes[10..15]);
    assert!(log.read_snapshot(SnapshotId { offset: 3, epoch: 1 }, 0, 1).unwrap().is_none());

    let dir = TempDir::new().unwrap();
    let mut log = with_frames(&dir, &[1, 1, 1, 1]);
    let old = fs::read(dir.path().join(log_name(0))).unwrap();
    let damaged = &bytes[..bytes.len() - 1];
    assert!(matches!(log.install(id, damaged), Err(LogError::Corrupt { .. })));
    assert_eq!(log.next_offset(), 12, "nothing has changed");
    assert_eq!(log.install(id, &bytes).unwrap().0, image);
    assert_eq!((log.next_offset(), log.last_epoch()), (9, 2));

    fs::write(dir.path().join(log_name(0)), old).unwrap();
    fs::remove_file(dir.path().join(log_name(9))).unwrap();
    let opened = replica(&dir, u64::MAX);
    assert_eq!((opened.image, opened.tail.len(), opened.log.next_offset()), (image, 0, 9));
}
