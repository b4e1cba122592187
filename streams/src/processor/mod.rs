//! Processors: what a node of the topology does with a record.

mod aggregate;
mod context;
mod stateless;
mod table;

pub(crate) use aggregate::{stream_aggregate, table_aggregate};
pub use context::Context;
pub(crate) use stateless::{
    filter, filter_table, flat_map_values, group_table, map, map_both, map_table_values,
    map_values, peek, require_key, select_key, to_stream,
};
pub(crate) use table::table_store;

use crate::record::{Origin, Record};
use crate::store::StoreError;
use crate::{SerdeError, Value};
use std::sync::Arc;

/// A step of a task. One instance serves one task, on one thread.
pub trait Processor: Send {
    /// Handles one record, and hands on what becomes of it with [`Context::forward`].
    fn process(&mut self, context: &mut Context<'_>, record: Record) -> Result<(), ProcessError>;
}

/// Why a record was not processed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The record is at fault: it goes to the error handler, and the next one is processed.
    #[error("{0}")]
    Record(String),
    /// The state store failed: the task cannot go on.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SerdeError> for ProcessError {
    fn from(error: SerdeError) -> ProcessError {
        ProcessError::Record(error.to_string())
    }
}

impl From<crate::cel::EvalError> for ProcessError {
    fn from(error: crate::cel::EvalError) -> ProcessError {
        ProcessError::Record(error.to_string())
    }
}

/// A value computed of a record.
pub(crate) type ValueFn =
    Arc<dyn Fn(&Record, &Origin) -> Result<Value, ProcessError> + Send + Sync>;
/// A condition on a record.
pub(crate) type Predicate =
    Arc<dyn Fn(&Record, &Origin) -> Result<bool, ProcessError> + Send + Sync>;
/// Several values of one.
pub(crate) type ValuesFn =
    Arc<dyn Fn(&Record, &Origin) -> Result<Vec<Value>, ProcessError> + Send + Sync>;
/// The next aggregate of a record and the aggregate so far.
pub(crate) type AggregateFn =
    Arc<dyn Fn(&Record, &Value, &Origin) -> Result<Value, ProcessError> + Send + Sync>;
