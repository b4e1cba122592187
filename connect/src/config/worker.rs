//! The configuration keys of a worker (Kafka's `WorkerConfig` and `DistributedConfig`).

use std::time::Duration;

use super::def::{ConfigDef, ConfigKey, ConfigType, Importance, Validator};
use super::{Config, ConfigProblem, Parsed};

const OFFSET_FLUSH_INTERVAL_MS: &str = "offset.flush.interval.ms";
const GRACEFUL_TIMEOUT_MS: &str = "task.shutdown.graceful.timeout.ms";
const TOPIC_CREATION: &str = "topic.creation.enable";
const TOPIC_TRACKING: &str = "topic.tracking.enable";
const TOPIC_RESET: &str = "topic.tracking.allow.reset";

/// The keys that this worker knows.
pub fn worker_def() -> ConfigDef {
    let converter = |name, default: &str, doc: &str| {
        ConfigKey::with_default(name, ConfigType::Class, default).doc(Importance::High, doc)
    };
    ConfigDef::new()
        .define(converter(
            super::connector::KEY_CONVERTER,
            "org.apache.kafka.connect.json.JsonConverter",
            "Converter of keys for connectors that name none. Kafka has no default.",
        ))
        .define(converter(
            super::connector::VALUE_CONVERTER,
            "org.apache.kafka.connect.json.JsonConverter",
            "Converter of values for connectors that name none. Kafka has no default.",
        ))
        .define(converter(
            super::connector::HEADER_CONVERTER,
            "org.apache.kafka.connect.storage.SimpleHeaderConverter",
            "Converter of header values for connectors that name none.",
        ))
        .define(
            ConfigKey::with_default(OFFSET_FLUSH_INTERVAL_MS, ConfigType::Long, "1000")
                .doc(
                    Importance::Low,
                    "How often tasks commit offsets, in milliseconds. Kafka's default is 60000; a shorter interval \
                     repeats less after a crash.",
                )
                .check(Validator::at_least(1)),
        )
        .define(
            ConfigKey::with_default(GRACEFUL_TIMEOUT_MS, ConfigType::Long, "5000")
                .doc(
                    Importance::Low,
                    "How long a task may take to stop before it is abandoned, in milliseconds.",
                )
                .check(Validator::at_least(0)),
        )
        .define(ConfigKey::with_default(TOPIC_CREATION, ConfigType::Boolean, "true").doc(
            Importance::Low,
            "Whether sources with topic.creation.default.* make their topics.",
        ))
        .define(ConfigKey::with_default(TOPIC_TRACKING, ConfigType::Boolean, "true").doc(
            Importance::Low,
            "Whether the topics that each connector uses are remembered.",
        ))
        .define(ConfigKey::with_default(TOPIC_RESET, ConfigType::Boolean, "true").doc(
            Importance::Low,
            "Whether a request may make the worker forget them.",
        ))
}

/// A worker's settings that tasks need.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// The configuration as it was given, for the defaults of converters.
    pub properties: Config,
    pub offset_flush_interval: Duration,
    pub graceful_timeout: Duration,
    pub topic_creation: bool,
    pub topic_tracking: bool,
    pub topic_reset: bool,
    parsed: Parsed,
}

impl WorkerSettings {
    /// # Errors
    /// The keys whose values do not work.
    pub fn new(properties: Config) -> Result<WorkerSettings, Vec<ConfigProblem>> {
        let (parsed, problems) = worker_def().parse(&properties);
        if !problems.is_empty() {
            return Err(problems);
        }
        let millis = |key| {
            let millis = parsed.int(key).and_then(|millis| u64::try_from(millis).ok());
            Duration::from_millis(millis.unwrap_or_default())
        };
        Ok(WorkerSettings {
            offset_flush_interval: millis(OFFSET_FLUSH_INTERVAL_MS),
            graceful_timeout: millis(GRACEFUL_TIMEOUT_MS),
            topic_creation: parsed.is_true(TOPIC_CREATION),
            topic_tracking: parsed.is_true(TOPIC_TRACKING),
            topic_reset: parsed.is_true(TOPIC_RESET),
            properties,
            parsed,
        })
    }

    /// The class of a converter that the worker names or has by default.
    pub fn converter_class(&self, key: &str) -> &str {
        self.parsed.text(key).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_problems() {
        let settings = WorkerSettings::new(Config::new()).unwrap();
        assert_eq!(settings.offset_flush_interval, Duration::from_secs(1));
        assert!(settings.converter_class("key.converter").ends_with("JsonConverter"));
        let wrong = Config::from([(OFFSET_FLUSH_INTERVAL_MS.to_owned(), "soon".to_owned())]);
        let problems = WorkerSettings::new(wrong).unwrap_err();
        assert_eq!(problems[0].key, OFFSET_FLUSH_INTERVAL_MS);
    }
}
