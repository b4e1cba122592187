use protocol::records::{Compression, TimestampType};
use storage::LogConfig;

use super::state::CommitRules;

/// A topic's configs as its partitions need them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicSettings {
    pub(crate) log: LogConfig,
    /// `max.message.bytes`: of a batch as sent (compressed).
    pub(crate) max_message_bytes: usize,
    /// `message.timestamp.type`.
    pub(crate) timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub(crate) timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub(crate) timestamp_after_max_ms: i64,
    /// `compression.type`; `None` is `producer`.
    pub(crate) compression: Option<Compression>,
    /// `cleanup.policy` holds `compact`: records need keys.
    pub(crate) compacted: bool,
    pub(crate) rules: CommitRules,
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self {
            log: LogConfig::default(),
            max_message_bytes: 1_048_588,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            compression: None,
            compacted: false,
            rules: CommitRules { min_insync_replicas: 1, flush_before_ack: true },
        }
    }
}
