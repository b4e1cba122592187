//! Consumer groups of the classic protocol, and the offsets that they commit: what a coordinator decides, without sockets,
//! threads, clock or log. Whoever owns a [`Shard`] writes what groups want written, tells them when it is committed, and
//! answers whom they answer.
//!
//! | module | what |
//! |---|---|
//! | [`machine`] | one group as a state machine |
//! | [`offsets`] | a group's committed offsets, and when they expire |
//! | [`shard`] | all groups of one partition of `__consumer_offsets`, and how they are read back from its records |
//! | [`record`] | Kafka's record formats in that topic |
//! | [`refusal()`] | what members are told when the partition refuses an append |
//!
//! Must not know: tokio, partitions' replicas, who asks.
//!
//! # Invariants
//! - What is read back from the records of a partition is what its groups had told anybody: an assignment or an offset is
//!   told only after its record is committed.
//! - Time is a parameter, by two clocks ([`Now`]).

pub mod machine;
pub mod offsets;
pub mod record;
mod refusal;
pub mod shard;
mod subscription;

pub use machine::{
    Effect, Group, GroupSettings, Join, JoinAnswer, JoinMember, Leaving, Member, Now, Persist,
    RequestId, State, Sync, SyncAnswer,
};
pub use offsets::{CommittedOffset, Offsets};
pub use refusal::refusal;
pub use shard::{Cell, Replay, ReplayError, Shard};
pub use subscription::subscribed_topics;

/// Kafka's internal topic that holds groups and offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The partition of [`OFFSETS_TOPIC`] that a group lives in: Java's `hashCode`, so that Kafka's tools find it.
pub fn partition_for(group_id: &str, partitions: i32) -> i32 {
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
