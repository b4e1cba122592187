//! One partition as its leader sees it: no I/O, no clock, no locks. Replication comes in here.

use std::sync::Arc;

use protocol::ErrorCode;
use storage::log::OffsetPosition;

/// What the metadata image says of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) leader: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) replicas: Arc<[i32]>,
    pub(crate) isr: Arc<[i32]>,
}

/// The rules that a partition's configs set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommitRules {
    /// `min.insync.replicas`.
    pub(crate) min_insync_replicas: usize,
    /// `log.flush.before.ack`: this replica counts as holding a record only when it is on disk.
    pub(crate) flush_before_ack: bool,
}

/// A partition's state on this node.
#[derive(Debug)]
pub(crate) struct PartitionState {
    node_id: i32,
    assignment: Assignment,
    rules: CommitRules,
    /// End of the local log, and how much of it is on disk.
    end: OffsetPosition,
    durable: OffsetPosition,
    high_watermark: OffsetPosition,
    /// The topic was deleted.
    deleted: bool,
}

impl PartitionState {
    /// The state after the log was opened: everything in it is durable.
    pub(crate) fn new(
        node_id: i32,
        assignment: Assignment,
        rules: CommitRules,
        end: OffsetPosition,
    ) -> Self {
        Self { node_id, assignment, rules, end, durable: end, high_watermark: end, deleted: false }
    }

    pub(crate) fn leader_epoch(&self) -> i32 {
        self.assignment.leader_epoch
    }

    pub(crate) fn leader(&self) -> i32 {
        self.assignment.leader
    }

    pub(crate) fn high_watermark(&self) -> OffsetPosition {
        self.high_watermark
    }

    pub(crate) fn flushes_before_ack(&self) -> bool {
        self.rules.flush_before_ack
    }

    /// Takes a new assignment from the image. Returns whether the high watermark moved.
    pub(crate) fn assign(&mut self, assignment: Assignment) -> bool {
        self.assignment = assignment;
        self.advance()
    }

    /// Takes changed configs. Returns whether the high watermark moved.
    pub(crate) fn set_rules(&mut self, rules: CommitRules) -> bool {
        self.rules = rules;
        self.advance()
    }

    /// The topic is gone: nothing is served any more.
    pub(crate) fn delete(&mut self) {
        self.deleted = true;
    }

    /// Whether this node may serve clients, who may say which leader epoch they know (-1: they do not).
    ///
    /// # Errors
    /// UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH.
    pub(crate) fn serve(&self, known_epoch: i32) -> Result<(), ErrorCode> {
        if self.deleted {
            return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        }
        if self.assignment.leader != self.node_id {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        match known_epoch {
            epoch if epoch < 0 => Ok(()),
            epoch if epoch < self.assignment.leader_epoch => Err(ErrorCode::FENCED_LEADER_EPOCH),
            epoch if epoch > self.assignment.leader_epoch => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ => Ok(()),
        }
    }

    /// Whether a produce with these acks may be appended.
    ///
    /// # Errors
    /// As [`PartitionState::serve`]; NOT_ENOUGH_REPLICAS under acks=all.
    pub(crate) fn admit(&self, acks: i16) -> Result<(), ErrorCode> {
        self.serve(-1)?;
        // As in Kafka the config itself counts here, not what the replica count makes possible.
        if acks == -1 && self.assignment.isr.len() < self.rules.min_insync_replicas {
            return Err(ErrorCode::NOT_ENOUGH_REPLICAS);
        }
        Ok(())
    }

    /// The local log grew. Returns whether the high watermark moved.
    pub(crate) fn appended(&mut self, end: OffsetPosition) -> bool {
        self.end = end;
        self.advance()
    }

    /// The local log is on disk up to `end`. Returns whether the high watermark moved.
    pub(crate) fn flushed(&mut self, end: OffsetPosition) -> bool {
        if end.offset > self.durable.offset {
            self.durable = end;
        }
        self.advance()
    }

    fn advance(&mut self) -> bool {
        let isr = &self.assignment.isr;
        let possible = self.rules.min_insync_replicas.min(self.assignment.replicas.len());
        // Another replica's end is not known here until replication reports it: the watermark stays.
        let alone = isr.iter().all(|id| *id == self.node_id);
        if isr.len() < possible || !alone {
            return false;
        }
        let held = if self.rules.flush_before_ack { self.durable } else { self.end };
        if held.offset <= self.high_watermark.offset {
            return false;
        }
        self.high_watermark = held;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> OffsetPosition {
        OffsetPosition { offset, segment_base: 0, position: offset as u64 * 10 }
    }

    fn assignment(leader: i32, epoch: i32, isr: &[i32]) -> Assignment {
        Assignment { leader, leader_epoch: epoch, replicas: isr.into(), isr: isr.into() }
    }

    fn state(flush_before_ack: bool, min_insync_replicas: usize) -> PartitionState {
        let rules = CommitRules { min_insync_replicas, flush_before_ack };
        PartitionState::new(1, assignment(1, 4, &[1]), rules, at(0))
    }

    #[test]
    fn what_is_not_on_disk_is_not_committed() {
        let mut state = state(true, 1);
        assert!(!state.appended(at(5)));
        assert!(!state.appended(at(7)));
        assert!(state.flushed(at(5)));
        assert_eq!(state.high_watermark(), at(5));
        assert!(!state.flushed(at(3)), "an older flush that ends later takes nothing back");
        assert!(state.flushed(at(7)));
    }

    #[test]
    fn without_the_rule_an_append_commits() {
        let mut state = state(false, 1);
        assert!(state.appended(at(5)));
        assert_eq!(state.high_watermark(), at(5));
        assert!(!state.flushed(at(5)));
    }

    #[test]
    fn turning_the_rule_off_commits_what_waits() {
        let mut state = state(true, 1);
        state.appended(at(5));
        let rules = CommitRules { min_insync_replicas: 1, flush_before_ack: false };
        assert!(state.set_rules(rules));
        assert_eq!(state.high_watermark(), at(5));
    }

    #[test]
    fn the_watermark_waits_for_replicas_that_have_not_reported() {
        let mut state = state(false, 1);
        state.assign(assignment(1, 5, &[1, 2]));
        assert!(!state.appended(at(5)));
        assert!(state.assign(assignment(1, 6, &[1])));
        assert_eq!(state.high_watermark(), at(5));
    }

    #[test]
    fn acks_all_needs_enough_replicas() {
        let state = state(false, 2);
        assert_eq!(state.admit(-1), Err(ErrorCode::NOT_ENOUGH_REPLICAS));
        assert_eq!(state.admit(1), Ok(()));
    }

    #[test]
    fn epochs_fence() {
        let mut state = state(true, 1);
        assert_eq!(state.serve(4), Ok(()));
        assert_eq!(state.serve(3), Err(ErrorCode::FENCED_LEADER_EPOCH));
        assert_eq!(state.serve(5), Err(ErrorCode::UNKNOWN_LEADER_EPOCH));
        state.assign(assignment(2, 5, &[2]));
        assert_eq!(state.admit(1), Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        state.delete();
        assert_eq!(state.serve(-1), Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    }
}
