//! The definitions, as Apache Kafka 4.3's `ConfigDef`s have them (its internal configs left out), with its
//! documentation (Apache License 2.0), shortened. Sorted by name within a file.

mod groups;
mod log;
mod network;
mod quorum;
mod remote;
mod security;
mod topic;
mod transactions;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::def::ConfigDef;

const BROKER: [&[ConfigDef]; 7] = [
    groups::CONFIGS,
    log::CONFIGS,
    network::CONFIGS,
    quorum::CONFIGS,
    remote::CONFIGS,
    security::CONFIGS,
    transactions::CONFIGS,
];

static BROKER_BY_NAME: LazyLock<BTreeMap<&'static str, &'static ConfigDef>> =
    LazyLock::new(|| BROKER.iter().flat_map(|t| t.iter()).map(|def| (def.name, def)).collect());

static TOPIC_BY_NAME: LazyLock<BTreeMap<&'static str, &'static ConfigDef>> =
    LazyLock::new(|| topic::CONFIGS.iter().map(|def| (def.name, def)).collect());

/// A broker's config by key.
pub(crate) fn broker_config(key: &str) -> Option<&'static ConfigDef> {
    BROKER_BY_NAME.get(key).copied()
}

/// A topic's config by key.
pub(crate) fn topic_config(key: &str) -> Option<&'static ConfigDef> {
    TOPIC_BY_NAME.get(key).copied()
}

/// All broker configs, by name.
pub(crate) fn broker_configs() -> impl Iterator<Item = &'static ConfigDef> {
    BROKER_BY_NAME.values().copied()
}

/// All topic configs, by name.
pub(crate) fn topic_configs() -> impl Iterator<Item = &'static ConfigDef> {
    TOPIC_BY_NAME.values().copied()
}
