use std::path::Path;
use std::sync::Arc;

use protocol::records::{Batch, BatchBuilder, Compression};
use sim::SimDisk;
use storage::log::AppendError;
use storage::{BoundedDisk, Disk, DiskFailure, Log, LogConfig, LogDir};

fn batch(value: u8) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.append(1, None, Some(&[value; 400]), &[]).unwrap();
    Batch::parse(&builder.build().unwrap()).unwrap()
}

fn open(disk: &SimDisk) -> (LogDir, Log) {
    let disk: Arc<dyn Disk> = Arc::new(BoundedDisk::new(Arc::new(disk.clone()), 1));
    let dir = LogDir::open(disk, Path::new("/data")).unwrap();
    let config = LogConfig { segment_bytes: 2_000, ..LogConfig::default() };
    let (log, _) = dir.open_log("t", 0, "id", config, 0).unwrap();
    (dir, log)
}

#[test]
fn a_full_disk_refuses_and_takes_again_when_there_is_room() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let (dir, mut log) = open(&disk);
        disk.set_capacity_bytes(5_000 + seed as usize * 37);
        let mut taken = 0;
        let error = loop {
            match log.append(&batch(taken as u8), 0, None, 0) {
                Ok(_) => taken += 1,
                Err(error) => break error,
            }
        };
        let AppendError::Disk(full) = &error else { panic!("{error}") };
        assert_eq!(full.failure, DiskFailure::Full);
        assert!(error.to_string().contains("free space on this volume"), "{error}");
        assert_eq!(log.end_offset(), taken);
        disk.set_capacity_bytes(usize::MAX);
        log.append(&batch(taken as u8), 0, None, 0).unwrap();
        log.flush().unwrap();
        drop((dir, log));
        disk.crash();
        let (_, log) = open(&disk);
        assert_eq!(log.end_offset(), taken + 1);
    }
}

/// A new log's file is made with its first record: a flush from before says nothing of its name.
#[test]
fn a_first_record_is_there_whatever_was_flushed_before() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        for folder in ["/", "/data"] {
            disk.create_dir(Path::new(folder)).unwrap();
            disk.sync_dir(Path::new(folder)).unwrap();
        }
        let (dir, mut log) = open(&disk);
        log.flush().unwrap();
        let plan = log.plan_flush();
        log.append(&batch(0), 0, None, 0).unwrap();
        plan.run().unwrap();
        log.flushed(&plan);
        log.flush().unwrap();
        drop((dir, log));
        disk.crash();
        assert_eq!(open(&disk).1.end_offset(), 1, "seed {seed}");
    }
}

#[test]
fn a_failed_sync_is_final_until_the_restart() {
    let disk = SimDisk::new(1);
    let (dir, mut log) = open(&disk);
    log.append(&batch(0), 0, None, 0).unwrap();
    log.flush().unwrap();
    log.append(&batch(1), 0, None, 0).unwrap();
    disk.fail_syncs(1);
    assert_eq!(log.flush().unwrap_err().failure, DiskFailure::Failed);
    assert!(matches!(log.append(&batch(2), 0, None, 0), Err(AppendError::Failed)));
    drop((dir, log));
    disk.crash();
    let (_, mut log) = open(&disk);
    assert!((1..=2).contains(&log.end_offset()));
    log.append(&batch(3), 0, None, 0).unwrap();
}

#[test]
fn a_failed_write_ends_the_logs_writing_life() {
    let disk = SimDisk::new(2);
    let (_dir, mut log) = open(&disk);
    log.append(&batch(0), 0, None, 0).unwrap();
    disk.fail_writes(true);
    assert!(matches!(log.append(&batch(1), 0, None, 0), Err(AppendError::Disk(_))));
    disk.fail_writes(false);
    assert!(matches!(log.append(&batch(1), 0, None, 0), Err(AppendError::Failed)));
    assert_eq!(log.end_offset(), 1);
}

#[test]
fn cold_reads_say_that_they_would_wait() {
    use storage::log::{HotBudget, OpenState, Read};
    let disk = SimDisk::new(3);
    let seam: Arc<dyn Disk> = Arc::new(disk.clone());
    let dir = Path::new("/data/t-0");
    seam.create_dir(dir).unwrap();
    let state = OpenState::default();
    let (mut log, _) =
        Log::open(seam, dir, LogConfig::default(), state, HotBudget::new(0), 0).unwrap();
    for i in 0..50 {
        log.append(&batch(i), 0, None, 0).unwrap();
    }
    disk.set_cold_percent(100);
    let Ok(Read::Cold(cold)) = log.read(7, log.end(), 5_000, true) else { panic!("not in memory") };
    assert_eq!(cold.run(true).unwrap(), None);
    assert!(cold.run(false).unwrap().unwrap().len > 4_000);
}
