//! Which names there are, and which of them survive a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A name: a folder, or a file's inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Folder,
    File(u64),
}

type Tree = BTreeMap<PathBuf, Entry>;

/// The names now, those that are durable, and what has been done since, in order.
#[derive(Debug, Default, Clone)]
pub(super) struct Names {
    current: Tree,
    durable: Tree,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Add(PathBuf, Entry),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl Change {
    /// The folder whose sync makes the change durable.
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Add(path, _) | Self::Remove(path) | Self::Rename(_, path) => path.parent(),
        }
    }

    fn apply(&self, tree: &mut Tree) {
        match self {
            Self::Add(path, entry) => {
                tree.insert(path.clone(), *entry);
            }
            Self::Remove(path) => tree.retain(|name, _| !name.starts_with(path)),
            Self::Rename(from, to) => {
                let moved: Vec<_> = tree
                    .extract_if(.., |name, _| name.starts_with(from))
                    .filter_map(|(name, entry)| {
                        let rest = name.strip_prefix(from).ok()?;
                        // `join("")` would add a slash.
                        let target =
                            if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                        Some((target, entry))
                    })
                    .collect();
                tree.extend(moved);
            }
        }
    }
}

impl Names {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.pending.push(change);
    }

    pub(super) fn inode(&self, path: &Path) -> Option<u64> {
        match self.current.get(path) {
            Some(Entry::File(inode)) => Some(*inode),
            _ => None,
        }
    }

    pub(super) fn has_parent(&self, path: &Path) -> bool {
        path.parent().is_some_and(|parent| self.current.get(parent) == Some(&Entry::Folder))
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.current.contains_key(path)
    }

    pub(super) fn add(&mut self, path: &Path, inode: u64) {
        self.change(Change::Add(path.to_owned(), Entry::File(inode)));
    }

    pub(super) fn remove(&mut self, path: &Path) {
        if self.exists(path) {
            self.change(Change::Remove(path.to_owned()));
        }
    }

    pub(super) fn remove_dir(&mut self, dir: &Path) {
        self.remove(dir);
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> bool {
        let exists = self.exists(from);
        if exists {
            self.change(Change::Rename(from.to_owned(), to.to_owned()));
        }
        exists
    }

    pub(super) fn create_dir(&mut self, dir: &Path) {
        let ancestors: Vec<_> = dir.ancestors().collect();
        for folder in ancestors.into_iter().rev() {
            if !self.exists(folder) {
                self.change(Change::Add(folder.to_owned(), Entry::Folder));
            }
        }
    }

    pub(super) fn list(&self, dir: &Path) -> Option<Vec<String>> {
        (self.current.get(dir) == Some(&Entry::Folder)).then(|| {
            let inside = self.current.keys().filter(|name| name.parent() == Some(dir));
            inside
                .filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned()))
                .collect()
        })
    }

    /// What changed in `dir` is durable. A journal keeps order, so everything before the last such change is, too.
    pub(super) fn sync(&mut self, dir: &Path) {
        let last = self.pending.iter().rposition(|change| change.folder() == Some(dir));
        if let Some(last) = last {
            self.keep(last + 1);
        }
    }

    /// A prefix of the pending changes survives.
    pub(super) fn crash(&mut self, random: &mut fastrand::Rng) {
        let kept = random.usize(..=self.pending.len());
        self.keep(kept);
        self.pending.clear();
        self.current.clone_from(&self.durable);
    }

    fn keep(&mut self, count: usize) {
        for change in self.pending.drain(..count) {
            change.apply(&mut self.durable);
        }
    }

    /// Inodes that have a name, now or after a crash.
    pub(super) fn inodes(&self) -> BTreeSet<u64> {
        let entries = self.current.values().chain(self.durable.values());
        entries
            .filter_map(|entry| match entry {
                Entry::File(inode) => Some(*inode),
                Entry::Folder => None,
            })
            .collect()
    }
}
