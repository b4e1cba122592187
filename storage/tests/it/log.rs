use std::fs;
use std::os::unix::fs::FileExt;

use storage::LogConfig;
use storage::log::{AppendError, HotBudget, OpenError, OpenState, Read, ReadError};

use crate::support::*;

#[test]
fn every_offset_can_be_read_from_any_segment() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), small());
    fill(&mut log, 0, 200);
    assert!(log.segment_count() > 5);
    for start in 0..200 {
        let records = read_all(&log, start, 500);
        assert_eq!(offsets(&records), (start..200).collect::<Vec<_>>());
        assert!(
            records[0].value.as_ref().unwrap().starts_with(format!("value {start:06}").as_bytes())
        );
    }
    let error = log.read(201, log.end(), 100, true).unwrap_err();
    assert!(matches!(error, ReadError::OutOfRange { offset: 201, start: 0, end: 200 }));
}

#[test]
fn a_read_stops_at_its_bound_and_returns_one_batch_in_any_case() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LogConfig::default());
    fill(&mut log, 0, 5);
    let bound = log.end();
    fill(&mut log, 5, 10);
    let slice = read(&log, 0, bound, usize::MAX);
    assert_eq!(read_all(&log, 4, 1).len(), 6);
    let last = protocol::records::batches(join(&slice)).map(|b| b.unwrap().header().last_offset());
    assert_eq!(last.max(), Some(4));
    let unknown = storage::log::OffsetPosition { position: u64::MAX, ..bound };
    assert_eq!(read(&log, 0, unknown, usize::MAX), slice);
    assert!(matches!(log.read(5, bound, 100, true), Ok(Read::Empty)));
    let Ok(Read::Cold(cold)) = log.read(0, bound, 10, false) else { panic!("not in memory") };
    assert_eq!(cold.run(false).unwrap().unwrap().len, 0, "10 bytes hold no batch");
}

#[test]
fn a_read_sends_no_half_of_a_large_batch() {
    let dir = tempfile::tempdir().unwrap();
    // An entry for each batch but the first.
    let mut log = open(dir.path(), LogConfig { index_interval_bytes: 0, ..LogConfig::default() });
    fill(&mut log, 0, 50);
    let size = read(&log, 0, log.end(), 1).len;
    for start in 0..40 {
        for (max_bytes, batches) in [(1, 1), (2 * size - 1, 1), (2 * size, 2), (9 * size + 7, 9)] {
            let slice = read(&log, start, log.end(), max_bytes);
            assert_eq!(slice.len, batches * size, "{max_bytes} bytes from {start} on");
        }
    }
}

#[test]
fn the_hot_tail_returns_what_the_file_does() {
    let cold_dir = tempfile::tempdir().unwrap();
    let hot_dir = tempfile::tempdir().unwrap();
    let mut cold = open(cold_dir.path(), small());
    let disk = std::sync::Arc::new(storage::OsDisk);
    let budget = HotBudget::new(1 << 20);
    let state = OpenState::default();
    let (mut hot, _) =
        storage::Log::open(disk, hot_dir.path(), small(), state, budget.clone(), 0).unwrap();
    fill(&mut cold, 0, 50);
    fill(&mut hot, 0, 50);
    for start in 0..50 {
        assert!(matches!(hot.read(start, hot.end(), 300, true), Ok(Read::Memory(_))));
        assert_eq!(read_all(&hot, start, 300), read_all(&cold, start, 300));
        assert_eq!(read_all(&hot, start, 100_000), read_all(&cold, start, 100_000));
    }
    assert!(budget.used() > 0);
    hot.cool();
    assert_eq!(budget.used(), 0);
    assert_eq!(read_all(&hot, 0, 300), read_all(&cold, 0, 300));
}

#[test]
fn a_clean_stop_needs_no_scan_and_an_unclean_one_scans_the_tail_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), small());
    fill(&mut log, 0, 100);
    log.flush().unwrap();
    let recovery_point = log.recovery_point();
    assert_eq!(recovery_point, 100);
    fill(&mut log, 100, 110);
    let size = log.size();
    drop(log);

    let state = OpenState { recovery_point, ..OpenState::default() };
    let (mut log, report) = try_open(dir.path(), small(), state).unwrap();
    assert!(report.scanned_bytes > 0 && report.scanned_bytes < size / 2, "{report:?}");
    assert_eq!(report.truncated_bytes, 0);
    assert_eq!((log.end_offset(), log.recovery_point()), (110, 110));
    log.close().unwrap();
    drop(log);

    let state = OpenState { recovery_point: 110, clean: true, ..OpenState::default() };
    let (log, report) = try_open(dir.path(), small(), state).unwrap();
    assert_eq!((report.scanned_bytes, report.indexes_rebuilt), (0, 0));
    assert_eq!(offsets(&read_all(&log, 0, 700)), (0..110).collect::<Vec<_>>());
}

#[test]
fn a_torn_tail_is_cut_and_appends_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LogConfig::default());
    fill(&mut log, 0, 10);
    let whole = log.size();
    drop(log);
    let path = dir.path().join("00000000000000000000.log");
    for cut in 1..60 {
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(whole - cut).unwrap();
        let copy = tempfile::tempdir().unwrap();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        let (mut log, report) =
            try_open(copy.path(), LogConfig::default(), OpenState::default()).unwrap();
        assert_eq!(log.end_offset(), 9);
        assert!(report.truncated_bytes > 0 && report.reason.is_some());
        fill(&mut log, 9, 12);
        assert_eq!(offsets(&read_all(&log, 0, 500)), (0..12).collect::<Vec<_>>());
    }
}

#[test]
fn a_flipped_bit_cuts_the_tail_but_is_an_error_in_what_was_durable() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), small());
    fill(&mut log, 0, 40);
    assert!(log.segment_count() > 2);
    drop(log);
    let path = dir.path().join("00000000000000000000.log");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    // In the header of the second batch: its magic byte.
    let second = protocol::records::BatchHeader::parse(&fs::read(&path).unwrap()).unwrap().size();
    file.write_all_at(&[77], second as u64 + 16).unwrap();

    let durable = OpenState { recovery_point: 40, ..OpenState::default() };
    let error = try_open(dir.path(), small(), durable).unwrap_err();
    assert!(matches!(&error, OpenError::Corrupt { position, .. } if *position == second as u64));
    assert!(error.to_string().contains("is corrupt at byte"), "{error}");

    let (log, report) = try_open(dir.path(), small(), OpenState::default()).unwrap();
    assert_eq!((log.end_offset(), log.segment_count()), (1, 1));
    assert!(report.truncated_bytes > 2_000);
}

#[test]
fn missing_durable_records_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LogConfig::default());
    fill(&mut log, 0, 10);
    drop(log);
    let state = OpenState { recovery_point: 11, ..OpenState::default() };
    let error = try_open(dir.path(), LogConfig::default(), state).unwrap_err();
    assert!(error.to_string().contains("are missing"), "{error}");
}

#[test]
fn broken_indexes_are_rebuilt() {
    for garbage in [&b""[..], &[255; 24], &[1; 23]] {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), small());
        fill(&mut log, 0, 60);
        log.close().unwrap();
        drop(log);
        for entry in fs::read_dir(dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "index" || e == "timeindex") {
                fs::write(path, garbage).unwrap();
            }
        }
        let state = OpenState { recovery_point: 60, clean: true, ..OpenState::default() };
        let (log, _) = try_open(dir.path(), small(), state).unwrap();
        for start in 0..60 {
            assert_eq!(offsets(&read_all(&log, start, 300)), (start..60).collect::<Vec<_>>());
        }
    }
}

#[test]
fn records_are_found_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), small());
    fill(&mut log, 0, 100);
    let search = log.time_search();
    for timestamp in 0..100 {
        let found = search.first_at(timestamp).unwrap().unwrap();
        assert_eq!((found.offset, found.timestamp, found.leader_epoch), (timestamp, timestamp, 0));
    }
    assert_eq!(search.first_at(100).unwrap(), None);
    assert_eq!(search.latest().unwrap().unwrap().offset, 99);
    log.append(&batch(&["late"], 50), 3, None, 0).unwrap();
    assert_eq!(log.time_search().latest().unwrap().unwrap().offset, 99);
    assert_eq!(log.epochs().latest(), Some(3));
}

#[test]
fn retention_by_time_size_and_start() {
    let dir = tempfile::tempdir().unwrap();
    let config = LogConfig { retention_ms: 50, ..small() };
    let mut log = open(dir.path(), config.clone());
    fill(&mut log, 0, 100);
    assert_eq!(log.apply_retention(0, 120).unwrap(), 0, "nothing past the high watermark goes");
    assert!(log.apply_retention(100, 120).unwrap() > 0);
    let start = log.start_offset();
    assert!(start > 50 && start <= 70, "{start}");
    assert_eq!(offsets(&read_all(&log, start, 999)), (start..100).collect::<Vec<_>>());

    log.set_config(LogConfig { retention_bytes: 3_000, ..small() });
    log.apply_retention(100, 120).unwrap();
    assert!(log.size() >= 3_000 && log.size() < 5_000, "{}", log.size());

    log.set_config(LogConfig { delete: false, retention_ms: 0, ..small() });
    assert_eq!(log.apply_retention(100, i64::MAX).unwrap(), 0, "compacted topics keep everything");
    assert_eq!(log.advance_start(97), 97);
    log.apply_retention(100, 0).unwrap();
    assert!(log.segment_count() <= 2);

    log.set_config(config);
    log.apply_retention(100, 1_000).unwrap();
    assert_eq!((log.start_offset(), log.end_offset(), log.size()), (100, 100, 0));
    fill(&mut log, 100, 103);
    drop(log);
    let state = OpenState { start_offset: 100, ..OpenState::default() };
    let (log, _) = try_open(dir.path(), small(), state).unwrap();
    assert_eq!(offsets(&read_all(&log, 100, 999)), [100, 101, 102]);
}

#[test]
fn truncation_goes_back_to_any_offset() {
    for to in [0, 1, 37, 59, 60] {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), small());
        fill(&mut log, 0, 30);
        log.append(&batch(&["new epoch"], 30), 4, None, 0).unwrap();
        for i in 31..60 {
            log.append(&batch(&["x"], i), 4, None, 0).unwrap();
        }
        log.truncate_to(to, 0).unwrap();
        assert_eq!(log.end_offset(), to);
        let epoch = if to > 30 { Some(4) } else { (to > 0).then_some(0) };
        assert_eq!(log.epochs().latest(), epoch);
        assert_eq!(offsets(&read_all(&log, 0, 999)), (0..to).collect::<Vec<_>>());
        let latest = log.time_search().latest().unwrap().map(|t| t.offset);
        assert_eq!(latest, (to > 0).then(|| to - 1));
        log.append(&batch(&["again"], to), 5, None, 0).unwrap();
        assert_eq!(offsets(&read_all(&log, 0, 999)), (0..=to).collect::<Vec<_>>());
    }
}

#[test]
fn a_batch_larger_than_a_segment_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), small());
    let large = batch(&[&"x".repeat(3_000)], 0);
    let error = log.append(&large, 0, None, 0).unwrap_err();
    assert!(matches!(error, AppendError::LargerThanSegment { limit: 2_000, .. }));
    fill(&mut log, 0, 3);
}

#[test]
fn log_append_time_is_stored_with_a_valid_crc() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), small());
    let appended = log.append(&batch(&["a"], 5), 0, Some(777), 777).unwrap();
    assert_eq!(appended.max_timestamp, 777);
    assert_eq!(read_all(&log, 0, 999)[0].timestamp, 777);
}

#[test]
fn producer_state_survives_a_restart_of_any_kind() {
    use protocol::records::{Batch, BatchBuilder, Compression};
    use storage::producers::SequenceCheck;
    let produce = |sequence: i32| {
        let mut builder = BatchBuilder::new(Compression::Lz4);
        builder.append(1, None, Some(&[7; 100]), &[]).unwrap();
        builder.set_producer(5, 1, sequence);
        Batch::parse(&builder.build().unwrap()).unwrap()
    };
    for (clean, flushed) in [(true, true), (false, true), (false, false)] {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), small());
        for sequence in 0..40 {
            log.append(&produce(sequence), 0, None, 0).unwrap();
        }
        if clean {
            log.close().unwrap();
        } else if flushed {
            log.flush().unwrap();
        }
        let recovery_point = log.recovery_point();
        drop(log);
        let state = OpenState { recovery_point, clean, ..OpenState::default() };
        let (log, _) = try_open(dir.path(), small(), state).unwrap();
        let check = |sequence| log.producers().check(produce(sequence).header());
        assert_eq!(check(39), Ok(SequenceCheck::Duplicate { base_offset: 39, timestamp: 1 }));
        assert_eq!(check(40), Ok(SequenceCheck::Append));
        assert!(check(41).is_err());
    }
}

/// A silent gap otherwise, for consumers and for followers.
#[test]
fn what_does_not_fit_is_not_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), small());
    fill(&mut log, 0, 60);
    assert!(log.segment_count() > 2);
    for offset in 0..59 {
        let Read::Cold(cold) = log.read(offset, log.end(), 100, false).unwrap() else { panic!() };
        assert_eq!(cold.run(false).unwrap().unwrap().len, 0, "at {offset}");
    }
}

/// Seed 11000665 of elections: a flush that was under way wrote the epochs from before a truncation over those after it. Its
/// followers were told again and again that they had parted from a leader with such a file.
#[test]
fn a_flush_that_a_truncation_overtakes_leaves_no_epochs_behind() {
    for crashes in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), LogConfig::default());
        let append = |log: &mut storage::Log, epoch: i32| {
            log.append(&batch(&["a", "b"], 1), epoch, None, 0).unwrap();
        };
        append(&mut log, 1);
        log.flush().unwrap();
        append(&mut log, 2);
        let overtaken = log.plan_flush();
        log.prepare_truncation(2);
        log.truncate_to(2, 0).unwrap();
        // The leader had another batch of the first epoch.
        append(&mut log, 1);
        let mut expected = vec![(1, 0)];
        if crashes {
            append(&mut log, 3);
            expected.push((3, 4));
        }
        overtaken.run().unwrap();
        let mut state = OpenState { recovery_point: log.recovery_point(), ..OpenState::default() };
        if !crashes {
            assert!(!log.flushed(&overtaken), "it says nothing of what is there now");
            log.close().unwrap();
            state = OpenState { recovery_point: log.recovery_point(), clean: true, ..state };
        }
        drop(log);
        let (log, _) = try_open(dir.path(), LogConfig::default(), state).unwrap();
        let entries: Vec<_> =
            log.epochs().entries().iter().map(|e| (e.epoch, e.start_offset)).collect();
        assert_eq!(entries, expected, "crashes: {crashes}");
    }
}

/// A log that begins anew writes its epochs itself, and nothing else would.
#[test]
fn a_flush_that_a_new_beginning_overtakes_leaves_no_epochs_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LogConfig::default());
    log.append(&batch(&["a", "b"], 1), 1, None, 0).unwrap();
    let overtaken = log.plan_flush();
    log.prepare_truncation(0);
    log.reset_to(10, 0).unwrap();
    overtaken.run().unwrap();
    assert!(!log.flushed(&overtaken), "it says nothing of what is there now");
    log.close().unwrap();
    drop(log);
    let state = OpenState { start_offset: 10, clean: true, ..OpenState::default() };
    let (log, _) = try_open(dir.path(), LogConfig::default(), state).unwrap();
    assert_eq!(log.epochs().entries(), []);
}

#[test]
fn truncation_in_the_middle_of_a_batch_takes_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), small());
    log.append(&batch(&["a", "b", "c"], 1), 0, None, 0).unwrap();
    log.append(&batch(&["d", "e", "f"], 1), 0, None, 0).unwrap();
    log.truncate_to(4, 0).unwrap();
    assert_eq!(log.end_offset(), 3);
    log.append(&batch(&["g"], 1), 1, None, 0).unwrap();
    assert_eq!(offsets(&read_all(&log, 0, 999)), [0, 1, 2, 3]);
}

#[test]
fn a_flush_says_nothing_of_what_came_after_a_truncation() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), small());
    fill(&mut log, 0, 10);
    log.flush().unwrap();
    fill(&mut log, 10, 20);
    let plan = log.plan_flush();
    plan.run().unwrap();
    log.prepare_truncation(5);
    assert!(log.recovery_point() <= 5);
    assert!(!log.flushed(&plan));
    log.truncate_to(5, 0).unwrap();
    fill(&mut log, 5, 20);
    assert!(log.recovery_point() <= 5);
    log.flush().unwrap();
    assert_eq!(log.recovery_point(), 20);
}

#[test]
fn a_reset_log_begins_where_it_is_told() {
    for at in [0, 20, 500] {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), small());
        fill(&mut log, 0, 60);
        log.flush().unwrap();
        log.prepare_truncation(0);
        log.reset_to(at, 0).unwrap();
        assert_eq!((log.start_offset(), log.end_offset(), log.size()), (at, at, 0));
        assert!(log.epochs().entries().is_empty());
        log.append(&batch(&["x"], 1), 3, None, 0).unwrap();
        log.close().unwrap();
        drop(log);
        let (log, _) = try_open(dir.path(), small(), OpenState::default()).unwrap();
        assert_eq!((log.start_offset(), log.end_offset()), (at, at + 1));
        assert_eq!(log.epochs().epoch_of(at), Some(3));
    }
}

/// Files that are kept open in the test below.
const KEPT_FILES: usize = 3;

#[test]
fn a_log_of_many_segments_has_few_files_open() {
    let dir = tempfile::tempdir().unwrap();
    let disk = storage::BoundedDisk::new(std::sync::Arc::new(storage::OsDisk), KEPT_FILES);
    let shared = std::sync::Arc::new(disk.clone());
    let state = OpenState::default();
    let budget = HotBudget::new(0);
    let (mut log, _) = storage::Log::open(shared, dir.path(), small(), state, budget, 0).unwrap();
    fill(&mut log, 0, 500);
    assert!(log.segment_count() > 10);
    log.flush().unwrap();
    for offset in (0..500).rev() {
        let slice = read(&log, offset, log.end(), 100);
        assert!(slice.len > 0);
        assert!(disk.open_count() <= KEPT_FILES + 2, "{} are open", disk.open_count());
    }
    log.cool();
    log.truncate_to(250, 0).unwrap();
    fill(&mut log, 250, 300);
    log.close().unwrap();
    assert_eq!(read_all(&log, 0, 1_000).len(), 300);
    let indexes = fs::read_dir(dir.path()).unwrap().filter(|entry| {
        entry.as_ref().unwrap().path().extension().is_some_and(|suffix| suffix == "timeindex")
    });
    assert_eq!(indexes.count(), log.segment_count(), "closed segments have their indexes");
}
