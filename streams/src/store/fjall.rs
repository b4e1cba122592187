//! Stores on disk: one fjall database a worker, one keyspace a store and partition.
//!
//! One database means one journal, one block cache and one write buffer however many stores there are. Commits go to
//! the operating system before they return: they survive `kill -9`, and what a power failure takes is a suffix, which
//! the changelog gives back. Keys have one byte in front: 0 is the metadata, 1 a row.

use super::{StateEngine, StateStore, StoreError, Write};
use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::path::{Path, PathBuf};

const META: &[u8] = &[0];
const ROW: u8 = 1;
/// Shared by all stores of the worker.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// What a store keeps in memory before it writes a table.
const MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;
const MAX_JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
/// Flushes and compactions: few, beside the stream threads.
const BACKGROUND_THREADS: usize = 2;

/// A worker's database.
#[derive(Clone)]
pub struct FjallStores {
    database: Database,
    path: PathBuf,
}

impl std::fmt::Debug for FjallStores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallStores").field("path", &self.path).finish_non_exhaustive()
    }
}

impl FjallStores {
    /// Opens the database in `path`. One that cannot be read is put aside (`<path>.broken`) and begun anew: the
    /// changelog holds everything. A database that another process has open is an error.
    pub fn open(path: &Path) -> Result<FjallStores, StoreError> {
        let directory = |source| StoreError::Directory { path: path.display().to_string(), source };
        std::fs::create_dir_all(path).map_err(directory)?;
        let database = match open(path) {
            Ok(database) => database,
            Err(error @ (fjall::Error::Locked | fjall::Error::Io(_))) => return Err(error.into()),
            Err(error) => {
                tracing::error!(%error, path = %path.display(),
                    "the local state cannot be read; it is put aside and rebuilt from the changelogs");
                let broken = path.with_extension("broken");
                if broken.exists() {
                    std::fs::remove_dir_all(&broken).map_err(directory)?;
                }
                std::fs::rename(path, &broken).map_err(directory)?;
                std::fs::create_dir_all(path).map_err(directory)?;
                open(path)?
            }
        };
        Ok(FjallStores { database, path: path.to_owned() })
    }

    /// Writes what is still in the operating system's buffers to the disk.
    pub fn sync(&self) -> Result<(), StoreError> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}

fn open(path: &Path) -> fjall::Result<Database> {
    Database::builder(path)
        .cache_size(CACHE_BYTES)
        .max_journaling_size(MAX_JOURNAL_BYTES)
        .worker_threads(BACKGROUND_THREADS)
        .open()
}

impl StateEngine for FjallStores {
    fn open(&self, stores: &[&str], partition: i32) -> Result<Box<dyn StateStore>, StoreError> {
        let mut keyspaces = Vec::new();
        for store in stores {
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
            keyspaces.push(self.database.keyspace(&format!("{store}-{partition}"), options)?);
        }
        let names = stores.iter().map(|s| (*s).to_owned()).collect();
        Ok(Box::new(FjallTask { database: self.database.clone(), keyspaces, names }))
    }
}

struct FjallTask {
    database: Database,
    keyspaces: Vec<Keyspace>,
    names: Vec<String>,
}

impl std::fmt::Debug for FjallTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallTask").field("stores", &self.names).finish_non_exhaustive()
    }
}

impl FjallTask {
    fn keyspace(&self, store: usize) -> Result<&Keyspace, StoreError> {
        self.keyspaces.get(store).ok_or_else(|| StoreError::Corrupt {
            store: store.to_string(),
            reason: "the task has no such store".to_owned(),
        })
    }
}

fn row(key: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(key.len() + 1);
    row.push(ROW);
    row.extend_from_slice(key);
    row
}

impl StateStore for FjallTask {
    fn get(&self, store: usize, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.keyspace(store)?.get(row(key))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(
        &self,
        store: usize,
        from: &[u8],
        limit: usize,
        visit: &mut dyn FnMut(Bytes, Bytes),
    ) -> Result<(), StoreError> {
        for entry in self.keyspace(store)?.range(row(from)..).take(limit) {
            let (key, value) = entry.into_inner()?;
            visit(
                Bytes::copy_from_slice(key.get(1..).unwrap_or_default()),
                Bytes::copy_from_slice(&value),
            );
        }
        Ok(())
    }

    fn meta(&self, store: usize) -> Result<Option<Bytes>, StoreError> {
        let meta = self.keyspace(store)?.get(META)?;
        Ok(meta.map(|meta| Bytes::copy_from_slice(&meta)))
    }

    fn commit(&mut self, writes: Vec<Write>, meta: Option<Vec<Bytes>>) -> Result<(), StoreError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
        for (store, key, value) in writes {
            let keyspace = self.keyspace(store)?;
            match value {
                Some(value) => batch.insert(keyspace, row(&key), value.as_ref()),
                None => batch.remove(keyspace, row(&key)),
            }
        }
        for (store, meta) in meta.into_iter().flatten().enumerate() {
            batch.insert(self.keyspace(store)?, META, meta.as_ref());
        }
        Ok(batch.commit()?)
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        for keyspace in &self.keyspaces {
            keyspace.clear()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStores;

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    fn rows(store: &dyn StateStore, index: usize, from: &str, limit: usize) -> Vec<(Bytes, Bytes)> {
        let mut rows = Vec::new();
        store.scan(index, from.as_bytes(), limit, &mut |k, v| rows.push((k, v))).unwrap();
        rows
    }

    /// Both engines answer the same to the same.
    fn exercise(engine: &dyn StateEngine) {
        let mut store = engine.open(&["a", "b"], 3).unwrap();
        assert_eq!(store.meta(0).unwrap(), None);
        let writes = vec![
            (0, bytes("k1"), Some(bytes("v1"))),
            (0, bytes("k2"), Some(bytes("v2"))),
            (1, bytes("k1"), Some(bytes("other"))),
            (0, Bytes::new(), Some(bytes("empty key"))),
        ];
        store.commit(writes, Some(vec![bytes("ma"), bytes("mb")])).unwrap();
        assert_eq!(store.get(0, b"k1").unwrap(), Some(bytes("v1")));
        assert_eq!(store.get(1, b"k1").unwrap(), Some(bytes("other")));
        assert_eq!(store.get(0, b"").unwrap(), Some(bytes("empty key")));
        assert_eq!(store.meta(1).unwrap(), Some(bytes("mb")));
        store.commit(vec![(0, bytes("k1"), None)], None).unwrap();
        assert_eq!(store.get(0, b"k1").unwrap(), None);
        assert_eq!(rows(&*store, 0, "", 10).len(), 2);
        assert_eq!(rows(&*store, 0, "k", 10), [(bytes("k2"), bytes("v2"))]);
        assert_eq!(rows(&*store, 0, "", 1).len(), 1);
        drop(store);
        let again = engine.open(&["b", "a"], 3).unwrap();
        assert_eq!(again.get(0, b"k1").unwrap(), Some(bytes("other")), "stores go by name");
        assert_eq!(again.meta(1).unwrap(), Some(bytes("ma")));
        let mut other = engine.open(&["a"], 4).unwrap();
        assert_eq!(other.get(0, b"k2").unwrap(), None, "a partition has a store of its own");
        other.clear().unwrap();
        let mut store = engine.open(&["a", "b"], 3).unwrap();
        assert_eq!(store.get(0, b"k2").unwrap(), Some(bytes("v2")));
        store.clear().unwrap();
        assert_eq!((store.get(0, b"k2").unwrap(), store.meta(1).unwrap()), (None, None));
    }

    #[test]
    fn both_engines_are_alike() {
        exercise(&MemoryStores::new());
        let dir = tempfile::tempdir().unwrap();
        exercise(&FjallStores::open(dir.path()).unwrap());
    }

    #[test]
    fn a_commit_outlives_the_engine() {
        let dir = tempfile::tempdir().unwrap();
        {
            let engine = FjallStores::open(dir.path()).unwrap();
            let mut store = engine.open(&["a"], 0).unwrap();
            for i in 0..1000 {
                let key = bytes(&format!("key-{i}"));
                store
                    .commit(vec![(0, key, Some(bytes("v")))], Some(vec![bytes(&i.to_string())]))
                    .unwrap();
            }
        }
        let engine = FjallStores::open(dir.path()).unwrap();
        let store = engine.open(&["a"], 0).unwrap();
        assert_eq!(store.meta(0).unwrap(), Some(bytes("999")));
        assert_eq!(rows(&*store, 0, "", 10_000).len(), 1000);
    }

    #[test]
    fn a_database_in_use_is_an_error_and_a_broken_one_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let engine = FjallStores::open(&path).unwrap();
        assert!(matches!(FjallStores::open(&path), Err(StoreError::Engine(fjall::Error::Locked))));
        engine
            .open(&["a"], 0)
            .unwrap()
            .commit(vec![(0, bytes("k"), Some(bytes("v")))], None)
            .unwrap();
        drop(engine);
        let version = std::fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.file_name().is_some_and(|name| name == "version"))
            .unwrap();
        std::fs::write(version, b"???").unwrap();
        let engine = FjallStores::open(&path).unwrap();
        assert_eq!(engine.open(&["a"], 0).unwrap().get(0, b"k").unwrap(), None);
        assert!(path.with_extension("broken").is_dir());
    }
}
