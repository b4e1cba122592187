//! The stores of a task while it processes: what changed since the last commit, over the engine.

use crate::Value;
use crate::processor::ProcessError;
use crate::store::changelog::Change;
use crate::store::{StateStore, StoreError, Write};
use crate::topology::StoreSpec;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol::Str;
use std::collections::HashMap;

/// In front of a stored value: its timestamp (ms, big endian), as in Kafka's timestamped stores.
const TIMESTAMP_BYTES: usize = 8;

/// A stored value or a removal, and its timestamp (ms).
type Dirty = (Option<Bytes>, i64);

/// All stores of one task.
#[derive(Debug)]
pub(crate) struct TaskStores {
    specs: Vec<StoreSpec>,
    engine: Box<dyn StateStore>,
    dirty: Vec<HashMap<Bytes, Dirty>>,
    dirty_bytes: usize,
}

impl TaskStores {
    pub(crate) fn new(specs: Vec<StoreSpec>, engine: Box<dyn StateStore>) -> TaskStores {
        let dirty = specs.iter().map(|_| HashMap::new()).collect();
        TaskStores { specs, engine, dirty, dirty_bytes: 0 }
    }

    pub(crate) fn names(&self) -> Vec<Str> {
        self.specs.iter().map(|spec| spec.name.clone()).collect()
    }

    pub(crate) fn specs(&self) -> &[StoreSpec] {
        &self.specs
    }

    pub(crate) fn engine(&mut self) -> &mut dyn StateStore {
        &mut *self.engine
    }

    /// Bytes that wait for the next commit.
    pub(crate) fn dirty_bytes(&self) -> usize {
        self.dirty_bytes
    }

    fn spec(&self, store: usize) -> Result<&StoreSpec, ProcessError> {
        self.specs
            .get(store)
            .ok_or_else(|| ProcessError::Record(format!("there is no store number {store}")))
    }

    pub(crate) fn get(
        &mut self,
        store: usize,
        key: &Value,
    ) -> Result<Option<(Value, i64)>, ProcessError> {
        let spec = self.spec(store)?;
        let Some(key) = spec.key.write(key)? else { return Ok(None) };
        if let Some((value, timestamp_ms)) = self.dirty.get(store).and_then(|d| d.get(&key)) {
            let Some(value) = value else { return Ok(None) };
            return Ok(Some((spec.value.read(Some(value))?, *timestamp_ms)));
        }
        let Some(stored) = self.engine.get(store, &key)? else { return Ok(None) };
        let (value, timestamp_ms) = split(&spec.name, stored)?;
        Ok(Some((spec.value.read(Some(&value))?, timestamp_ms)))
    }

    pub(crate) fn put(
        &mut self,
        store: usize,
        key: &Value,
        value: &Value,
        timestamp_ms: i64,
    ) -> Result<(), ProcessError> {
        let spec = self.spec(store)?;
        let Some(key) = spec.key.write(key)? else {
            return Err(ProcessError::Record(format!("store `{}` has no null keys", spec.name)));
        };
        let value = spec.value.write(value)?;
        let Some(dirty) = self.dirty.get_mut(store) else { return Ok(()) };
        let length = value.as_ref().map_or(0, Bytes::len);
        match dirty.get_mut(&key) {
            Some(entry) => *entry = (value, timestamp_ms),
            None => {
                self.dirty_bytes += key.len();
                // A copy: the key may be a view that keeps a whole fetch alive.
                dirty.insert(Bytes::copy_from_slice(&key), (value, timestamp_ms));
            }
        }
        self.dirty_bytes += length;
        Ok(())
    }

    /// What changed since the last commit.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::with_capacity(self.dirty.iter().map(HashMap::len).sum());
        for (store, dirty) in self.dirty.iter().enumerate() {
            for (key, (value, timestamp_ms)) in dirty {
                let (key, value, timestamp_ms) = (key.clone(), value.clone(), *timestamp_ms);
                changes.push(Change { store, key, value, timestamp_ms });
            }
        }
        changes
    }

    /// The present values of `keys`, as changes.
    pub(crate) fn present(&self, keys: Vec<(usize, Bytes)>) -> Result<Vec<Change>, StoreError> {
        let mut changes = Vec::with_capacity(keys.len());
        for (store, key) in keys {
            let name = self.specs.get(store).map_or("", |spec| spec.name.as_str());
            let (value, timestamp_ms) = match self.engine.get(store, &key)? {
                Some(stored) => {
                    let (value, timestamp_ms) = split(name, stored)?;
                    (Some(value), timestamp_ms)
                }
                None => (None, 0),
            };
            changes.push(Change { store, key, value, timestamp_ms });
        }
        Ok(changes)
    }

    /// Writes all changes and the metadata of every store in one batch.
    pub(crate) fn commit(&mut self, meta: Vec<Bytes>) -> Result<(), StoreError> {
        let mut writes: Vec<Write> = Vec::new();
        for (store, dirty) in self.dirty.iter_mut().enumerate() {
            for (key, (value, timestamp_ms)) in dirty.drain() {
                writes.push((store, key, value.map(|value| stored(&value, timestamp_ms))));
            }
        }
        self.dirty_bytes = 0;
        self.engine.commit(writes, Some(meta))
    }

    /// Forgets what changed since the last commit.
    pub(crate) fn roll_back(&mut self) {
        self.dirty.iter_mut().for_each(HashMap::clear);
        self.dirty_bytes = 0;
    }

    /// All committed and uncommitted rows of a store, for tests and the test driver: at most `limit`.
    pub(crate) fn rows(
        &self,
        store: usize,
        limit: usize,
    ) -> Result<Vec<(Value, Value)>, ProcessError> {
        let spec = self.spec(store)?;
        let mut raw = std::collections::BTreeMap::new();
        self.engine.scan(store, &[], limit, &mut |key, value| {
            raw.insert(key, value);
        })?;
        let mut rows = std::collections::BTreeMap::new();
        for (key, value) in raw {
            rows.insert(key, split(&spec.name, value)?.0);
        }
        for (key, (value, _)) in self.dirty.get(store).into_iter().flatten() {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        let read = |(key, value): (Bytes, Bytes)| {
            Ok((spec.key.read(Some(&key))?, spec.value.read(Some(&value))?))
        };
        rows.into_iter().take(limit).map(read).collect()
    }
}

/// A value as the engine keeps it.
pub(crate) fn stored(value: &[u8], timestamp_ms: i64) -> Bytes {
    let mut out = BytesMut::with_capacity(TIMESTAMP_BYTES + value.len());
    out.put_i64(timestamp_ms);
    out.put_slice(value);
    out.freeze()
}

fn split(store: &str, mut stored: Bytes) -> Result<(Bytes, i64), StoreError> {
    let timestamp_ms = stored.try_get_i64().map_err(|_| StoreError::Corrupt {
        store: store.to_owned(),
        reason: format!("a value has less than {TIMESTAMP_BYTES} bytes"),
    })?;
    Ok((stored, timestamp_ms))
}
