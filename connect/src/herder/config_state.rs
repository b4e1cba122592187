//! What the config topic says, record by record (Kafka's `ClusterConfigState`). No I/O, no opinion on what to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config_record::ConfigRecord;
use super::names::TargetState;
use crate::config::Config;

/// The committed task configurations of a connector, with the connector configuration that they were made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub connector: Arc<Config>,
    pub tasks: Vec<Arc<Config>>,
}

/// One connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorEntry {
    pub config: Arc<Config>,
    pub target: TargetState,
    pub applied: Option<Applied>,
    /// A commit named tasks whose configurations were not there (half written, or compacted away): they are to be made
    /// anew.
    pub inconsistent: bool,
}

/// All connectors.
#[derive(Clone, Debug, Default)]
pub struct ConfigState {
    connectors: BTreeMap<String, ConnectorEntry>,
    /// Task configurations whose commit has not come yet.
    deferred: BTreeMap<String, BTreeMap<u32, Config>>,
    /// A target state may be written before its connector.
    targets: BTreeMap<String, TargetState>,
}

impl ConfigState {
    pub fn connectors(&self) -> &BTreeMap<String, ConnectorEntry> {
        &self.connectors
    }

    pub fn get(&self, name: &str) -> Option<&ConnectorEntry> {
        self.connectors.get(name)
    }

    /// Takes a record in, in the order of the topic. Restarts change no configuration.
    pub fn apply(&mut self, record: ConfigRecord) {
        match record {
            ConfigRecord::Connector { name, config: Some(config) } => {
                let target = self.targets.get(&name).copied().unwrap_or_default();
                let config = Arc::new(config);
                let (applied, inconsistent) = match self.connectors.remove(&name) {
                    Some(old) => (old.applied, old.inconsistent),
                    None => (None, false),
                };
                let entry = ConnectorEntry { config, target, applied, inconsistent };
                self.connectors.insert(name, entry);
            }
            ConfigRecord::Connector { name, config: None } => {
                self.connectors.remove(&name);
                self.deferred.remove(&name);
                self.targets.remove(&name);
            }
            ConfigRecord::TargetState { name, state } => {
                if let Some(entry) = self.connectors.get_mut(&name) {
                    entry.target = state.unwrap_or_default();
                }
                match state {
                    Some(state) => self.targets.insert(name, state),
                    None => self.targets.remove(&name),
                };
            }
            ConfigRecord::Task { id, config } => {
                self.deferred.entry(id.connector).or_default().insert(id.task, config);
            }
            ConfigRecord::Commit { name, tasks } => self.commit(&name, tasks),
            ConfigRecord::Restart { .. } => {}
        }
    }

    fn commit(&mut self, name: &str, count: u32) {
        let mut deferred = self.deferred.remove(name).unwrap_or_default();
        let Some(entry) = self.connectors.get_mut(name) else { return };
        let tasks: Option<Vec<Arc<Config>>> =
            (0..count).map(|task| deferred.remove(&task).map(Arc::new)).collect();
        match tasks {
            Some(tasks) => {
                entry.applied = Some(Applied { connector: Arc::clone(&entry.config), tasks });
                entry.inconsistent = false;
            }
            None => {
                entry.applied = None;
                entry.inconsistent = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::TaskId;
    use super::*;

    fn config(value: &str) -> Config {
        Config::from([("file".to_owned(), value.to_owned())])
    }

    fn connector(value: &str) -> ConfigRecord {
        ConfigRecord::Connector { name: "a".into(), config: Some(config(value)) }
    }

    fn task(task: u32) -> ConfigRecord {
        ConfigRecord::Task { id: TaskId::new("a", task), config: config("task") }
    }

    fn commit(tasks: u32) -> ConfigRecord {
        ConfigRecord::Commit { name: "a".into(), tasks }
    }

    fn state(records: Vec<ConfigRecord>) -> ConfigState {
        let mut state = ConfigState::default();
        records.into_iter().for_each(|record| state.apply(record));
        state
    }

    #[test]
    fn tasks_count_once_they_are_committed() {
        let halfway = state(vec![connector("1"), task(0)]);
        assert_eq!(halfway.get("a").unwrap().applied, None);
        let done = state(vec![connector("1"), task(0), task(1), commit(1)]);
        assert_eq!(done.get("a").unwrap().applied.as_ref().unwrap().tasks.len(), 1);
        let none = state(vec![connector("1"), task(0), commit(1), commit(0)]);
        assert!(none.get("a").unwrap().applied.as_ref().unwrap().tasks.is_empty());
    }

    #[test]
    fn a_commit_without_its_tasks_is_inconsistent_until_the_next() {
        let mut state = state(vec![connector("1"), task(1), commit(2)]);
        assert!(state.get("a").unwrap().inconsistent);
        for record in [task(0), commit(1)] {
            state.apply(record);
        }
        assert!(!state.get("a").unwrap().inconsistent);
    }

    #[test]
    fn tasks_keep_the_connector_configuration_they_were_made_from() {
        let state = state(vec![connector("1"), task(0), commit(1), connector("2")]);
        let entry = state.get("a").unwrap();
        assert_eq!(*entry.config, config("2"));
        assert_eq!(*entry.applied.as_ref().unwrap().connector, config("1"));
    }

    #[test]
    fn a_target_state_may_come_first_and_goes_with_its_connector() {
        let paused =
            ConfigRecord::TargetState { name: "a".into(), state: Some(TargetState::Paused) };
        let mut state = state(vec![paused, connector("1")]);
        assert_eq!(state.get("a").unwrap().target, TargetState::Paused);
        state.apply(ConfigRecord::Connector { name: "a".into(), config: None });
        assert!(state.get("a").is_none());
        state.apply(connector("1"));
        assert_eq!(state.get("a").unwrap().target, TargetState::Started);
    }

    #[test]
    fn what_is_left_of_a_deleted_connector_does_no_harm() {
        let gone = ConfigRecord::Connector { name: "a".into(), config: None };
        let state = state(vec![connector("1"), gone, task(0), commit(1)]);
        assert!(state.connectors().is_empty());
    }
}
