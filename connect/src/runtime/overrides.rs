//! The producer and consumer configuration of a task: `producer.override.*` and `consumer.override.*` of the connector,
//! `producer.*` and `consumer.*` of the worker, by Kafka's keys.
//!
//! A key that the client does not have is a problem of the connector's configuration. The worker's are passed over:
//! they may be meant for another program that reads the same file.

use client::{AutoOffsetReset, Compression, ConsumerConfig, Isolation, ProducerConfig};

use crate::config::{Config, ConfigProblem, with_prefix};

const PRODUCER_OVERRIDE: &str = "producer.override.";
const CONSUMER_OVERRIDE: &str = "consumer.override.";

/// The session of a sink task's consumer. Kafka's default is 45 s; after a worker was killed, its successor waits for
/// so long, so it is Connect's own 10 s here.
const SESSION_TIMEOUT_MS: u32 = 10_000;

/// A producer that waits for as long as the cluster is away, as Kafka Connect's do: a broker that is being restarted
/// must not make tasks fail.
pub fn patient_producer() -> ProducerConfig {
    ProducerConfig {
        max_block_ms: i32::MAX.unsigned_abs(),
        delivery_timeout_ms: i32::MAX.unsigned_abs(),
        ..ProducerConfig::default()
    }
}

/// The producer of a source task: acks=all and idempotent whatever is configured.
///
/// # Errors
/// The keys of the connector that do not work.
pub fn producer(worker: &Config, connector: &Config) -> Result<ProducerConfig, Vec<ConfigProblem>> {
    let mut config = patient_producer();
    pass_over(worker, "producer.", |key, value| set_producer(&mut config, key, value));
    apply(connector, PRODUCER_OVERRIDE, |key, value| set_producer(&mut config, key, value))?;
    Ok(config)
}

/// The consumer of a sink task, without its group.
///
/// # Errors
/// The keys of the connector that do not work.
pub fn consumer(worker: &Config, connector: &Config) -> Result<ConsumerConfig, Vec<ConfigProblem>> {
    let mut config = ConsumerConfig {
        auto_offset_reset: AutoOffsetReset::Earliest,
        session_timeout_ms: SESSION_TIMEOUT_MS,
        ..ConsumerConfig::default()
    };
    pass_over(worker, "consumer.", |key, value| set_consumer(&mut config, key, value));
    apply(connector, CONSUMER_OVERRIDE, |key, value| set_consumer(&mut config, key, value))?;
    Ok(config)
}

fn apply(
    config: &Config,
    prefix: &str,
    mut set: impl FnMut(&str, &str) -> Result<(), String>,
) -> Result<(), Vec<ConfigProblem>> {
    let problems: Vec<ConfigProblem> = with_prefix(config, prefix)
        .iter()
        .filter_map(|(key, value)| {
            let message = set(key, value.trim()).err()?;
            Some(ConfigProblem { key: format!("{prefix}{key}"), message })
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn pass_over(config: &Config, prefix: &str, set: impl FnMut(&str, &str) -> Result<(), String>) {
    for problem in apply(config, prefix, set).err().unwrap_or_default() {
        tracing::debug!(key = problem.key, "{}", problem.message);
    }
}

fn number<T: std::str::FromStr>(key: &str, value: &str, into: &mut T) -> Result<(), String> {
    match value.parse() {
        Ok(number) => {
            *into = number;
            Ok(())
        }
        Err(_) => Err(format!("Invalid value {value} for configuration {key}: Not a number")),
    }
}

fn invalid(key: &str, value: &str, known: &str) -> String {
    format!("Invalid value {value} for configuration {key}: String must be one of: {known}")
}

fn set_producer(config: &mut ProducerConfig, key: &str, value: &str) -> Result<(), String> {
    match key {
        "linger.ms" => number(key, value, &mut config.linger_ms),
        "batch.size" => number(key, value, &mut config.batch_size_bytes),
        "buffer.memory" => number(key, value, &mut config.buffer_bytes),
        "max.request.size" => number(key, value, &mut config.max_request_bytes),
        "max.block.ms" => number(key, value, &mut config.max_block_ms),
        "delivery.timeout.ms" => number(key, value, &mut config.delivery_timeout_ms),
        "max.in.flight.requests.per.connection" => number(key, value, &mut config.max_in_flight),
        "compression.type" => {
            config.compression = match value {
                "none" => Compression::None,
                "gzip" => Compression::Gzip,
                "snappy" => Compression::Snappy,
                "lz4" => Compression::Lz4,
                "zstd" => Compression::Zstd,
                _ => return Err(invalid(key, value, "none, gzip, snappy, lz4, zstd")),
            };
            Ok(())
        }
        _ => Err(format!("this worker's producer has no configuration {key}")),
    }
}

fn set_consumer(config: &mut ConsumerConfig, key: &str, value: &str) -> Result<(), String> {
    match key {
        "max.poll.records" => number(key, value, &mut config.max_poll_records),
        "max.poll.interval.ms" => number(key, value, &mut config.max_poll_interval_ms),
        "session.timeout.ms" => number(key, value, &mut config.session_timeout_ms),
        "heartbeat.interval.ms" => number(key, value, &mut config.heartbeat_interval_ms),
        "fetch.max.wait.ms" => number(key, value, &mut config.fetch_max_wait_ms),
        "fetch.min.bytes" => number(key, value, &mut config.fetch_min_bytes),
        "fetch.max.bytes" => number(key, value, &mut config.fetch_max_bytes),
        "max.partition.fetch.bytes" => number(key, value, &mut config.max_partition_fetch_bytes),
        "auto.offset.reset" => {
            config.auto_offset_reset = match value {
                "earliest" => AutoOffsetReset::Earliest,
                "latest" => AutoOffsetReset::Latest,
                "none" => AutoOffsetReset::None,
                _ => return Err(invalid(key, value, "earliest, latest, none")),
            };
            Ok(())
        }
        "isolation.level" => {
            config.isolation = match value {
                "read_uncommitted" => Isolation::ReadUncommitted,
                "read_committed" => Isolation::ReadCommitted,
                _ => return Err(invalid(key, value, "read_uncommitted, read_committed")),
            };
            Ok(())
        }
        _ => Err(format!("this worker's consumer has no configuration {key}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_connector_overrides_the_worker() {
        let worker = config(&[("producer.linger.ms", "7"), ("producer.batch.size", "9")]);
        let connector = config(&[
            ("producer.override.linger.ms", "50"),
            ("producer.override.compression.type", "zstd"),
        ]);
        let producer = producer(&worker, &connector).unwrap();
        assert_eq!((producer.linger_ms, producer.batch_size_bytes), (50, 9));
        assert_eq!(producer.compression, Compression::Zstd);
        let connector = config(&[("consumer.override.isolation.level", "read_committed")]);
        let consumer = consumer(&Config::new(), &connector).unwrap();
        assert_eq!(consumer.isolation, Isolation::ReadCommitted);
        assert_eq!(consumer.auto_offset_reset, AutoOffsetReset::Earliest);
    }

    #[test]
    fn what_does_not_work_is_told_of_a_connector_and_passed_over_of_a_worker() {
        let wrong = config(&[
            ("consumer.override.session.timeout.ms", "soon"),
            ("consumer.override.auto.offset.reset", "middle"),
            ("consumer.override.client.dns", "x"),
        ]);
        let problems = consumer(&Config::new(), &wrong).unwrap_err();
        assert_eq!(problems.len(), 3);
        assert!(problems.iter().all(|problem| wrong.contains_key(&problem.key)));
        assert!(producer(&config(&[("producer.unknown", "x")]), &Config::new()).is_ok());
    }
}
