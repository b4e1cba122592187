//! Kafka Connect: a worker that runs source and sink connectors, and the interfaces that connectors are written to.
//!
//! It knows Kafka through `client` alone. It must not know the broker's insides, Kubernetes, or the command line.
//! Connectors with heavy dependencies are crates of their own that know [`api`], [`config`] and [`plugins`].
//!
//! * [`api`]: what a connector, a task, a converter and a record are.
//! * [`config`]: definitions of configuration keys, their validation, their JSON; secrets.
//! * [`converters`]: String, Json, ByteArray and the fixed-width ones.
//! * [`connectors`]: the file connectors.
//! * [`plugins`]: which of these a worker has, by Kafka's names.
//! * [`herder`]: which connectors and tasks there are: a state machine, and what carries out its commands.
//! * [`runtime`]: runs one task.
//! * [`kafka`]: the config, offset and status topic, in Kafka Connect's own formats.
//! * [`rest`]: the REST API of Kafka Connect 4.x.
//! * [`worker`]: puts it all together.
//!
//! Invariants:
//!
//! * A source's offset is committed only after every record up to it is acknowledged (or given up by the error handler).
//! * A sink's offset is committed only after the task has flushed everything up to it, and its dead letters are written.
//! * What the worker runs follows from what it has read in its topics: a killed worker resumes from them.
//! * No record and no plugin ends the worker: the task becomes FAILED and says why.

pub mod api;
pub mod config;
pub mod connectors;
pub mod converters;
pub mod herder;
pub mod kafka;
pub mod plugins;
pub mod rest;
pub mod runtime;
pub mod worker;

pub use herder::{Herder, HerderError, Idle};
pub use worker::{StartError, Worker, WorkerConfig, WorkerHandle};
