//! Partitions on this broker: the executor half of [`replica`]'s decisions.
//!
//! | file | what |
//! |---|---|
//! | [`validate`] | what a produced batch must be |
//! | [`hosted`] | [`Partition`]: a replica under one short lock; append, flush, who waits for what |
//! | [`following`] | the follower's side: taking records, truncating; the in-sync replicas' changes |
//! | [`read`] | fetch, search by time, DeleteRecords |
//! | [`waiters`] | produces that wait for commit, fetches that wait for records |
//! | [`gate`] | [`LogDirGate`]: whether the disk takes writes, for everybody at once |
//! | [`registry`] | [`Partitions`]: all of them, as the metadata image says |
//! | [`housekeeping`] | retention, checkpoints, expiry; the clean stop |
//! | [`settings`] | a topic's configs as the partition needs them |
//!
//! A record is committed (visible, and acknowledged under acks=all) when it is on every in-sync replica, and on the disk
//! of this one if `log.flush.before.ack` says so: what a consumer has seen does not vanish with the power.

mod following;
mod gate;
mod hosted;
mod housekeeping;
mod read;
mod registry;
mod reopen;
mod settings;
mod validate;
mod waiters;

pub(crate) use following::TruncateError;
pub(crate) use gate::LogDirGate;
pub(crate) use hosted::{Accepted, Partition, Refusal};
pub(crate) use read::{OffsetQuery, PartitionRead, ReadRequest, Reader};
pub(crate) use registry::{HostedTopic, Partitions, PartitionsView};
pub(crate) use waiters::{CommitOutcome, CommitWait, FetchWait, SessionNews, Watched};
