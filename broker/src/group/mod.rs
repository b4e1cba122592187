//! The group coordinator: the executor around the state machines of [`groups`].
//!
//! | module | what |
//! |---|---|
//! | [`coordinator`] | carries out what machines decide: writes, answers, timers |
//! | [`log`] | the partitions of `__consumer_offsets`, as the coordinator needs them |
//! | [`load`] | reads a partition at start |
//! | [`waiter`] | who waits for a group's answer |
//! | [`timer`] | wakes groups when a deadline comes |
//!
//! # Invariants
//! - A commit or a new assignment is answered only when its records are durable, as any other write with acks=all.
//! - A fetch of offsets shows only committed commits: also what was read at the start has to be committed first.
//! - While a partition loads, its groups answer COORDINATOR_LOAD_IN_PROGRESS; nothing else waits for it.

mod coordinator;
mod load;
mod log;
mod operations;
mod timer;
mod views;
mod waiter;

pub(crate) use coordinator::{GroupCoordinator, GroupLog};
pub(crate) use operations::{CommitPartition, Committer, FetchedOffset};
pub(crate) use views::{GroupDescription, MemberDescription};
