//! Stream processing: Kafka Streams' DSL, its runtime, and apps declared in YAML.
//!
//! It knows the client and the protocol; it must not know Kubernetes, or how YAML files are found and watched.
//!
//! * [`StreamsBuilder`], [`KStream`], [`KTable`] (`dsl`): topologies in Rust.
//! * [`app`]: topologies declared in a `StreamsApp`, with expressions in CEL ([`cel`]), checked before they start.
//! * [`Topology`] (`topology`): what both compile to. [`Processor`] is the interface of its steps.
//! * [`TestDriver`]: runs a topology in a test, without a broker.
//! * [`Worker`] (`runtime`): runs a topology against a cluster, as one of the app's workers.
//! * [`Task`] (`task`): one subtopology for one partition; free of I/O but for its state ([`StateStore`], `store`).
//!
//! # What is guaranteed
//!
//! State is exact after any crash (`kill -9`, a lost volume) of deterministic steps whose task reads one input partition
//! (all that a declared app can express): each input record counts once. It rests on three things, and on no transaction:
//!
//! 1. State and the input positions it includes are written in one batch, locally and in the changelog (a commit is
//!    applied whole or not at all); a task goes on from the positions of its *state*, not from the group's offsets.
//! 2. A record in a repartition topic carries what it descends from; what was sent twice is recognised and left out.
//! 3. Output is acknowledged before the positions that include it are written anywhere.
//!
//! What remains of at-least-once: results in topics of the user's may be written again after a crash (the updates since
//! the last commit, in the same order and with the same values, so that the last one of each key is right); a stalled
//! worker that has lost its partitions without knowing may write stale changelog records until its next heartbeat; and
//! steps that are not functions of the record and the state (clocks, random numbers) are not made repeatable.
//! Because positions live with the state, resetting the group's offsets does not process input again: use another
//! application id for that.

pub mod app;
pub mod cel;
mod driver;
pub mod dsl;
mod processor;
pub mod record;
mod runtime;
mod serdes;
mod store;
mod task;
pub mod topology;
mod types;
mod value;

pub use driver::{DriverError, TestDriver};
pub use dsl::{Datum, KGroupedStream, KGroupedTable, KStream, KTable, StreamsBuilder};
pub use processor::{Context, ProcessError, Processor};
pub use runtime::{
    InputStatus, StartError, Stopped, TaskStatus, Worker, WorkerConfig, WorkerHandle, WorkerState,
    WorkerStatus,
};
pub use serdes::{Serde, SerdeError};
pub use store::{
    COMMIT_HEADER, FjallStores, MemoryStores, StateEngine, StateStore, StoreError, Write,
};
pub use task::{Failure, Input, ORIGIN_HEADER, Output, Task, TaskCounters};
pub use topology::Topology;
pub use types::Type;
pub use value::{Map, Value};
