//! A partition's log through crashes.
//!
//! Random appends, flushes, checkpoints, clean stops and crashes; after each the log is opened anew and compared with what was
//! written. The rules:
//! - every record before the last flush's end is there, byte for byte;
//! - what is there beyond it is a prefix of what was appended: one value an offset, no gap, no garbage;
//! - the log goes on at its end.

use std::path::Path;
use std::sync::Arc;

use protocol::Segment;
use protocol::records::{Batch, BatchBuilder, Compression, batches};
use storage::log::Read;
use storage::{BoundedDisk, Disk, Log, LogConfig, LogDir};

use crate::disk::{SimDisk, data_dir};
use crate::{Planted, Violation};

/// What a run did, so that a test can see that it did something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Crashes survived.
    pub crashes: u32,
    /// Clean stops.
    pub stops: u32,
    /// Records that were durable at some crash.
    pub durable_records: u64,
    /// Appended records that were lost because they were never acknowledged.
    pub unacknowledged_lost: u64,
}

const TOPIC: &str = "t";
const TOPIC_ID: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

/// Small, so that short runs have many segments and index entries.
fn config() -> LogConfig {
    LogConfig { segment_bytes: 4_000, index_interval_bytes: 256, ..LogConfig::default() }
}

/// Runs the scenario for `steps` random steps.
///
/// # Errors
/// The first broken rule.
pub fn run(seed: u64, steps: u32, planted: Option<Planted>) -> Result<Report, Violation> {
    let mut run = Run::new(seed, planted)?;
    for step in 0..steps {
        run.step = step;
        run.random_step()?;
    }
    run.crash()?;
    Ok(run.report)
}

struct Run {
    seed: u64,
    step: u32,
    planted: Option<Planted>,
    random: fastrand::Rng,
    disk: SimDisk,
    dir: LogDir,
    log: Log,
    /// The value at each offset, as appended.
    values: Vec<Vec<u8>>,
    /// Offsets below are acknowledged.
    acknowledged: usize,
    report: Report,
}

impl Run {
    fn new(seed: u64, planted: Option<Planted>) -> Result<Self, Violation> {
        let disk = SimDisk::new(seed);
        if planted == Some(Planted::SyncDoesNothing) {
            disk.break_sync();
        }
        let (dir, log) = open(&disk).map_err(|what| Violation { seed, step: 0, what })?;
        Ok(Self {
            seed,
            step: 0,
            planted,
            random: fastrand::Rng::with_seed(seed ^ 0x5eed),
            disk,
            dir,
            log,
            values: Vec::new(),
            acknowledged: 0,
            report: Report::default(),
        })
    }

    fn violation(&self, what: impl Into<String>) -> Violation {
        Violation { seed: self.seed, step: self.step, what: what.into() }
    }

    fn random_step(&mut self) -> Result<(), Violation> {
        match self.random.u8(..100) {
            0..70 => self.append(),
            70..88 => self.flush(),
            88..93 => self.checkpoint(),
            93..95 => self.stop(),
            _ => self.crash(),
        }
    }

    fn append(&mut self) -> Result<(), Violation> {
        let count = self.random.usize(1..8);
        let codec = [Compression::None, Compression::Lz4][self.random.usize(..2)];
        let mut batch = BatchBuilder::new(codec);
        for _ in 0..count {
            let len = self.random.usize(..300);
            let value: Vec<u8> = (0..len).map(|_| self.random.u8(..)).collect();
            batch
                .append(i64::from(self.step), None, Some(&value), &[])
                .map_err(|error| self.violation(error.to_string()))?;
            self.values.push(value);
        }
        let batch = batch.build().map_err(|error| self.violation(error.to_string()))?;
        let batch = Batch::parse(&batch).map_err(|error| self.violation(error.to_string()))?;
        let now_ms = i64::from(self.step);
        let appended = self
            .log
            .append(&batch, 0, None, now_ms)
            .map_err(|error| self.violation(format!("append failed: {error}")))?;
        if appended.last_offset + 1 != self.values.len() as i64 {
            return Err(self.violation(format!("appended up to {}", appended.last_offset)));
        }
        if self.planted == Some(Planted::AcknowledgeBeforeSync) {
            self.acknowledged = self.values.len();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Violation> {
        self.log.flush().map_err(|error| self.violation(format!("flush failed: {error}")))?;
        self.acknowledged = self.values.len();
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), Violation> {
        let offsets = (self.log.recovery_point(), self.log.start_offset());
        let entry = ((TOPIC.to_owned(), 0), offsets.0, offsets.1);
        self.dir
            .write_checkpoints([entry])
            .map_err(|error| self.violation(format!("checkpoint failed: {error}")))
    }

    fn crash(&mut self) -> Result<(), Violation> {
        self.disk.crash();
        let (dir, log) = open(&self.disk).map_err(|what| self.violation(what))?;
        (self.dir, self.log) = (dir, log);
        self.check()?;
        self.report.crashes += 1;
        self.report.durable_records += self.acknowledged as u64;
        let survived = self.log.end_offset() as usize;
        self.report.unacknowledged_lost += (self.values.len() - survived) as u64;
        self.values.truncate(survived);
        // Recovery read it; whether it is durable is not known before the next flush.
        self.acknowledged = self.acknowledged.min(survived);
        Ok(())
    }

    /// Stops as a process does that is told to, and starts again.
    fn stop(&mut self) -> Result<(), Violation> {
        self.log.close().map_err(|error| self.violation(format!("close failed: {error}")))?;
        self.acknowledged = self.values.len();
        self.checkpoint()?;
        self.dir
            .mark_clean(0)
            .map_err(|error| self.violation(format!("the last words failed: {error}")))?;
        self.dir.release();
        let (dir, log) = open(&self.disk).map_err(|what| self.violation(what))?;
        (self.dir, self.log) = (dir, log);
        self.report.stops += 1;
        self.check()
    }

    fn check(&self) -> Result<(), Violation> {
        let end = self.log.end_offset() as usize;
        if end < self.acknowledged {
            let lost = self.acknowledged - end;
            return Err(self.violation(format!("{lost} acknowledged records are lost")));
        }
        if end > self.values.len() {
            return Err(self.violation(format!("offset {end} was never written")));
        }
        let mut offset = 0;
        while offset < end {
            let bytes = self.read(offset)?;
            for batch in batches(bytes) {
                let batch = batch.map_err(|error| self.violation(error.to_string()))?;
                batch.verify_crc().map_err(|error| self.violation(error.to_string()))?;
                let records = batch.records().map_err(|error| self.violation(error.to_string()))?;
                for record in records {
                    let record = record.map_err(|error| self.violation(error.to_string()))?;
                    let at = record.offset as usize;
                    let expected = self.values.get(at).map(Vec::as_slice);
                    if record.value.as_deref() != expected {
                        return Err(self.violation(format!("offset {at} holds another value")));
                    }
                }
                let next = batch.header().next_offset() as usize;
                if next <= offset {
                    return Err(self.violation(format!("reading stands still at {offset}")));
                }
                offset = next;
            }
        }
        Ok(())
    }

    /// Batches from `offset` on.
    fn read(&self, offset: usize) -> Result<bytes::Bytes, Violation> {
        let wrong =
            |error: &dyn std::fmt::Display| self.violation(format!("read {offset}: {error}"));
        let read = self
            .log
            .read(offset as i64, self.log.end(), 2_000, true)
            .map_err(|error| wrong(&error))?;
        let slice = match read {
            Read::Memory(slice) => slice,
            Read::Cold(cold) => {
                cold.run(false).map_err(|error| wrong(&error))?.ok_or_else(|| wrong(&"nothing"))?
            }
            Read::Empty => return Err(wrong(&"nothing")),
        };
        let mut bytes = bytes::BytesMut::new();
        for segment in &slice.segments {
            match segment {
                Segment::Bytes(part) => bytes.extend_from_slice(part),
                Segment::File(_) => return Err(wrong(&"a simulated disk has no files to send")),
            }
        }
        if bytes.is_empty() { Err(wrong(&"an empty slice")) } else { Ok(bytes.freeze()) }
    }
}

fn open(disk: &SimDisk) -> Result<(LogDir, Log), String> {
    // One file: each segment that is looked at closes another.
    let shared: Arc<dyn Disk> = Arc::new(BoundedDisk::new(Arc::new(disk.clone()), 1));
    let path = data_dir();
    let dir = LogDir::open(shared, Path::new(&path)).map_err(|error| error.to_string())?;
    let (log, _) =
        dir.open_log(TOPIC, 0, TOPIC_ID, config(), 0).map_err(|error| error.to_string())?;
    Ok((dir, log))
}
