//! Configurations: what keys there are, how their values are read and checked, and how all of it is told over REST.

pub mod connector;
pub mod def;
pub mod info;
pub mod secret;
pub mod value;
pub mod worker;

use std::collections::BTreeMap;

pub use def::{ConfigDef, ConfigKey, ConfigType, Importance, Validator, Width};
pub use info::{ConfigInfos, ConfigKeyInfo, ConfigProblem};
pub use value::{ConfigValue, Parsed};
pub use worker::WorkerSettings;

/// A configuration as it is stored: text by key, in the order of the keys.
pub type Config = BTreeMap<String, String>;

/// The keys of `config` that begin with `prefix`, with the prefix taken off.
pub fn with_prefix(config: &Config, prefix: &str) -> Config {
    config
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())))
        .collect()
}
