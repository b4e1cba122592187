//! Stores in memory: for the test driver, and for tests of crashes (a clone of [`MemoryStores`] is the same "disk").

use super::{StateEngine, StateStore, StoreError, Write};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

#[derive(Debug, Default)]
struct Contents {
    rows: BTreeMap<Bytes, Bytes>,
    meta: Option<Bytes>,
}

/// An engine whose files are maps.
#[derive(Clone, Debug, Default)]
pub struct MemoryStores {
    stores: Arc<Mutex<HashMap<String, Contents>>>,
}

impl MemoryStores {
    pub fn new() -> MemoryStores {
        MemoryStores::default()
    }
}

impl StateEngine for MemoryStores {
    fn open(&self, stores: &[&str], partition: i32) -> Result<Box<dyn StateStore>, StoreError> {
        let names: Vec<String> = stores.iter().map(|s| format!("{s}-{partition}")).collect();
        let mut all = self.stores.lock();
        for name in &names {
            all.entry(name.clone()).or_default();
        }
        Ok(Box::new(MemoryTask { engine: self.clone(), names }))
    }
}

#[derive(Debug)]
struct MemoryTask {
    engine: MemoryStores,
    names: Vec<String>,
}

impl MemoryTask {
    fn with<R>(&self, store: usize, f: impl FnOnce(&mut Contents) -> R) -> R {
        let mut all = self.engine.stores.lock();
        let name = self.names.get(store).cloned().unwrap_or_default();
        f(all.entry(name).or_default())
    }
}

impl StateStore for MemoryTask {
    fn get(&self, store: usize, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.with(store, |contents| contents.rows.get(key).cloned()))
    }

    fn scan(
        &self,
        store: usize,
        from: &[u8],
        limit: usize,
        visit: &mut dyn FnMut(Bytes, Bytes),
    ) -> Result<(), StoreError> {
        self.with(store, |contents| {
            let from = (Bound::Included(from), Bound::Unbounded);
            for (key, value) in contents.rows.range::<[u8], _>(from).take(limit) {
                visit(key.clone(), value.clone());
            }
        });
        Ok(())
    }

    fn meta(&self, store: usize) -> Result<Option<Bytes>, StoreError> {
        Ok(self.with(store, |contents| contents.meta.clone()))
    }

    fn commit(&mut self, writes: Vec<Write>, meta: Option<Vec<Bytes>>) -> Result<(), StoreError> {
        for (store, key, value) in writes {
            self.with(store, |contents| match value {
                Some(value) => contents.rows.insert(key, value),
                None => contents.rows.remove(&key),
            });
        }
        for (store, meta) in meta.into_iter().flatten().enumerate() {
            self.with(store, |contents| contents.meta = Some(meta));
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        for store in 0..self.names.len() {
            self.with(store, |contents| *contents = Contents::default());
        }
        Ok(())
    }
}
