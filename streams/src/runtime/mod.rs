//! The worker: tasks of one application, driven by a thread of their own, as a member of a consumer group.
//!
//! * [`Worker`], [`WorkerHandle`]: start, status, stop.
//! * `thread`: the loop of poll → process → commit; `tasks`: which tasks there are, restoring and committing them.
//! * `plan`: topics that must be there, and internal topics that are made.
//! * `sender`: what tasks send, and whether it arrived.
//! * `status`, `admin_http`: what the worker tells of itself; `lag`: how far behind it is.
//!
//! The loop runs on a thread of its own, since state stores may block; what is asynchronous it waits for on the
//! runtime that started it. Whatever fails there ends the *session* (tasks are abandoned, never half committed), is
//! shown in the status, and is tried anew after a pause.

mod admin_http;
mod config;
mod lag;
mod metrics;
mod plan;
mod sender;
mod status;
mod tasks;
mod thread;
mod worker;

pub use config::{StartError, WorkerConfig};
pub use status::{InputStatus, TaskStatus, WorkerState, WorkerStatus};
pub use worker::{Stopped, Worker, WorkerHandle};
