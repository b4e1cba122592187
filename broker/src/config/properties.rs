//! What a broker's properties file may say.

use std::collections::BTreeMap;

use thiserror::Error;

use super::nearest::nearest;
use super::support;
use super::table::{broker_config, broker_configs};

/// Configs of one listener: `listener.name.<listener>.<config>`.
const LISTENER_PREFIX: &str = "listener.name.";

/// What is wrong with a broker's properties: every fault, not only the first.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{}", .0.join("; "))]
pub struct PropertiesError(pub Vec<String>);

/// Checks a broker's properties.
///
/// # Errors
/// Unknown keys (with the nearest one that exists) and values that are not allowed.
pub(super) fn check(properties: &BTreeMap<String, String>) -> Result<(), PropertiesError> {
    let faults: Vec<String> =
        properties.iter().filter_map(|(key, value)| fault(key, value)).collect();
    if faults.is_empty() { Ok(()) } else { Err(PropertiesError(faults)) }
}

/// Says in the broker's log which properties change nothing: a security setting must not seem to work.
pub(super) fn warn_without_effect(properties: &BTreeMap<String, String>) {
    for key in properties.keys().filter(|key| !support::has_effect(key)) {
        tracing::warn!(key, "this property is known but has no effect yet");
    }
}

fn fault(key: &str, value: &str) -> Option<String> {
    let name = match key.strip_prefix(LISTENER_PREFIX).and_then(|rest| rest.split_once('.')) {
        Some((_, config)) => config,
        None => key,
    };
    let Some(def) = broker_config(name) else {
        let names = broker_configs().map(|def| def.name);
        let hint = nearest(name, names).map_or_else(
            || "the configs of a broker are listed in docs/reference/config.md".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return Some(format!("unknown broker property `{key}`: {hint}"));
    };
    let shown = if def.is_sensitive() { "[hidden]" } else { value };
    def.check(value).err().map(|why| format!("broker property `{key}={shown}`: {why}"))
}
