//! [`ConsumerConfig`].

/// Where to begin when a partition has no position: nothing was committed, or the offset no longer exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoOffsetReset {
    /// At the first offset that exists.
    Earliest,
    /// At the end.
    Latest,
    /// Nowhere: `poll` reports it.
    None,
}

/// Which records of transactions are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// All.
    ReadUncommitted,
    /// Those of committed transactions.
    ReadCommitted,
}

impl Isolation {
    pub(crate) fn code(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

/// How the group's leader spreads partitions over members; both as Kafka's Java consumer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignor {
    /// Topic by topic, contiguous ranges: equal partitions of topics go to the same member.
    Range,
    /// All partitions of all topics in turn.
    RoundRobin,
}

/// Settings of a consumer; the defaults are those of Kafka's Java consumer, but for `auto_commit_interval_ms` (off).
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// The group, for `subscribe` and for committed offsets.
    pub group_id: Option<String>,
    /// A name that survives restarts (static membership, KIP-345).
    pub group_instance_id: Option<String>,
    /// Default [`AutoOffsetReset::Latest`].
    pub auto_offset_reset: AutoOffsetReset,
    /// Default [`Isolation::ReadUncommitted`].
    pub isolation: Isolation,
    /// Default [`Assignor::Range`].
    pub assignor: Assignor,
    /// Most records that one `poll` gives. Default 500.
    pub max_poll_records: usize,
    /// A member that does not poll for this long leaves the group. Default 300 000.
    pub max_poll_interval_ms: u32,
    /// Default 45 000.
    pub session_timeout_ms: u32,
    /// Default 3 000.
    pub heartbeat_interval_ms: u32,
    /// Longest wait of the broker for `fetch_min_bytes`. Default 500.
    pub fetch_max_wait_ms: u32,
    /// The broker answers a fetch when it has so many bytes. Default 1.
    pub fetch_min_bytes: u32,
    /// Most bytes of one fetch. Default 50 MiB.
    pub fetch_max_bytes: u32,
    /// Most bytes of one partition in one fetch; twice as many are kept in memory for it. Default 1 MiB.
    pub max_partition_fetch_bytes: u32,
    /// Commit the positions of what `poll` gave, so often and before partitions are given up. Default `None`: never.
    pub auto_commit_interval_ms: Option<u32>,
    /// Compare each batch's checksum. Default true.
    pub check_crcs: bool,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            group_id: None,
            group_instance_id: None,
            auto_offset_reset: AutoOffsetReset::Latest,
            isolation: Isolation::ReadUncommitted,
            assignor: Assignor::Range,
            max_poll_records: 500,
            max_poll_interval_ms: 300_000,
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 3_000,
            fetch_max_wait_ms: 500,
            fetch_min_bytes: 1,
            fetch_max_bytes: 50 * 1024 * 1024,
            max_partition_fetch_bytes: 1024 * 1024,
            auto_commit_interval_ms: None,
            check_crcs: true,
        }
    }
}
