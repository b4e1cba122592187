//! The herder: which connectors and tasks there are, and what they are doing.
//!
//! ```text
//!   REST, up ──▶ service ──records──▶ config topic ──▶ machine ──commands──▶ executor ──▶ connectors, tasks
//!                                                         ▲                                  │
//!                                                         └──────────── events ◀─────────────┘
//! ```
//!
//! * [`machine`]: all decisions, without I/O; [`config_state`] is what the config topic says.
//! * [`config_record`], [`status_record`]: the formats of the config and the status topic.
//! * [`executor`], [`connector_run`]: carry out what the machine commands.
//! * [`service`], [`offsets`], [`idle`]: the requests that a worker takes.
//! * [`validate`]: whether a configuration works.
//!
//! Invariant: a request changes nothing but the topics. What it wrote acts when it is read back, like everything that
//! another worker wrote.

pub mod config_record;
pub mod config_state;
pub mod connector_run;
pub mod error;
pub mod executor;
pub mod idle;
pub mod info;
pub mod machine;
pub mod names;
pub mod offsets;
pub mod outbox;
pub mod service;
pub mod status_record;
pub mod validate;

pub use error::HerderError;
pub use info::{ConnectorInfo, ConnectorStatus, Idle, TaskInfo, TaskState};
pub use names::{State, TargetState, TaskId};
pub use offsets::ConnectorOffset;
pub use service::{Herder, Put, PutMode};
