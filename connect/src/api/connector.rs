//! What source and sink connectors have in common.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::ConnectError;
use crate::config::{Config, ConfigDef};

/// One connector's plan: it checks its configuration and splits the work into tasks. It moves no records.
pub trait Connector: Send + Sync {
    /// The configuration keys of the connector, beside those that every connector has.
    fn config_def(&self) -> ConfigDef;

    /// Checks what a [`ConfigDef`] cannot say: keys that depend on each other.
    ///
    /// Returns a key and a sentence for each problem. Must not do I/O: the answer is the same on every worker.
    fn validate(&self, _config: &Config) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Called once before [`Connector::task_configs`], on the worker that owns the connector.
    ///
    /// # Errors
    /// The connector becomes FAILED with this error as its trace; its tasks go on with what they had.
    fn start(&mut self, _context: ConnectorContext, _config: &Config) -> Result<(), ConnectError> {
        Ok(())
    }

    /// The configuration of each task, at most `max_tasks` of them.
    ///
    /// # Errors
    /// As for [`Connector::start`].
    fn task_configs(&self, config: &Config, max_tasks: u32) -> Result<Vec<Config>, ConnectError>;

    /// The name of the task's class, which Kafka keeps in each task's configuration as `task.class`.
    fn task_class(&self) -> &'static str;

    fn stop(&mut self) {}
}

/// What a connector and its tasks know of the worker that runs them.
#[derive(Clone, Debug)]
pub struct ConnectorContext {
    pub name: Arc<str>,
    files_dir: Arc<Path>,
}

impl ConnectorContext {
    pub fn new(name: &str, files_dir: &Path) -> ConnectorContext {
        ConnectorContext { name: name.into(), files_dir: files_dir.into() }
    }

    /// Where a file named in a configuration lies: relative paths are below the worker's folder for files.
    pub fn file(&self, path: &str) -> PathBuf {
        self.files_dir.join(path)
    }
}
