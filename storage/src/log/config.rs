use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of recent batches that one partition keeps in memory for its tail readers.
pub const HOT_TAIL_BYTES: usize = 256 * 1024;
/// Bytes of recent batches that all partitions of a process keep together.
pub const HOT_TAIL_TOTAL_BYTES: usize = 32 * 1024 * 1024;

/// A partition's settings; the names are Kafka's topic configs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is closed before it grows past this.
    pub segment_bytes: u32,
    /// `segment.ms`: a segment is closed when its first record is older than this.
    pub segment_ms: i64,
    /// `segment.index.bytes`: a segment is closed when its offset index is this long.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: bytes of log between two index entries.
    pub index_interval_bytes: u32,
    /// `retention.ms`; -1: for ever.
    pub retention_ms: i64,
    /// `retention.bytes`; -1: no limit.
    pub retention_bytes: i64,
    /// Whether `cleanup.policy` holds `delete`: otherwise retention removes nothing.
    pub delete: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: 7 * 24 * 3_600_000,
            retention_bytes: -1,
            delete: true,
        }
    }
}

/// Memory that the hot tails of all partitions share.
#[derive(Debug, Clone)]
pub struct HotBudget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Default for HotBudget {
    fn default() -> Self {
        Self::new(HOT_TAIL_TOTAL_BYTES)
    }
}

impl HotBudget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { used: Arc::default(), limit }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes` if they are left. The limit is soft by what appends at the same moment take.
    pub(super) fn take(&self, bytes: usize) -> bool {
        if self.used() + bytes > self.limit {
            return false;
        }
        self.used.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
