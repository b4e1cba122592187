//! Stream processing.

pub mod app;
pub mod cel;
mod driver;
pub mod dsl;
mod processor;
pub mod record;
mod serdes;
mod store;
mod task;
pub mod topology;
mod types;
mod value;

pub use driver::{DriverError, TestDriver};
pub use dsl::{Datum, KGroupedStream, KGroupedTable, KStream, KTable, StreamsBuilder};
pub use processor::{Context, ProcessError, Processor};
pub use serdes::{Serde, SerdeError};
pub use store::{FjallStores, MemoryStores, StateEngine, StateStore, StoreError};
pub use task::{Failure, Input, ORIGIN_HEADER, Output, Task, TaskCounters};
pub use topology::Topology;
pub use types::Type;
pub use value::{Map, Value};
