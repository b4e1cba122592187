//! What a processor may do beside computing: forward records, and use its stores.

use super::ProcessError;
use crate::Value;
use crate::record::{Origin, Record};
use crate::task::TaskStores;

/// A processor's view of its task while it handles a record.
#[derive(Debug)]
pub struct Context<'a> {
    pub(crate) out: &'a mut Vec<Record>,
    pub(crate) stores: &'a mut TaskStores,
    /// The node's stores, as indexes into the task's.
    pub(crate) connected: &'a [usize],
    pub(crate) origin: &'a Origin,
    pub(crate) dropped: &'a mut u64,
}

impl Context<'_> {
    /// Hands `record` to every child of the node, after the processor returns and in the order of the calls.
    pub fn forward(&mut self, record: Record) {
        self.out.push(record);
    }

    /// Where the record that is being processed was read.
    pub fn origin(&self) -> &Origin {
        self.origin
    }

    /// Counts a record that is left out because it cannot take part (no key, for instance): not an error.
    pub fn drop_record(&mut self) {
        *self.dropped += 1;
    }

    /// The value and timestamp (ms) of `key` in the `store`th of the node's stores.
    pub fn get(&mut self, store: usize, key: &Value) -> Result<Option<(Value, i64)>, ProcessError> {
        self.stores.get(self.store(store)?, key)
    }

    /// Puts a value; null removes the key.
    pub fn put(
        &mut self,
        store: usize,
        key: &Value,
        value: &Value,
        timestamp_ms: i64,
    ) -> Result<(), ProcessError> {
        let store = self.store(store)?;
        self.stores.put(store, key, value, timestamp_ms)
    }

    fn store(&self, store: usize) -> Result<usize, ProcessError> {
        self.connected.get(store).copied().ok_or_else(|| {
            ProcessError::Record(format!("the processor has no store number {store}"))
        })
    }
}
