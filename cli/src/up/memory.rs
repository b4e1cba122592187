//! What earlier passes and earlier runs applied, so that an object that is gone from the files can be told from one
//! that somebody else made: only what a file once described is ever removed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::object::{Kind, ObjectKey};

const FILE: &str = "applied.json";

/// The objects that were applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    objects: BTreeMap<ObjectKey, Applied>,
}

/// What must be known of an object once it is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Applied {
    /// The file that described it, as an absolute path.
    pub(crate) file: PathBuf,
    /// A topic's name in Kafka, where the object asked for its deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delete_topic: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    kind: Kind,
    name: String,
    #[serde(flatten)]
    applied: Applied,
}

/// Why the memory cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {path}: {reason}")]
pub(crate) struct MemoryError {
    verb: &'static str,
    path: String,
    reason: String,
}

impl Memory {
    /// What the data folder remembers; a new folder remembers nothing.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub(crate) fn load(folder: &Path) -> Result<Self, MemoryError> {
        let path = folder.join(FILE);
        let failed =
            |reason: String| MemoryError { verb: "read", path: path.display().to_string(), reason };
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(failed(super::files::reason(&error))),
        };
        let lines: Vec<Line> =
            serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
        let objects =
            lines.into_iter().map(|line| (ObjectKey::new(line.kind, line.name), line.applied));
        Ok(Self { objects: objects.collect() })
    }

    /// Writes the memory so that a crash leaves either the old or the new one.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn save(&self, folder: &Path) -> Result<(), MemoryError> {
        let path = folder.join(FILE);
        let failed = |reason: String| MemoryError {
            verb: "write",
            path: path.display().to_string(),
            reason,
        };
        let lines: Vec<Line> = self
            .objects
            .iter()
            .map(|(key, applied)| Line {
                kind: key.kind,
                name: key.name.clone(),
                applied: applied.clone(),
            })
            .collect();
        let text = serde_json::to_vec_pretty(&lines).map_err(|error| failed(error.to_string()))?;
        let next = folder.join(format!("{FILE}.next"));
        let written = std::fs::File::create(&next).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        });
        written
            .and_then(|()| std::fs::rename(&next, &path))
            .map_err(|error| failed(super::files::reason(&error)))
    }

    /// True when this is news.
    pub(crate) fn remember(&mut self, key: ObjectKey, applied: Applied) -> bool {
        self.objects.insert(key, applied.clone()) != Some(applied)
    }

    pub(crate) fn forget(&mut self, key: &ObjectKey) -> bool {
        self.objects.remove(key).is_some()
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = (&ObjectKey, &Applied)> {
        self.objects.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_over_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut memory = Memory::load(folder.path()).expect("nothing yet");
        let applied = Applied { file: "a.yaml".into(), delete_topic: Some("lines".into()) };
        assert!(memory.remember(ObjectKey::new(Kind::Topic, "lines"), applied.clone()));
        assert!(!memory.remember(ObjectKey::new(Kind::Topic, "lines"), applied));
        assert!(memory.remember(
            ObjectKey::new(Kind::Connector, "c"),
            Applied { file: "b.yaml".into(), delete_topic: None }
        ));
        memory.save(folder.path()).expect("saved");
        assert_eq!(Memory::load(folder.path()).expect("read"), memory);
        assert!(memory.forget(&ObjectKey::new(Kind::Connector, "c")));
        assert!(!memory.forget(&ObjectKey::new(Kind::Connector, "c")));
    }

    #[test]
    fn a_spoilt_file_is_an_error_and_not_an_empty_memory() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), "{").expect("written");
        let error = Memory::load(folder.path()).expect_err("spoilt").to_string();
        assert!(error.starts_with("cannot read ") && error.contains(FILE), "{error}");
    }
}
