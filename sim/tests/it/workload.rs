//! Random work on two partitions of a log directory, and the checker: what was made durable is there, what is
//! there was written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use protocol::Segment;
use protocol::records::{Batch, BatchBuilder, Compression, batches};
use sim::SimDisk;
use storage::log::{Appended, Read};
use storage::producers::SequenceCheck;
use storage::{BoundedDisk, Disk, DiskError, Log, LogConfig, LogDir};

pub(crate) const DIR: &str = "/data";
const PARTITIONS: usize = 2;
/// Log files that are kept open.
const KEPT_FILES: usize = 1;
const PRODUCERS: i64 = 3;

/// What should be in one partition.
#[derive(Debug, Default)]
struct Model {
    /// Everything appended, by base offset: batch bytes from the attributes on (what the log may not change).
    batches: BTreeMap<i64, Batch>,
    end: i64,
    /// Offsets before this have been synced: they must survive.
    synced: i64,
    /// The next sequence of each producer.
    sequences: [i32; PRODUCERS as usize],
}

/// A process that works on the disk, and what it should find there after a crash.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) disk: SimDisk,
    rng: Rng,
    models: [Model; PARTITIONS],
}

/// One life of the process.
struct Life {
    dir: LogDir,
    logs: Vec<Log>,
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 4_000, index_interval_bytes: 300, ..LogConfig::default() }
}

impl Workload {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = Rng::with_seed(seed ^ 0x5eed);
        Self { disk: SimDisk::new(seed), rng, models: Default::default() }
    }

    /// Opens, checks, works for a while, and ends in one of several bad ways.
    pub(crate) fn life(&mut self) -> Result<(), String> {
        let mut life = self.start().map_err(|e| format!("cannot start: {e}"))?;
        self.check(&life)?;
        if self.rng.bool() {
            let calls = self.disk.calls() + self.rng.u64(..300);
            self.disk.stop_after_calls(calls);
        }
        for _ in 0..self.rng.u32(1..120) {
            // After an error (the machine has stopped) nothing that follows could have an effect.
            if self.step(&mut life).is_err() {
                break;
            }
        }
        match self.rng.u8(..6) {
            0 | 1 => {
                // Not a failure of the test: the crash that follows is what it is about.
                let _ = self.stop(life);
                self.disk.crash();
            }
            2 => self.disk.kill(),
            _ => self.disk.crash(),
        }
        Ok(())
    }

    fn start(&self) -> Result<Life, Box<dyn std::error::Error>> {
        let disk: Arc<dyn Disk> =
            Arc::new(BoundedDisk::new(Arc::new(self.disk.clone()), KEPT_FILES));
        let dir = LogDir::open(disk, Path::new(DIR))?;
        let mut logs = Vec::new();
        for i in 0..PARTITIONS {
            logs.push(dir.open_log("t", i as i32, "id", config(), 0)?.0);
        }
        Ok(Life { dir, logs })
    }

    fn step(&mut self, life: &mut Life) -> Result<(), ()> {
        let i = self.rng.usize(..PARTITIONS);
        let log = &mut life.logs[i];
        match self.rng.u8(..100) {
            0..70 => self.append(i, log),
            70..90 => self.flush(i, log),
            90..96 => {
                let offsets = life.logs.iter().enumerate();
                let offsets = offsets.map(|(i, l)| (("t".into(), i as i32), l.recovery_point(), 0));
                life.dir.write_checkpoints(offsets).map_err(|_| ())
            }
            _ => log.roll(0).map_err(|_| ()),
        }
    }

    fn append(&mut self, i: usize, log: &mut Log) -> Result<(), ()> {
        let (batch, producer) = self.batch(i);
        if let Some(producer) = producer {
            assert_eq!(log.producers().check(batch.header()), Ok(SequenceCheck::Append));
            self.models[i].sequences[producer] += batch.header().record_count;
        }
        let result = log.append(&batch, 1, None, 0);
        let model = &mut self.models[i];
        let appended = match &result {
            Ok(Appended { base_offset, .. }) => *base_offset,
            // It may be on disk all the same, as what was written last.
            Err(_) => model.end,
        };
        assert_eq!(appended, model.end);
        model.end += i64::from(batch.header().record_count);
        model.batches.insert(appended, batch);
        result.map(|_| ()).map_err(|_| ())
    }

    fn batch(&mut self, i: usize) -> (Batch, Option<usize>) {
        let codec = [Compression::None, Compression::Lz4][self.rng.usize(..2)];
        let mut builder = BatchBuilder::new(codec);
        for _ in 0..self.rng.u32(1..4) {
            let len = self.rng.usize(..700);
            let value: Vec<u8> = std::iter::repeat_with(|| self.rng.u8(..)).take(len).collect();
            let timestamp = self.models[i].end;
            builder.append(timestamp, None, Some(&value), &[]).expect("a small record");
        }
        let producer = self.rng.bool().then(|| self.rng.usize(..PRODUCERS as usize));
        if let Some(producer) = producer {
            let sequence = self.models[i].sequences[producer];
            builder.set_producer(producer as i64, 0, sequence);
        }
        let bytes = builder.build().expect("a small batch");
        (Batch::parse(&bytes).expect("what was built"), producer)
    }

    fn flush(&mut self, i: usize, log: &mut Log) -> Result<(), ()> {
        let end = log.end_offset();
        log.flush().map_err(|_| ())?;
        self.models[i].synced = end;
        Ok(())
    }

    /// A clean stop, unless the machine stops in the middle of it; then the power goes.
    fn stop(&mut self, mut life: Life) -> Result<(), DiskError> {
        for (i, log) in life.logs.iter_mut().enumerate() {
            log.close()?;
            self.models[i].synced = log.end_offset();
        }
        let offsets = life.logs.iter().enumerate();
        let offsets = offsets.map(|(i, l)| (("t".into(), i as i32), l.recovery_point(), 0));
        life.dir.write_checkpoints(offsets)?;
        life.dir.mark_clean(-1)
    }

    /// Compares what the logs hold with the models, and takes what survived as what is.
    fn check(&mut self, life: &Life) -> Result<(), String> {
        for (log, model) in life.logs.iter().zip(&mut self.models) {
            check_log(log, model)?;
        }
        Ok(())
    }
}

fn check_log(log: &Log, model: &mut Model) -> Result<(), String> {
    let end = log.end_offset();
    if end < model.synced {
        return Err(format!("synced up to {}, but the log ends at {end}", model.synced));
    }
    // What was not synced may be gone; it must be gone from its first byte on.
    model.batches.retain(|base, _| *base < end);
    model.end = end;
    let mut offset = 0;
    for (base, written) in &model.batches {
        let found = read(log, *base)?;
        let header = found.header();
        if header.base_offset != *base || found.bytes()[21..] != written.bytes()[21..] {
            return Err(format!("offset {base} holds another batch: {header:?}"));
        }
        found.verify_crc().map_err(|e| format!("offset {base}: {e}"))?;
        offset = header.next_offset();
    }
    if offset != end {
        return Err(format!("batches end at {offset}, the log at {end}"));
    }
    check_time(log, model)?;
    check_producers(log, model)
}

fn read(log: &Log, offset: i64) -> Result<Batch, String> {
    let failed = |e: &dyn std::fmt::Display| format!("cannot read offset {offset}: {e}");
    let slice = match log.read(offset, log.end(), 1, true).map_err(|e| failed(&e))? {
        Read::Empty => return Err(failed(&"nothing there")),
        Read::Memory(slice) => slice,
        Read::Cold(cold) => cold.run(false).map_err(|e| failed(&e))?.unwrap_or_default(),
    };
    let mut bytes = BytesMut::new();
    for segment in slice.segments {
        match segment {
            Segment::Bytes(part) => bytes.extend_from_slice(&part),
            Segment::File(_) => return Err(failed(&"the simulated disk has no files")),
        }
    }
    let bytes: Bytes = bytes.freeze();
    batches(bytes).next().ok_or_else(|| failed(&"no batch"))?.map_err(|e| failed(&e))
}

/// Every record's timestamp is its batch's base offset.
fn check_time(log: &Log, model: &Model) -> Result<(), String> {
    let search = log.time_search();
    for base in model.batches.keys() {
        let found = search.first_at(*base).map_err(|e| e.to_string())?;
        if found.map(|found| found.offset) != Some(*base) {
            return Err(format!("time {base} is found at {found:?}"));
        }
    }
    Ok(())
}

fn check_producers(log: &Log, model: &mut Model) -> Result<(), String> {
    for producer in 0..PRODUCERS {
        let last = model.batches.values().rfind(|b| b.header().producer_id == producer);
        let Some(last) = last else {
            model.sequences[producer as usize] = 0;
            continue;
        };
        model.sequences[producer as usize] = last.header().last_sequence() + 1;
        match log.producers().check(last.header()) {
            Ok(SequenceCheck::Duplicate { .. }) => {}
            other => return Err(format!("the last batch of producer {producer}: {other:?}")),
        }
    }
    Ok(())
}
