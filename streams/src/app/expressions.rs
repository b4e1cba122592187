//! Compiled expressions as the functions that a topology's steps call.

use crate::Value;
use crate::cel::{Bindings, Expression};
use crate::processor::{AggregateFn, Predicate, ProcessError, ValueFn, ValuesFn};
use crate::record::{Origin, Record};
use std::sync::Arc;

fn bindings<'a>(record: &'a Record, agg: &'a Value, origin: &'a Origin) -> Bindings<'a> {
    Bindings {
        key: &record.key,
        value: &record.value,
        agg,
        timestamp_ms: record.timestamp_ms,
        headers: &record.headers,
        topic: &origin.topic,
        partition: origin.partition,
        offset: origin.offset,
    }
}

pub(super) fn value(expression: Expression) -> ValueFn {
    Arc::new(move |record, origin| Ok(expression.eval(&bindings(record, &Value::Null, origin))?))
}

pub(super) fn predicate(expression: Expression) -> Predicate {
    Arc::new(move |record, origin| Ok(expression.holds(&bindings(record, &Value::Null, origin))?))
}

pub(super) fn values(expression: Expression) -> ValuesFn {
    Arc::new(move |record, origin| {
        match expression.eval(&bindings(record, &Value::Null, origin))? {
            Value::List(list) => {
                Ok(Arc::try_unwrap(list).unwrap_or_else(|shared| (*shared).clone()))
            }
            other => Err(ProcessError::Record(format!(
                "`{}` is {} here, not a list",
                expression.source(),
                other.type_of()
            ))),
        }
    })
}

pub(super) fn aggregate(expression: Expression) -> AggregateFn {
    Arc::new(move |record, so_far, origin| Ok(expression.eval(&bindings(record, so_far, origin))?))
}

/// As [`aggregate`], but a group begins with its first value.
pub(super) fn reduce(expression: Expression) -> AggregateFn {
    let aggregate = aggregate(expression);
    Arc::new(move |record, so_far, origin| {
        if so_far.is_null() { Ok(record.value.clone()) } else { aggregate(record, so_far, origin) }
    })
}

/// The value of an expression that uses no record (an aggregate's `init`).
pub(super) fn constant(expression: &Expression) -> Result<Value, String> {
    let (record, origin) = (Record::default(), Origin::default());
    expression.eval(&bindings(&record, &Value::Null, &origin)).map_err(|e| e.to_string())
}
