use protocol::records::{Compression, TimestampType};
use quorum::MetadataImage;
use quorum::image::TopicImage;
use replica::Rules;
use storage::LogConfig;

use crate::config::Configs;
use crate::throttle::ThrottledReplicas;

/// Least `segment.bytes` that is kept to: smaller ones would make a file for every few batches.
const MIN_SEGMENT_BYTES: i64 = 1024;
/// A position in a segment is a 31-bit number in its index.
const MAX_SEGMENT_BYTES: i64 = i32::MAX as i64;

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
    pub(crate) rules: Rules,
    /// `leader.replication.throttled.replicas`.
    pub(crate) throttled_leaders: ThrottledReplicas,
    /// `follower.replication.throttled.replicas`.
    pub(crate) throttled_followers: ThrottledReplicas,
}

impl TopicSettings {
    /// What holds for a topic as of `image`. Values were checked when they were set; numbers are kept in the range that
    /// a log can use all the same.
    pub(crate) fn of(configs: &Configs, image: &MetadataImage, topic: &TopicImage) -> Self {
        let long = |key: &str| configs.topic_long(image, topic, key);
        let text = |key: &str| configs.topic(image, topic, key);
        let policy = text("cleanup.policy");
        let has_policy = |wanted: &str| policy.split(',').any(|item| item.trim() == wanted);
        let timestamp_type = match text("message.timestamp.type").as_str() {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        };
        Self {
            log: LogConfig {
                segment_bytes: long("segment.bytes").clamp(MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES)
                    as u32,
                segment_ms: long("segment.ms").max(1),
                segment_index_bytes: long("segment.index.bytes").clamp(8, MAX_SEGMENT_BYTES) as u32,
                index_interval_bytes: long("index.interval.bytes").clamp(0, MAX_SEGMENT_BYTES)
                    as u32,
                retention_ms: long("retention.ms"),
                retention_bytes: long("retention.bytes"),
                delete: has_policy("delete"),
            },
            max_message_bytes: usize::try_from(long("max.message.bytes")).unwrap_or(0),
            timestamp_type,
            timestamp_before_max_ms: long("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: long("message.timestamp.after.max.ms"),
            compression: Compression::from_name(&text("compression.type")),
            compacted: has_policy("compact"),
            throttled_leaders: ThrottledReplicas::parse(&text(
                "leader.replication.throttled.replicas",
            )),
            throttled_followers: ThrottledReplicas::parse(&text(
                "follower.replication.throttled.replicas",
            )),
            rules: Rules {
                min_insync_replicas: usize::try_from(long("min.insync.replicas")).unwrap_or(1),
                flush_before_ack: configs.broker_bool(image, "log.flush.before.ack"),
                max_lag_ms: configs.static_long("replica.lag.time.max.ms"),
                compacted: has_policy("compact"),
            },
        }
    }
}

#[cfg(test)]
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
            throttled_leaders: ThrottledReplicas::parse(""),
            throttled_followers: ThrottledReplicas::parse(""),
            rules: Rules {
                min_insync_replicas: 1,
                flush_before_ack: true,
                max_lag_ms: 30_000,
                compacted: false,
            },
        }
    }
}
