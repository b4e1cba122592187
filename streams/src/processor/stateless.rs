//! Steps without state.

use super::{Context, Predicate, ProcessError, Processor, ValueFn, ValuesFn};
use crate::Value;
use crate::record::{Origin, Record};
use crate::topology::Supplier;
use std::sync::Arc;

/// A supplier of processors that share `step`.
fn supply<F>(step: F) -> Supplier
where
    F: Fn(&mut Context<'_>, Record) -> Result<(), ProcessError> + Send + Sync + 'static,
{
    let step = Arc::new(step);
    Arc::new(move || Box::new(Step(step.clone())))
}

struct Step<F>(Arc<F>);

impl<F> Processor for Step<F>
where
    F: Fn(&mut Context<'_>, Record) -> Result<(), ProcessError> + Send + Sync,
{
    fn process(&mut self, context: &mut Context<'_>, record: Record) -> Result<(), ProcessError> {
        (self.0)(context, record)
    }
}

pub(crate) fn map_values(f: ValueFn) -> Supplier {
    supply(move |context, mut record| {
        record.value = f(&record, context.origin())?;
        context.forward(record);
        Ok(())
    })
}

pub(crate) fn select_key(f: ValueFn) -> Supplier {
    supply(move |context, mut record| {
        record.key = f(&record, context.origin())?;
        context.forward(record);
        Ok(())
    })
}

/// What looks at a record.
pub(crate) type LookFn = Arc<dyn Fn(&Record, &Origin) -> Result<(), ProcessError> + Send + Sync>;
/// Key and value at once.
pub(crate) type PairFn =
    Arc<dyn Fn(&Record, &Origin) -> Result<(Value, Value), ProcessError> + Send + Sync>;

pub(crate) fn map_both(f: PairFn) -> Supplier {
    supply(move |context, mut record| {
        (record.key, record.value) = f(&record, context.origin())?;
        context.forward(record);
        Ok(())
    })
}

pub(crate) fn map(key: ValueFn, value: ValueFn) -> Supplier {
    map_both(Arc::new(move |record, origin| Ok((key(record, origin)?, value(record, origin)?))))
}

pub(crate) fn flat_map_values(f: ValuesFn) -> Supplier {
    supply(move |context, record| {
        for value in f(&record, context.origin())? {
            context.forward(Record { value, ..record.clone() });
        }
        Ok(())
    })
}

pub(crate) fn filter(holds: Predicate) -> Supplier {
    supply(move |context, record| {
        if holds(&record, context.origin())? {
            context.forward(record);
        }
        Ok(())
    })
}

pub(crate) fn peek(look: LookFn) -> Supplier {
    supply(move |context, record| {
        look(&record, context.origin())?;
        context.forward(record);
        Ok(())
    })
}

/// Leaves out records without a key: they belong to no group and to no row.
pub(crate) fn require_key() -> Supplier {
    supply(|context, record| {
        if record.key.is_null() {
            context.drop_record();
        } else {
            context.forward(record);
        }
        Ok(())
    })
}

/// A row's changes become events.
pub(crate) fn to_stream() -> Supplier {
    supply(|context, record| {
        context.forward(Record { old: Value::Null, ..record });
        Ok(())
    })
}

/// `record` as if `value` were its value.
fn with_value(record: &Record, value: &Value) -> Record {
    Record { value: value.clone(), old: Value::Null, ..record.clone() }
}

pub(crate) fn map_table_values(f: ValueFn) -> Supplier {
    supply(move |context, mut record| {
        let of = |value: &Value| {
            if value.is_null() {
                return Ok(Value::Null);
            }
            f(&with_value(&record, value), context.origin())
        };
        let (value, old) = (of(&record.value)?, of(&record.old)?);
        (record.value, record.old) = (value, old);
        context.forward(record);
        Ok(())
    })
}

/// A row that no longer passes is deleted downstream; one that did not pass before leaves no trace.
pub(crate) fn filter_table(holds: Predicate) -> Supplier {
    supply(move |context, mut record| {
        let keep = |value: &Value| {
            if value.is_null() || !holds(&with_value(&record, value), context.origin())? {
                return Ok::<_, ProcessError>(Value::Null);
            }
            Ok(value.clone())
        };
        let (value, old) = (keep(&record.value)?, keep(&record.old)?);
        if value.is_null() && old.is_null() && !record.value.is_null() {
            return Ok(());
        }
        (record.value, record.old) = (value, old);
        context.forward(record);
        Ok(())
    })
}

/// A row's change as changes of its old and of its new group (`KTableRepartitionMap`): the old value is taken out of
/// its group before the new one is put into its own, or both at once when the group stays.
pub(crate) fn group_table(key: ValueFn, value: Option<ValueFn>) -> Supplier {
    supply(move |context, record| {
        let group = |row: &Value| -> Result<Option<(Value, Value)>, ProcessError> {
            if row.is_null() {
                return Ok(None);
            }
            let row = with_value(&record, row);
            let key = key(&row, context.origin())?;
            let value = match &value {
                Some(value) => value(&row, context.origin())?,
                None => row.value,
            };
            Ok((!key.is_null() && !value.is_null()).then_some((key, value)))
        };
        let change =
            |key: Value, old: Value, value: Value| Record { key, value, old, ..record.clone() };
        match (group(&record.old)?, group(&record.value)?) {
            (Some((old_key, old)), Some((key, value))) if old_key == key => {
                context.forward(change(key, old, value));
            }
            (old, new) => {
                if let Some((key, old)) = old {
                    context.forward(change(key, old, Value::Null));
                }
                if let Some((key, value)) = new {
                    context.forward(change(key, Value::Null, value));
                }
            }
        }
        Ok(())
    })
}
