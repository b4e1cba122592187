//! One node of the model: a disk, and while it runs a replica on it.

use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::Segment;
use protocol::records::batches;
use replica::{Assignment, Replica, Rules};
use sim::SimDisk;
use storage::log::{FlushPlan, Read};
use storage::{BoundedDisk, Disk, LogConfig, LogDir};

const TOPIC: &str = "t";
const TOPIC_ID: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

/// A record as the model compares it: offset and value.
pub(crate) type Entry = (i64, Bytes);

pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) disk: SimDisk,
    pub(crate) running: Option<Running>,
}

pub(crate) struct Running {
    pub(crate) dir: LogDir,
    pub(crate) replica: Replica,
    /// A flush that has run and is not noted yet.
    pub(crate) flush: Option<FlushPlan>,
}

impl Node {
    pub(crate) fn new(id: i32, seed: u64) -> Self {
        Self {
            id,
            disk: SimDisk::new(seed.wrapping_mul(31).wrapping_add(id as u64)),
            running: None,
        }
    }

    pub(crate) fn start(&mut self, rules: Rules, assignment: Assignment, now_ms: i64) {
        let disk: Arc<dyn Disk> = Arc::new(BoundedDisk::new(Arc::new(self.disk.clone()), 2));
        let dir = LogDir::open(disk, Path::new("/data")).expect("the folder opens");
        let config =
            LogConfig { segment_bytes: 600, index_interval_bytes: 100, ..LogConfig::default() };
        let (log, _) = dir.open_log(TOPIC, 0, TOPIC_ID, config, now_ms).expect("the log opens");
        let high_watermark = dir.high_watermark(TOPIC, 0);
        let replica = Replica::new(self.id, log, rules, assignment, high_watermark, now_ms);
        self.running = Some(Running { dir, replica, flush: None });
    }

    /// The process ends; with `power` whatever was not synced is lost in part.
    pub(crate) fn stop(&mut self, power: bool) {
        self.running = None;
        if power { self.disk.crash() } else { self.disk.kill() }
    }
}

impl Running {
    pub(crate) fn checkpoint(&self) {
        let log = self.replica.log();
        let name = (TOPIC.to_owned(), 0);
        self.dir
            .write_checkpoints([(name.clone(), log.recovery_point(), log.start_offset())])
            .expect("checkpoints are written");
        self.dir
            .write_high_watermarks([(name, self.replica.high_watermark().offset)])
            .expect("checkpoints are written");
    }

    /// Whole batches from `offset` on.
    pub(crate) fn read(&self, offset: i64, max_bytes: usize) -> Bytes {
        let range = replica::ReadRange { offset, max_bytes, min_one: true };
        let slice = match self.replica.read_all(&range).expect("the offset is in range") {
            Read::Empty => return Bytes::new(),
            Read::Memory(slice) => slice,
            Read::Cold(cold) => cold.run(false).expect("the log is read").expect("it may block"),
        };
        let mut out = BytesMut::new();
        for piece in &slice.segments {
            match piece {
                Segment::Bytes(bytes) => out.extend_from_slice(bytes),
                Segment::File(_) => unreachable!("the simulated disk has no descriptors"),
            }
        }
        out.freeze()
    }

    /// Everything in `[from, to)`.
    pub(crate) fn entries(&self, from: i64, to: i64) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut offset = from;
        while offset < to {
            let bytes = self.read(offset, 4_000);
            assert!(!bytes.is_empty(), "nothing at {offset} before {to}");
            for batch in batches(bytes) {
                let batch = batch.expect("a batch");
                batch.verify_crc().expect("its own bytes");
                for record in batch.records().expect("records") {
                    let record = record.expect("a record");
                    if (from..to).contains(&record.offset) && record.offset >= offset {
                        entries.push((record.offset, record.value.unwrap_or_default()));
                    }
                }
                offset = batch.header().next_offset();
            }
        }
        entries
    }
}
