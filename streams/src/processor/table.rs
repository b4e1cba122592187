//! The latest value of every key.

use super::{Context, ProcessError, Processor};
use crate::record::Record;
use crate::topology::Supplier;
use std::sync::Arc;

/// Keeps a table's rows in the node's only store, and forwards each record with the row it replaces.
pub(crate) fn table_store() -> Supplier {
    Arc::new(|| Box::new(TableStore))
}

struct TableStore;

impl Processor for TableStore {
    fn process(&mut self, context: &mut Context<'_>, record: Record) -> Result<(), ProcessError> {
        if record.key.is_null() {
            context.drop_record();
            return Ok(());
        }
        let old = context.get(0, &record.key)?;
        context.put(0, &record.key, &record.value, record.timestamp_ms)?;
        let old = old.map(|(old, _)| old).unwrap_or_default();
        context.forward(Record { old, ..record });
        Ok(())
    }
}
