//! The files given by `-f`: which they are, what they hold, whether they changed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Larger than any description of a pipeline.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// More files than any folder of descriptions holds.
const MAX_FILES: usize = 10_000;
/// As `kubectl apply -f DIR` reads them.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Why a path of `-f` gives nothing to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot read {path}: {reason}")]
    Unreadable { path: String, reason: String },
    #[error("{path} has {bytes} bytes; a description has at most {MAX_FILE_BYTES}")]
    TooLarge { path: String, bytes: u64 },
    #[error("{path} is not text (UTF-8)")]
    NotText { path: String },
    #[error("{path} holds more than {MAX_FILES} files")]
    TooMany { path: String },
}

/// The text of one file, or why there is none.
pub(crate) type Content = Result<Arc<str>, FileError>;

/// The paths of `-f` and what was last seen under them.
#[derive(Debug)]
pub(crate) struct Files {
    roots: Vec<PathBuf>,
    seen: BTreeMap<PathBuf, Stamp>,
    contents: BTreeMap<PathBuf, Content>,
}

/// What tells a changed file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl Files {
    pub(crate) fn new(roots: Vec<PathBuf>) -> Self {
        Self { roots, seen: BTreeMap::new(), contents: BTreeMap::new() }
    }

    /// Looks at the files again; true when any content differs from what [`Self::contents`] had.
    pub(crate) fn refresh(&mut self) -> bool {
        let (stamps, mut contents) = self.scan();
        if stamps == self.seen && contents.values().all(Result::is_ok) && !self.contents.is_empty()
        {
            return false;
        }
        for path in stamps.keys() {
            // A file that only got a new stamp is read as well: the content decides.
            let unchanged = self.seen.get(path) == stamps.get(path);
            let content = match self.contents.get(path) {
                Some(known @ Ok(_)) if unchanged => known.clone(),
                _ => read(path),
            };
            contents.insert(path.clone(), content);
        }
        self.seen = stamps;
        let changed = contents != self.contents;
        self.contents = contents;
        changed
    }

    /// Every file by its path, as last read.
    pub(crate) fn contents(&self) -> &BTreeMap<PathBuf, Content> {
        &self.contents
    }

    /// Files with their stamps, and the roots that cannot be listed.
    fn scan(&self) -> (BTreeMap<PathBuf, Stamp>, BTreeMap<PathBuf, Content>) {
        let (mut stamps, mut failures) = (BTreeMap::new(), BTreeMap::new());
        for root in &self.roots {
            match list(root) {
                Ok(found) => stamps.extend(found),
                Err(error) => {
                    failures.insert(root.clone(), Err(error));
                }
            }
        }
        (stamps, failures)
    }
}

fn unreadable(path: &Path, error: &io::Error) -> FileError {
    FileError::Unreadable { path: path.display().to_string(), reason: reason(error) }
}

/// The system's words without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.find(" (os error").map_or(text.clone(), |end| text[..end].to_owned())
}

fn list(root: &Path) -> Result<Vec<(PathBuf, Stamp)>, FileError> {
    let metadata = std::fs::metadata(root).map_err(|error| unreadable(root, &error))?;
    if !metadata.is_dir() {
        return Ok(vec![(root.to_path_buf(), stamp(&metadata))]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).map_err(|error| unreadable(root, &error))? {
        let path = entry.map_err(|error| unreadable(root, &error))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let named = path
            .extension()
            .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known));
        // Gone between the two calls is as good as never there.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if !hidden && named && metadata.is_file() {
            if found.len() == MAX_FILES {
                return Err(FileError::TooMany { path: root.display().to_string() });
            }
            found.push((path, stamp(&metadata)));
        }
    }
    Ok(found)
}

fn stamp(metadata: &std::fs::Metadata) -> Stamp {
    Stamp { modified: metadata.modified().ok(), bytes: metadata.len() }
}

fn read(path: &Path) -> Content {
    let bytes = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(FileError::TooLarge { path: path.display().to_string(), bytes });
    }
    let content = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    match String::from_utf8(content) {
        Ok(text) => Ok(text.into()),
        Err(_) => Err(FileError::NotText { path: path.display().to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(files: &Files) -> Vec<String> {
        files
            .contents()
            .values()
            .map(|content| content.as_deref().map_or_else(|e| e.to_string(), str::to_owned))
            .collect()
    }

    #[test]
    fn sees_new_changed_and_removed_files_of_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        write("b.yaml", "b: 1");
        write("a.yml", "a: 1");
        write(".hidden.yaml", "no: 1");
        write("lines.txt", "no");
        let mut files = Files::new(vec![folder.path().to_path_buf()]);
        assert!(files.refresh());
        assert_eq!(texts(&files), ["a: 1", "b: 1"]);
        assert!(!files.refresh());

        write("a.yml", "a: 22");
        assert!(files.refresh());
        write("a.yml", "a: 22");
        assert!(!files.refresh(), "the same text written again is no change");

        write("c.json", "{}");
        std::fs::remove_file(folder.path().join("b.yaml")).expect("removed");
        assert!(files.refresh());
        assert_eq!(texts(&files), ["a: 22", "{}"]);
    }

    #[test]
    fn what_cannot_be_read_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("missing.yaml");
        let binary = folder.path().join("binary.yaml");
        std::fs::write(&binary, [0xff, 0xfe]).expect("written");
        let mut files = Files::new(vec![missing.clone(), binary.clone()]);
        assert!(files.refresh());
        assert_eq!(
            texts(&files),
            [
                format!("{} is not text (UTF-8)", binary.display()),
                format!("cannot read {}: No such file or directory", missing.display()),
            ]
        );
    }
}
