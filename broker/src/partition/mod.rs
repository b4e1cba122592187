//! Partitions on this broker: decisions without I/O over a log.
//!
//! | file | what |
//! |---|---|
//! | [`state`] | who leads, how far records are committed, who may write: a state machine without I/O or clock |
//! | [`validate`] | what a produced batch must be |
//! | [`replica`] | [`Partition`]: state and log under one short lock; append, flush, who waits for what |
//! | [`read`] | fetch, search by time, DeleteRecords |
//! | [`waiters`] | produces that wait for commit, fetches that wait for records |
//! | [`registry`] | [`Partitions`]: all of them, as the metadata image says |
//! | [`housekeeping`] | retention, checkpoints, expiry; the clean stop |
//! | [`settings`] | a topic's configs as the partition needs them |
//!
//! A record is committed (visible, and acknowledged under acks=all) when it is on every in-sync replica, and on the disk
//! of this one if `log.flush.before.ack` says so: what a consumer has seen does not vanish with the power.

mod housekeeping;
mod read;
mod registry;
mod replica;
mod settings;
mod state;
mod validate;
mod waiters;

pub(crate) use read::{OffsetQuery, PartitionRead, ReadBound, ReadRequest};
pub(crate) use registry::{HostedTopic, Partitions, PartitionsView};
pub(crate) use replica::{Accepted, Partition, Refusal};
pub(crate) use waiters::{CommitWait, FetchWait};
