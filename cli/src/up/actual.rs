//! What there is, as last seen.

use std::collections::BTreeMap;

/// The broker's topics, the worker's connectors and the running apps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Actual {
    /// By Kafka's name; every topic of the broker.
    pub(crate) topics: BTreeMap<String, ActualTopic>,
    /// By name; every connector of the worker, whoever made it.
    pub(crate) connectors: BTreeMap<String, ActualConnector>,
    /// By object name.
    pub(crate) apps: BTreeMap<String, ActualApp>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ActualTopic {
    pub(crate) partitions: i32,
    pub(crate) replicas: i32,
    /// Keys that the topic itself sets; seen only for topics that an object describes.
    pub(crate) config: BTreeMap<String, String>,
    /// Records between the log's start and its end, over all partitions.
    pub(crate) records: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ActualConnector {
    pub(crate) config: BTreeMap<String, String>,
    /// In Kafka Connect's words, such as `RUNNING`.
    pub(crate) state: String,
    pub(crate) tasks: Vec<String>,
    /// First line of the trace of whatever failed.
    pub(crate) failure: Option<String>,
    /// What it is still busy with; nothing when it is through with all that there is.
    pub(crate) note: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ActualApp {
    /// Which version of the description runs.
    pub(crate) fingerprint: u64,
    pub(crate) state: AppState,
    pub(crate) tasks: usize,
    pub(crate) lag: u64,
    /// What it waits for, or what failed last.
    pub(crate) note: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum AppState {
    #[default]
    Starting,
    Running,
    Failed(String),
}
