//! The configuration keys that every connector has, beside its own (Kafka's `ConnectorConfig`).

use super::def::{ConfigDef, ConfigKey, ConfigType, Importance, Validator, Width};

pub const NAME: &str = "name";
pub const CONNECTOR_CLASS: &str = "connector.class";
pub const TASKS_MAX: &str = "tasks.max";
pub const KEY_CONVERTER: &str = "key.converter";
pub const VALUE_CONVERTER: &str = "value.converter";
pub const HEADER_CONVERTER: &str = "header.converter";
pub const TRANSFORMS: &str = "transforms";
pub const PREDICATES: &str = "predicates";
pub const ERRORS_TOLERANCE: &str = "errors.tolerance";
pub const ERRORS_RETRY_TIMEOUT: &str = "errors.retry.timeout";
pub const ERRORS_RETRY_DELAY_MAX_MS: &str = "errors.retry.delay.max.ms";
pub const ERRORS_LOG_ENABLE: &str = "errors.log.enable";
pub const ERRORS_LOG_INCLUDE_MESSAGES: &str = "errors.log.include.messages";
pub const TOPICS: &str = "topics";
pub const DLQ_TOPIC: &str = "errors.deadletterqueue.topic.name";
pub const DLQ_REPLICATION_FACTOR: &str = "errors.deadletterqueue.topic.replication.factor";
pub const DLQ_CONTEXT_HEADERS: &str = "errors.deadletterqueue.context.headers.enable";
pub const TOPIC_CREATION_PARTITIONS: &str = "topic.creation.default.partitions";
pub const TOPIC_CREATION_REPLICATION: &str = "topic.creation.default.replication.factor";
/// What begins with this is a configuration of the topics that a source makes.
pub const TOPIC_CREATION_DEFAULT_PREFIX: &str = "topic.creation.default.";

/// Most tasks of one connector, a bound on what one request can make a worker start.
pub const MAX_TASKS: i64 = 1000;

const COMMON: &str = "Common";
const TRANSFORMS_GROUP: &str = "Transforms";
const PREDICATES_GROUP: &str = "Predicates";
const ERRORS: &str = "Error Handling";
const TOPIC_CREATION: &str = "Topic Creation";

/// The keys of sources.
pub fn source_def() -> ConfigDef {
    common_def()
        .define(
            ConfigKey::optional(TOPIC_CREATION_PARTITIONS, ConfigType::Int)
                .doc(
                    Importance::Low,
                    "Partitions of the topics that this connector makes; -1 is the broker's default. When neither \
                     this nor the replication factor is given, the broker's automatic creation decides.",
                )
                .check(Validator::at_least(-1))
                .show(TOPIC_CREATION, 1, Width::Short, "Partitions"),
        )
        .define(
            ConfigKey::optional(TOPIC_CREATION_REPLICATION, ConfigType::Short)
                .doc(
                    Importance::Low,
                    "Replicas of the topics that this connector makes; -1 is the broker's default.",
                )
                .check(Validator::at_least(-1))
                .show(TOPIC_CREATION, 2, Width::Short, "Replication factor"),
        )
        .define(
            ConfigKey::with_default("exactly.once.support", ConfigType::String, "requested")
                .doc(
                    Importance::Medium,
                    "Whether the connector must run exactly once. This worker delivers at least once, so \
                     'required' is refused.",
                )
                .check(Validator::Custom(|text| match text {
                    "requested" => Ok(()),
                    "required" => {
                        Err("this worker has no exactly-once sources; use 'requested'".to_owned())
                    }
                    _ => Err("String must be one of: required, requested".to_owned()),
                })),
        )
}

/// The keys of sinks.
pub fn sink_def() -> ConfigDef {
    common_def()
        .define(
            ConfigKey::required(TOPICS, ConfigType::List)
                .doc(Importance::High, "Topics to read, separated by commas.")
                .check(Validator::NonEmpty)
                .show(COMMON, 4, Width::Long, "Topics"),
        )
        .define(
            ConfigKey::optional("topics.regex", ConfigType::String)
                .doc(
                    Importance::High,
                    "A regular expression of topics to read. This worker does not have it yet.",
                )
                .check(Validator::Custom(|_| {
                    Err("this worker cannot subscribe by pattern; list the topics in 'topics'"
                        .to_owned())
                }))
                .show(COMMON, 4, Width::Long, "Topics regex"),
        )
        .define(
            ConfigKey::with_default(DLQ_TOPIC, ConfigType::String, "")
                .doc(
                    Importance::Medium,
                    "The topic that takes the records which cannot be handled, when errors are tolerated. Empty: \
                     they are dropped.",
                )
                .show(ERRORS, 6, Width::Medium, "Dead Letter Queue Topic Name"),
        )
        .define(
            ConfigKey::with_default(DLQ_REPLICATION_FACTOR, ConfigType::Short, "-1")
                .doc(
                    Importance::Medium,
                    "Replicas of the dead letter topic when it does not exist yet; -1 is the broker's default (Kafka's \
                     default here is 3, which one broker cannot make).",
                )
                .check(Validator::at_least(-1))
                .show(ERRORS, 7, Width::Medium, "Dead Letter Queue Topic Replication Factor"),
        )
        .define(
            ConfigKey::with_default(DLQ_CONTEXT_HEADERS, ConfigType::Boolean, "false")
                .doc(
                    Importance::Medium,
                    "Whether dead letters carry headers that tell where the record came from and what went wrong.",
                )
                .show(ERRORS, 8, Width::Medium, "Enable Error Context Headers"),
        )
}

fn common_def() -> ConfigDef {
    identity_def().extend(not_yet_def()).extend(errors_def())
}

fn identity_def() -> ConfigDef {
    let converter = |name: &str, order: i32, shown: &str| {
        ConfigKey::optional(name, ConfigType::Class)
            .doc(
                Importance::Low,
                format!("{shown} of this connector; without it, that of the worker is used."),
            )
            .show(COMMON, order, Width::Short, shown)
    };
    ConfigDef::new()
        .define(
            ConfigKey::required(NAME, ConfigType::String)
                .doc(Importance::High, "Globally unique name to use for this connector.")
                .check(Validator::Custom(check_name))
                .show(COMMON, 1, Width::Medium, "Connector name"),
        )
        .define(
            ConfigKey::required(CONNECTOR_CLASS, ConfigType::String)
                .doc(
                    Importance::High,
                    "Name or alias of the class for this connector, for example FileStreamSource or \
                     org.apache.kafka.connect.file.FileStreamSourceConnector.",
                )
                .show(COMMON, 2, Width::Long, "Connector class"),
        )
        .define(
            ConfigKey::with_default(TASKS_MAX, ConfigType::Int, "1")
                .doc(Importance::High, "Maximum number of tasks to use for this connector.")
                .check(Validator::Range { min: Some(1), max: Some(MAX_TASKS) })
                .show(COMMON, 3, Width::Short, "Tasks max"),
        )
        .define(
            ConfigKey::with_default("tasks.max.enforce", ConfigType::Boolean, "true")
                .doc(Importance::Low, "Deprecated. The number of tasks never exceeds tasks.max.")
                .show(COMMON, 4, Width::Short, "Enforce tasks max"),
        )
        .define(converter(KEY_CONVERTER, 5, "Key converter class"))
        .define(converter(VALUE_CONVERTER, 6, "Value converter class"))
        .define(converter(HEADER_CONVERTER, 7, "Header converter class"))
}

/// Keys of Kafka's that this worker knows and does not have: a value other than the empty one is refused.
fn not_yet_def() -> ConfigDef {
    fn none(_: &str) -> Result<(), String> {
        Err("this worker has no transformations and predicates yet; remove the key".to_owned())
    }
    fn empty_or(text: &str) -> Result<(), String> {
        if text.is_empty() { Ok(()) } else { none(text) }
    }
    ConfigDef::new()
        .define(
            ConfigKey::with_default(TRANSFORMS, ConfigType::List, "")
                .doc(Importance::Low, "Aliases for the transformations to be applied to records.")
                .check(Validator::Custom(empty_or))
                .show(TRANSFORMS_GROUP, 1, Width::Long, "Transforms"),
        )
        .define(
            ConfigKey::with_default(PREDICATES, ConfigType::List, "")
                .doc(Importance::Low, "Aliases for the predicates used by transformations.")
                .check(Validator::Custom(empty_or))
                .show(PREDICATES_GROUP, 1, Width::Long, "Predicates"),
        )
        .define(
            ConfigKey::with_default("config.action.reload", ConfigType::String, "restart")
                .doc(
                    Importance::Low,
                    "What to do when a value of an external configuration provider changes.",
                )
                .check(Validator::OneOf(&["none", "restart"]))
                .show(COMMON, 8, Width::Medium, "Reload Action"),
        )
}

fn errors_def() -> ConfigDef {
    ConfigDef::new()
        .define(
            ConfigKey::with_default(ERRORS_RETRY_TIMEOUT, ConfigType::Long, "0")
                .doc(
                    Importance::Medium,
                    "How long an operation that failed is tried again, in milliseconds; 0 is not at all and -1 is \
                     without end.",
                )
                .check(Validator::at_least(-1))
                .show(ERRORS, 1, Width::Medium, "Retry Timeout for Errors"),
        )
        .define(
            ConfigKey::with_default(ERRORS_RETRY_DELAY_MAX_MS, ConfigType::Long, "60000")
                .doc(
                    Importance::Medium,
                    "Longest time between two attempts, in milliseconds. The first is 300 ms and each next twice \
                     the last.",
                )
                .check(Validator::at_least(1))
                .show(ERRORS, 2, Width::Medium, "Maximum Delay Between Retries for Errors"),
        )
        .define(
            ConfigKey::with_default(ERRORS_TOLERANCE, ConfigType::String, "none")
                .doc(
                    Importance::Medium,
                    "'none': a record that cannot be handled makes its task FAILED. 'all': it is skipped.",
                )
                .check(Validator::OneOf(&["none", "all"]))
                .show(ERRORS, 3, Width::Short, "Error Tolerance"),
        )
        .define(
            ConfigKey::with_default(ERRORS_LOG_ENABLE, ConfigType::Boolean, "false")
                .doc(
                    Importance::Medium,
                    "Whether errors that are tolerated are logged as well.",
                )
                .show(ERRORS, 4, Width::Short, "Log Errors"),
        )
        .define(
            ConfigKey::with_default(ERRORS_LOG_INCLUDE_MESSAGES, ConfigType::Boolean, "false")
                .doc(
                    Importance::Medium,
                    "Whether that log tells the topic, partition, offset and timestamp of the record.",
                )
                .show(ERRORS, 5, Width::Short, "Log Error Details"),
        )
}

/// Longest name of a connector: it is part of keys, of a consumer group and of URLs.
const MAX_NAME_BYTES: usize = 200;

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("String may not be empty".to_owned());
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(format!("String may not be longer than {MAX_NAME_BYTES} bytes"));
    }
    if name.chars().any(char::is_control) {
        return Err("String may not contain control sequences".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn problems(def: &ConfigDef, pairs: &[(&str, &str)]) -> Vec<String> {
        let config: Config =
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        def.parse(&config).1.into_iter().map(|p| p.key).collect()
    }

    #[test]
    fn a_minimal_source_and_sink_are_fine() {
        let base = [(NAME, "a"), (CONNECTOR_CLASS, "FileStreamSource")];
        assert!(problems(&source_def(), &base).is_empty());
        assert_eq!(problems(&sink_def(), &base), [TOPICS]);
    }

    #[test]
    fn what_this_worker_cannot_do_is_refused() {
        let base = [
            (NAME, "a\nb"),
            (CONNECTOR_CLASS, "X"),
            (TRANSFORMS, "cast"),
            ("exactly.once.support", "required"),
        ];
        assert_eq!(problems(&source_def(), &base), [NAME, TRANSFORMS, "exactly.once.support"]);
    }
}
