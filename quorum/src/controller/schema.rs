use std::fmt::Debug;

use protocol::ErrorCode;
use thiserror::Error;

use crate::image::ConfigMap;
use crate::record::ConfigResource;

/// Longest value of a config in bytes (Kafka's limit).
pub(super) const MAX_CONFIG_VALUE_BYTES: usize = 32_767;

/// Which configs there are and what they may be: the broker's table, plugged in.
pub trait ConfigSchema: Send + Sync + Debug {
    /// Checks one key and value.
    ///
    /// # Errors
    /// Unknown key, wrong type, out of range, or not to be changed while running.
    fn check(&self, resource: &ConfigResource, key: &str, value: &str) -> Result<(), ConfigError>;

    /// Checks that a key exists for such a resource and may be changed while running.
    ///
    /// # Errors
    /// Unknown key, or read-only.
    fn check_key(&self, resource: &ConfigResource, key: &str) -> Result<(), ConfigError>;

    /// Checks values against each other.
    ///
    /// # Errors
    /// Two values contradict each other.
    fn check_all(&self, resource: &ConfigResource, configs: &ConfigMap) -> Result<(), ConfigError>;

    /// For a key of type LIST, what holds when nothing is set on the resource; `None` for other types.
    fn list_default(&self, resource: &ConfigResource, key: &str) -> Option<String>;
}

/// Why a config cannot be changed so.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// The table has no such key.
    #[error("Unknown {kind} config name: {key}{}", nearest.map(|n| format!(" (did you mean {n}?)")).unwrap_or_default())]
    Unknown {
        /// `topic`, `broker`, `group`.
        kind: &'static str,
        /// The key.
        key: String,
        /// The key that looks most like it.
        nearest: Option<&'static str>,
    },
    /// Wrong type or out of range.
    #[error("Invalid value {value} for configuration {key}: {reason}")]
    Invalid {
        /// The key.
        key: String,
        /// The value (hidden when the key is sensitive).
        value: String,
        /// What it must be.
        reason: String,
    },
    /// Only settable in the broker's file, before it starts.
    #[error("Cannot update these configs dynamically: {0}")]
    ReadOnly(String),
    /// The request contradicts itself.
    #[error("{0}")]
    Request(String),
    /// The topic does not exist.
    #[error("The topic '{0}' does not exist.")]
    UnknownTopic(String),
    /// The broker is not registered.
    #[error("No broker with id {0} found.")]
    UnknownBroker(i32),
}

impl ConfigError {
    /// Kafka's code for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            ConfigError::Unknown { .. } | ConfigError::Invalid { .. } => ErrorCode::INVALID_CONFIG,
            ConfigError::ReadOnly(_) | ConfigError::Request(_) => ErrorCode::INVALID_REQUEST,
            ConfigError::UnknownTopic(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ConfigError::UnknownBroker(_) => ErrorCode::BROKER_ID_NOT_REGISTERED,
        }
    }
}
