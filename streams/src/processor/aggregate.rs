//! Aggregation into the node's only store. Every update is forwarded (there is no cache that swallows some).

use super::{AggregateFn, Context, ProcessError, Processor};
use crate::Value;
use crate::record::Record;
use crate::topology::Supplier;
use std::sync::Arc;

/// Aggregates events by key (`KStreamAggregate`).
pub(crate) fn stream_aggregate(init: Value, add: AggregateFn) -> Supplier {
    Arc::new(move || Box::new(StreamAggregate { init: init.clone(), add: add.clone() }))
}

struct StreamAggregate {
    init: Value,
    add: AggregateFn,
}

impl Processor for StreamAggregate {
    fn process(&mut self, context: &mut Context<'_>, record: Record) -> Result<(), ProcessError> {
        if record.key.is_null() || record.value.is_null() {
            context.drop_record();
            return Ok(());
        }
        let old = context.get(0, &record.key)?;
        let so_far = old.as_ref().map_or(&self.init, |(old, _)| old);
        let value = (self.add)(&record, so_far, context.origin())?;
        store(context, record, old, value)
    }
}

/// Aggregates a table's rows by group: the old row is subtracted, the new one added (`KTableAggregate`).
pub(crate) fn table_aggregate(init: Value, add: AggregateFn, subtract: AggregateFn) -> Supplier {
    Arc::new(move || {
        Box::new(TableAggregate {
            init: init.clone(),
            add: add.clone(),
            subtract: subtract.clone(),
        })
    })
}

struct TableAggregate {
    init: Value,
    add: AggregateFn,
    subtract: AggregateFn,
}

impl Processor for TableAggregate {
    fn process(&mut self, context: &mut Context<'_>, record: Record) -> Result<(), ProcessError> {
        if record.key.is_null() {
            context.drop_record();
            return Ok(());
        }
        let stored = context.get(0, &record.key)?;
        let mut value = stored.as_ref().map(|(value, _)| value.clone());
        if !record.old.is_null()
            && let Some(so_far) = &value
        {
            let row = Record { value: record.old.clone(), old: Value::Null, ..record.clone() };
            value = Some((self.subtract)(&row, so_far, context.origin())?);
        }
        if !record.value.is_null() {
            let so_far = value.as_ref().unwrap_or(&self.init);
            value = Some((self.add)(&record, so_far, context.origin())?);
        }
        store(context, record, stored, value.unwrap_or_default())
    }
}

/// Stores the new aggregate and forwards it; its timestamp is the latest of all that went into it.
fn store(
    context: &mut Context<'_>,
    record: Record,
    old: Option<(Value, i64)>,
    value: Value,
) -> Result<(), ProcessError> {
    let (old, old_timestamp_ms) = old.unwrap_or((Value::Null, record.timestamp_ms));
    let timestamp_ms = record.timestamp_ms.max(old_timestamp_ms);
    context.put(0, &record.key, &value, timestamp_ms)?;
    context.forward(Record { value, old, timestamp_ms, ..record });
    Ok(())
}
