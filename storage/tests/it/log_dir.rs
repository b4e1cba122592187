use std::path::Path;
use std::sync::Arc;

use storage::{LogConfig, LogDir, LogDirError, OsDisk};

use crate::support::{batch, fill, offsets, read_all};

fn open(path: &Path) -> Result<LogDir, LogDirError> {
    LogDir::open(Arc::new(OsDisk), path)
}

#[test]
fn a_directory_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("is in use by another process"), "{error}");
    drop(first);
    open(dir.path()).unwrap();
}

#[test]
fn it_knows_how_the_last_run_ended() {
    let dir = tempfile::tempdir().unwrap();
    let logs = open(dir.path()).unwrap();
    assert!(!logs.was_clean());
    let (mut log, _) = logs.open_log("t", 3, "id", LogConfig::default(), 0).unwrap();
    fill(&mut log, 0, 10);
    log.close().unwrap();
    logs.write_checkpoints([(("t".into(), 3), log.recovery_point(), 4)]).unwrap();
    logs.write_high_watermarks([(("t".into(), 3), 9)]).unwrap();
    logs.mark_clean(7).unwrap();
    drop((log, logs));

    let logs = open(dir.path()).unwrap();
    assert!(logs.was_clean());
    assert_eq!(logs.clean_shutdown_epoch(), Some(7));
    assert_eq!(logs.high_watermark("t", 3), Some(9));
    assert_eq!(logs.high_watermark("t", 4), None);
    assert_eq!(logs.partitions().unwrap(), [("t".to_owned(), 3)]);
    let (log, report) = logs.open_log("t", 3, "id", LogConfig::default(), 0).unwrap();
    assert_eq!((log.start_offset(), log.end_offset(), report.scanned_bytes), (4, 10, 0));
    drop((log, logs));

    let logs = open(dir.path()).unwrap();
    assert!(!logs.was_clean(), "the marker holds for one start");
    assert_eq!(logs.clean_shutdown_epoch(), None);
    let (log, report) = logs.open_log("t", 3, "id", LogConfig::default(), 0).unwrap();
    assert!(report.scanned_bytes > 0);
    assert_eq!(offsets(&read_all(&log, 4, 999)), (4..10).collect::<Vec<_>>());
}

/// A broker that is stopped while it still waits for the metadata has recovered nothing.
#[test]
fn a_stop_before_logs_are_opened_leaves_them_to_be_recovered() {
    let dir = tempfile::tempdir().unwrap();
    let logs = open(dir.path()).unwrap();
    for partition in 0..2 {
        let (mut log, _) = logs.open_log("t", partition, "id", LogConfig::default(), 0).unwrap();
        fill(&mut log, 0, 10);
    }
    drop(logs);
    for opened in 0..3 {
        let logs = open(dir.path()).unwrap();
        assert!(!logs.was_clean(), "{opened}");
        for partition in 0..opened {
            let (log, report) =
                logs.open_log("t", partition, "id", LogConfig::default(), 0).unwrap();
            assert!(report.scanned_bytes > 0);
            drop(log);
        }
        logs.mark_clean(7).unwrap();
    }
    // And a stop after a clean one changes nothing, nor does it forget under which epoch that was.
    for _ in 0..2 {
        let logs = open(dir.path()).unwrap();
        assert!(logs.was_clean());
        assert_eq!(logs.clean_shutdown_epoch(), Some(7));
        logs.mark_clean(-1).unwrap();
    }
}

/// The checkpoints speak of the log that was there before; a crash before they are written again must not make it this one's.
#[test]
fn a_replica_that_comes_back_is_not_held_to_what_it_had_before() {
    let dir = tempfile::tempdir().unwrap();
    let name = || ("t".to_owned(), 0);
    for restarted in [false, true] {
        let mut logs = open(dir.path()).unwrap();
        let (mut log, _) = logs.open_log("t", 0, "id", LogConfig::default(), 0).unwrap();
        fill(&mut log, 0, 20);
        log.flush().unwrap();
        logs.write_checkpoints([(name(), log.recovery_point(), 5)]).unwrap();
        logs.write_high_watermarks([(name(), 20)]).unwrap();
        drop(log);
        logs.remove_log("t", 0, "id").unwrap();
        if restarted {
            drop(logs);
            logs = open(dir.path()).unwrap();
        }
        let (mut log, _) = logs.open_log("t", 0, "id", LogConfig::default(), 0).unwrap();
        fill(&mut log, 0, 3);
        drop((log, logs));

        let logs = open(dir.path()).unwrap();
        assert_eq!(logs.high_watermark("t", 0), None);
        let (log, _) = logs.open_log("t", 0, "id", LogConfig::default(), 0).unwrap();
        assert_eq!((log.start_offset(), log.end_offset()), (0, 3));
        drop(log);
        logs.remove_log("t", 0, "id").unwrap();
    }
}

#[test]
fn a_topic_made_anew_starts_empty_and_a_removed_one_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let logs = open(dir.path()).unwrap();
    let (mut log, _) = logs.open_log("t-1", 0, "old", LogConfig::default(), 0).unwrap();
    log.append(&batch(&["x"], 0), 0, None, 0).unwrap();
    drop(log);
    let (log, _) = logs.open_log("t-1", 0, "new", LogConfig::default(), 0).unwrap();
    assert_eq!(log.end_offset(), 0);
    drop(log);
    assert!(dir.path().join("t-1-0.old-stray").exists(), "records are put aside, not destroyed");
    // The old topic's deletion may be noticed only now.
    logs.remove_log("t-1", 0, "old").unwrap();
    let new = |topic_id: &str| {
        let topic_id = Some(topic_id.to_owned());
        [storage::Folder { topic: "t-1".into(), partition: 0, topic_id }]
    };
    assert_eq!(logs.folders().unwrap(), new("new"));
    logs.remove_log("t-1", 0, "new").unwrap();
    logs.remove_log("t-1", 0, "new").unwrap();
    assert_eq!(logs.partitions().unwrap(), []);
    // Whose it is became durable with the first flush; what says nothing may be anybody's.
    let (mut log, _) = logs.open_log("t-1", 0, "new", LogConfig::default(), 0).unwrap();
    log.append(&batch(&["x"], 0), 0, None, 0).unwrap();
    drop(log);
    std::fs::write(dir.path().join("t-1-0/partition.metadata"), "").unwrap();
    let (log, _) = logs.open_log("t-1", 0, "newer", LogConfig::default(), 0).unwrap();
    assert_eq!(log.end_offset(), 0);
    drop(log);
    assert_eq!(logs.folders().unwrap(), new("newer"));
    std::fs::write(dir.path().join("t-1-0/partition.metadata"), "topic_id: ../x").unwrap();
    assert_eq!(logs.folders().unwrap(), new("___x"));
    logs.remove_log("t-1", 0, "___x").unwrap();
    std::fs::create_dir(dir.path().join("gone-0.id-delete")).unwrap();
    drop(logs);
    open(dir.path()).unwrap();
    assert!(!dir.path().join("gone-0.id-delete").exists());
}
