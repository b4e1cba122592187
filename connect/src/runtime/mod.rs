//! What runs the tasks: one tokio task each, watched over by [`task::supervise`].
//!
//! * [`source_task`], [`committer`]: poll → convert → produce → commit.
//! * [`sink_task`]: consume → convert → put → flush → commit.
//! * [`conversion`]: between Kafka's bytes and Connect's values, record by record.
//! * [`tolerance`], [`dead_letters`]: what becomes of records that cannot be handled.

pub mod committer;
pub mod conversion;
pub mod converters;
pub mod dead_letters;
pub mod overrides;
pub mod progress;
pub mod reporter;
pub mod sink_task;
pub mod source_task;
pub mod task;
pub mod tolerance;
pub mod topic_creation;
