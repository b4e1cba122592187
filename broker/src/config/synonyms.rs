//! Which broker configs say what holds for topics that do not say it themselves.

/// From the unit of a broker config to that of the topic config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Same,
    Minutes,
    Hours,
}

use Unit::{Hours, Minutes, Same};

/// Topic config → broker configs, the first that is set wins.
const TOPIC: &[(&str, &[(&str, Unit)])] = &[
    ("cleanup.policy", &[("log.cleanup.policy", Same)]),
    ("compression.gzip.level", &[("compression.gzip.level", Same)]),
    ("compression.lz4.level", &[("compression.lz4.level", Same)]),
    ("compression.type", &[("compression.type", Same)]),
    ("compression.zstd.level", &[("compression.zstd.level", Same)]),
    ("delete.retention.ms", &[("log.cleaner.delete.retention.ms", Same)]),
    ("file.delete.delay.ms", &[("log.segment.delete.delay.ms", Same)]),
    ("flush.messages", &[("log.flush.interval.messages", Same)]),
    ("flush.ms", &[("log.flush.interval.ms", Same), ("log.flush.scheduler.interval.ms", Same)]),
    ("index.interval.bytes", &[("log.index.interval.bytes", Same)]),
    ("local.retention.bytes", &[("log.local.retention.bytes", Same)]),
    ("local.retention.ms", &[("log.local.retention.ms", Same)]),
    ("max.compaction.lag.ms", &[("log.cleaner.max.compaction.lag.ms", Same)]),
    ("max.message.bytes", &[("message.max.bytes", Same)]),
    ("message.timestamp.after.max.ms", &[("log.message.timestamp.after.max.ms", Same)]),
    ("message.timestamp.before.max.ms", &[("log.message.timestamp.before.max.ms", Same)]),
    ("message.timestamp.type", &[("log.message.timestamp.type", Same)]),
    ("min.cleanable.dirty.ratio", &[("log.cleaner.min.cleanable.ratio", Same)]),
    ("min.compaction.lag.ms", &[("log.cleaner.min.compaction.lag.ms", Same)]),
    ("min.insync.replicas", &[("min.insync.replicas", Same)]),
    ("preallocate", &[("log.preallocate", Same)]),
    ("retention.bytes", &[("log.retention.bytes", Same)]),
    (
        "retention.ms",
        &[
            ("log.retention.ms", Same),
            ("log.retention.minutes", Minutes),
            ("log.retention.hours", Hours),
        ],
    ),
    ("segment.bytes", &[("log.segment.bytes", Same)]),
    ("segment.index.bytes", &[("log.index.size.max.bytes", Same)]),
    ("segment.jitter.ms", &[("log.roll.jitter.ms", Same), ("log.roll.jitter.hours", Hours)]),
    ("segment.ms", &[("log.roll.ms", Same), ("log.roll.hours", Hours)]),
    ("unclean.leader.election.enable", &[("unclean.leader.election.enable", Same)]),
];

/// Broker configs that say the same in another unit.
const BROKER: &[&[&str]] = &[
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
];

/// Broker configs behind a topic config, in the order in which they count.
pub(super) fn of_topic(key: &str) -> &'static [(&'static str, Unit)] {
    TOPIC.iter().find(|(topic, _)| *topic == key).map_or(&[], |(_, brokers)| brokers)
}

/// Other broker configs that hold when this one is not set.
pub(super) fn of_broker(key: &str) -> &'static [&'static str] {
    let after = |group: &&'static [&'static str]| {
        let at = group.iter().position(|name| *name == key)?;
        group.get(at + 1..)
    };
    BROKER.iter().find_map(after).unwrap_or(&[])
}

impl Unit {
    /// A broker config's value in the topic config's unit; negative values (no limit) stay.
    pub(super) fn convert(self, value: &str) -> String {
        let factor = match self {
            Same => return value.to_owned(),
            Minutes => 60_000,
            Hours => 3_600_000,
        };
        match value.trim().parse::<i64>() {
            Ok(n) if n >= 0 => n.saturating_mul(factor).to_string(),
            _ => value.to_owned(),
        }
    }
}
