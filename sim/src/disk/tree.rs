use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Folders and files by path.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    dirs: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, usize>,
}

/// One change of names.
#[derive(Debug, Clone)]
pub(super) enum NameChange {
    Create(PathBuf, usize),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
    CreateDir(PathBuf),
    RemoveDir(PathBuf),
}

impl Tree {
    pub(super) fn file(&self, path: &Path) -> Option<usize> {
        self.files.get(path).copied()
    }

    pub(super) fn files(&self) -> impl Iterator<Item = usize> + '_ {
        self.files.values().copied()
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.files.contains_key(path) || self.dirs.contains(path)
    }

    pub(super) fn has_parent(&self, path: &Path) -> bool {
        path.parent().is_some_and(|parent| self.dirs.contains(parent))
    }

    /// Names in a folder, sorted; `None` when there is no such folder.
    pub(super) fn list(&self, dir: &Path) -> Option<Vec<String>> {
        if !self.dirs.contains(dir) {
            return None;
        }
        let children = self.files.keys().chain(&self.dirs).filter(|p| p.parent() == Some(dir));
        let names = children.filter_map(|p| Some(p.file_name()?.to_str()?.to_owned()));
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        Some(names)
    }

    pub(super) fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Create(path, inode) => {
                self.files.insert(path.clone(), *inode);
            }
            NameChange::Remove(path) => {
                self.files.remove(path);
            }
            NameChange::Rename(from, to) => self.rename(from, to),
            NameChange::CreateDir(dir) => {
                self.dirs.extend(dir.ancestors().map(Path::to_owned));
            }
            NameChange::RemoveDir(dir) => {
                self.files.retain(|path, _| !path.starts_with(dir));
                self.dirs.retain(|path| !path.starts_with(dir));
            }
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let moved = |path: &Path| match path.strip_prefix(from) {
            Ok(rest) if rest.as_os_str().is_empty() => to.to_owned(),
            Ok(rest) => to.join(rest),
            Err(_) => path.to_owned(),
        };
        let mut files = BTreeMap::new();
        for (path, inode) in self.files.iter().filter(|(path, _)| path.as_path() != to) {
            files.insert(moved(path), *inode);
        }
        self.files = files;
        self.dirs = self.dirs.iter().map(|path| moved(path)).collect();
    }
}
