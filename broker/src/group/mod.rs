//! Consumer groups (classic protocol) and committed offsets.
//!
//! | module | what |
//! |---|---|
//! | [`machine`] | one group as a state machine; no I/O, time is a parameter |
//! | [`offsets`] | a group's committed offsets, and when they expire |
//! | [`shard`] | all groups of one partition of `__consumer_offsets`; replays its records |
//! | [`record`] | Kafka's record formats in that topic |
//! | [`coordinator`] | carries out what machines decide: writes, answers, timers |
//! | [`log`] | the partitions of `__consumer_offsets`, as the coordinator needs them |
//! | [`load`] | reads a partition at start |
//! | [`timer`] | wakes groups when a deadline comes |
//!
//! # Invariants
//! - A commit or a new assignment is answered only when its records are durable, as any other write with acks=all.
//! - A fetch of offsets shows only durable commits.
//! - While a partition loads, its groups answer COORDINATOR_LOAD_IN_PROGRESS; nothing else waits for it.

mod coordinator;
mod load;
mod log;
pub(crate) mod machine;
pub(crate) mod offsets;
mod operations;
mod record;
mod shard;
mod subscription;
mod timer;
mod views;

pub(crate) use coordinator::{GroupCoordinator, GroupLog};
pub(crate) use operations::{CommitPartition, Committer, FetchedOffset};
pub(crate) use views::{GroupDescription, MemberDescription};

/// Kafka's internal topic that holds groups and offsets.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The partition of [`OFFSETS_TOPIC`] that a group lives in: Java's `hashCode`, so that Kafka's tools find it.
pub(crate) fn partition_for(group_id: &str, partitions: i32) -> i32 {
    let hash =
        group_id.encode_utf16().fold(0i32, |h, c| h.wrapping_mul(31).wrapping_add(i32::from(c)));
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `Utils.abs(id.hashCode()) % 50`.
    #[test]
    fn partition_is_javas() {
        let table =
            [("", 0), ("a", 47), ("my-group", 12), ("console-consumer-12345", 6), ("ž🎉", 13)];
        for (group, want) in table {
            assert_eq!(partition_for(group, 50), want, "{group}");
        }
        assert_eq!(partition_for("polygenelubricants", 50), 0, "hash is i32::MIN");
    }
}
