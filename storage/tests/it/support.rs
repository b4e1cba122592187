use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::Segment;
use protocol::records::{Batch, BatchBuilder, Compression, Record, batches};
use storage::log::{
    HotBudget, LogSlice, OffsetPosition, OpenError, OpenState, Read, RecoveryReport,
};
use storage::{BoundedDisk, Disk, Log, LogConfig, OsDisk};

/// Files that a log keeps open.
const KEPT_FILES: usize = 64;

/// Small segments and dense indexes, so that few records make many.
pub(crate) fn small() -> LogConfig {
    LogConfig { segment_bytes: 2_000, index_interval_bytes: 200, ..LogConfig::default() }
}

pub(crate) fn batch(values: &[&str], timestamp: i64) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    for value in values {
        builder.append(timestamp, None, Some(value.as_bytes()), &[]).unwrap();
    }
    Batch::parse(&builder.build().unwrap()).unwrap()
}

pub(crate) fn try_open(
    dir: &Path,
    config: LogConfig,
    state: OpenState,
) -> Result<(Log, RecoveryReport), OpenError> {
    let disk: Arc<dyn Disk> = Arc::new(BoundedDisk::new(Arc::new(OsDisk), KEPT_FILES));
    Log::open(disk, dir, config, state, HotBudget::new(0), 0)
}

pub(crate) fn open(dir: &Path, config: LogConfig) -> Log {
    try_open(dir, config, OpenState::default()).unwrap().0
}

pub(crate) fn fill(log: &mut Log, from: usize, to: usize) {
    for i in from..to {
        let value = format!("value {i:06} {}", "x".repeat(50));
        let appended = log.append(&batch(&[&value], i as i64), 0, None, 0).unwrap();
        assert_eq!(appended.base_offset, i as i64);
    }
}

/// All records from `offset` on, as a consumer fetches them.
pub(crate) fn read_all(log: &Log, mut offset: i64, max_bytes: usize) -> Vec<Record> {
    let mut records = Vec::new();
    let upper = log.end();
    while offset < upper.offset {
        let slice = read(log, offset, upper, max_bytes);
        assert!(slice.len > 0, "nothing at {offset}");
        for batch in batches(join(&slice)) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            let decoded = batch.records().unwrap().map(Result::unwrap);
            records.extend(decoded.filter(|r| r.offset >= offset));
            offset = batch.header().next_offset();
        }
    }
    records
}

pub(crate) fn read(log: &Log, offset: i64, upper: OffsetPosition, max_bytes: usize) -> LogSlice {
    match log.read(offset, upper, max_bytes, true).unwrap() {
        Read::Empty => LogSlice::default(),
        Read::Memory(slice) => slice,
        Read::Cold(cold) => {
            let slice = cold.run(false).unwrap().unwrap();
            assert_eq!(cold.run(true).unwrap(), Some(slice.clone()), "in memory by now");
            slice
        }
    }
}

pub(crate) fn join(slice: &LogSlice) -> Bytes {
    use std::os::unix::fs::FileExt;
    let mut out = BytesMut::new();
    for segment in &slice.segments {
        match segment {
            Segment::Bytes(bytes) => out.extend_from_slice(bytes),
            Segment::File(part) => {
                let mut buf = vec![0; part.len as usize];
                part.file.read_exact_at(&mut buf, part.position).unwrap();
                out.extend_from_slice(&buf);
            }
        }
    }
    assert_eq!(out.len(), slice.len);
    out.freeze()
}

pub(crate) fn offsets(records: &[Record]) -> Vec<i64> {
    records.iter().map(|r| r.offset).collect()
}
