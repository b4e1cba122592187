//! Which configs do something here. Kafka's other configs are accepted (so that an existing file and existing tools
//! work), shown by DescribeConfigs, and named in the broker's log when a properties file sets them.

/// Broker configs with an effect. A config gets here in the commit that makes it work.
const BROKER: &[&str] = &[
    "auto.create.topics.enable",
    "auto.leader.rebalance.enable",
    "broker.heartbeat.interval.ms",
    "broker.rack",
    "broker.session.timeout.ms",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.election.timeout.ms",
    "controller.quorum.fetch.timeout.ms",
    "controller.quorum.request.timeout.ms",
    "controller.quorum.voters",
    "default.replication.factor",
    "delete.topic.enable",
    "follower.replication.throttled.rate",
    "group.initial.rebalance.delay.ms",
    "group.max.session.timeout.ms",
    "group.max.size",
    "group.min.session.timeout.ms",
    "leader.imbalance.check.interval.seconds",
    "leader.replication.throttled.rate",
    "num.partitions",
    "num.replica.fetchers",
    "offset.metadata.max.bytes",
    "offsets.retention.check.interval.ms",
    "offsets.retention.minutes",
    "offsets.topic.num.partitions",
    "offsets.topic.replication.factor",
    "offsets.topic.segment.bytes",
    "process.roles",
    "reassignment.replication.throttled.rate",
    "replica.fetch.backoff.ms",
    "replica.fetch.max.bytes",
    "replica.fetch.min.bytes",
    "replica.fetch.response.max.bytes",
    "replica.fetch.wait.max.ms",
    "replica.high.watermark.checkpoint.interval.ms",
    "replica.lag.time.max.ms",
    "replica.selector.class",
    "replica.socket.timeout.ms",
    "unclean.leader.election.enable",
];

/// Whether setting a broker config changes what the broker does.
pub(super) fn has_effect(key: &str) -> bool {
    BROKER.contains(&key) || FROM_LOG.contains(&key)
}

/// Whether setting a topic config changes what the broker does.
pub(super) fn topic_has_effect(key: &str) -> bool {
    TOPIC.contains(&key)
}

/// Broker configs that the partitions' logs read.
const FROM_LOG: &[&str] = &[
    "compression.type",
    "connections.max.idle.ms",
    "log.cleanup.policy",
    "log.flush.before.ack",
    "log.flush.offset.checkpoint.interval.ms",
    "log.index.interval.bytes",
    "log.index.size.max.bytes",
    "log.message.timestamp.after.max.ms",
    "log.message.timestamp.before.max.ms",
    "log.message.timestamp.type",
    "log.retention.bytes",
    "log.retention.check.interval.ms",
    "log.retention.hours",
    "log.retention.minutes",
    "log.retention.ms",
    "log.roll.hours",
    "log.roll.ms",
    "log.segment.bytes",
    "message.max.bytes",
    "min.insync.replicas",
    "producer.id.expiration.ms",
    "socket.request.max.bytes",
];

/// Topic configs that the partitions' logs read.
const TOPIC: &[&str] = &[
    "cleanup.policy",
    "compression.type",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "max.message.bytes",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.type",
    "min.insync.replicas",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.index.bytes",
    "segment.ms",
    "unclean.leader.election.enable",
];

#[cfg(test)]
mod tests {
    use super::super::table::{broker_config, topic_config};
    use super::*;

    #[test]
    fn only_configs_that_exist_are_named() {
        for key in BROKER.iter().chain(FROM_LOG) {
            assert!(broker_config(key).is_some(), "{key}");
        }
        for key in TOPIC {
            assert!(topic_config(key).is_some(), "{key}");
        }
    }
}
