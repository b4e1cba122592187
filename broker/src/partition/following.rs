//! What a partition does as follower, and for its in-sync replicas as leader.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use replica::{
    Changed, Divergence, FetchPosition, FromLeader, IsrOutcome, IsrProposal, NextFetch, TakeError,
    Truncation,
};
use storage::log::AppendError;
use storage::{DiskError, LogDir};
use thiserror::Error;

use super::hosted::Partition;
use super::waiters::{FetchWait, News};

/// What a leader's answer has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The log's start has moved: the checkpoint must know before a crash.
    pub(crate) start_moved: bool,
}

/// Why a follower could not truncate.
#[derive(Debug, Error)]
pub(crate) enum TruncateError {
    /// The checkpoint could not be lowered.
    #[error("failed to lower the recovery point checkpoint")]
    Checkpoint(#[source] DiskError),
    /// The log could not be cut.
    #[error("failed to cut the log")]
    Cut(#[source] storage::log::OpenError),
}

impl Partition {
    /// Where this replica fetches next. When something must be flushed first, the flush is asked for and `wait` told when it is
    /// done.
    pub(crate) fn next_fetch(self: &Arc<Self>, wait: &Arc<FetchWait>) -> NextFetch {
        let mut inner = self.inner.lock();
        let next = inner.replica.next_fetch();
        let flush = next == NextFetch::AfterFlush;
        if flush {
            inner.waiters.add_fetch(wait, News::Flushed);
        }
        drop(inner);
        if flush {
            self.request_flush();
        }
        if self.gate.is_open() { next } else { NextFetch::None }
    }

    /// Whether it is led here and lacks in-sync replicas.
    pub(crate) fn is_under_replicated(&self) -> bool {
        self.inner.lock().replica.is_under_replicated()
    }

    /// Whether it is led here.
    pub(crate) fn leads(&self) -> bool {
        self.inner.lock().replica.is_leader()
    }

    /// Whether this replica follows, and whom.
    pub(crate) fn follows(&self) -> Option<i32> {
        let inner = self.inner.lock();
        inner.replica.is_follower().then(|| inner.replica.assignment().leader)
    }

    /// Takes records from the leader (none while the disk takes no writes); one `pwritev` a batch. A flush is asked for where the next fetch needs one.
    ///
    /// # Errors
    /// [`TakeError`].
    pub(crate) fn take(
        self: &Arc<Self>,
        answer: &FromLeader,
        now_ms: i64,
    ) -> Result<Taken, TakeError> {
        if !self.gate.is_open() {
            // Not even what would fit: the room is needed to say that there is none.
            return Ok(Taken { start_moved: false });
        }
        let mut inner = self.inner.lock();
        let start = inner.replica.log().start_offset();
        let taken = inner.replica.take(answer, now_ms);
        inner.touched |= !answer.records.is_empty();
        if let Err(TakeError::Append(AppendError::Disk(error))) = &taken {
            inner.report(self, error);
        }
        let changed = *taken.as_ref().unwrap_or(&Changed::default());
        let start_moved = inner.replica.log().start_offset() > start;
        let flush = inner.replica.rules().flush_before_ack && inner.replica.needs_flush();
        let wakeups = inner.news(changed);
        drop(inner);
        wakeups.wake();
        if flush {
            self.request_flush();
        }
        taken.map(|_| Taken { start_moved })
    }

    /// The leader's answer to a fetch at `position` says where this log departs from its own.
    pub(crate) fn diverged(
        &self,
        position: &FetchPosition,
        told: Divergence,
    ) -> Option<Truncation> {
        self.inner.lock().replica.diverged(position, told)
    }

    /// The leader has not what comes at `position`; its log begins at `leader_start`.
    pub(crate) fn out_of_range(
        &self,
        position: &FetchPosition,
        leader_start: i64,
    ) -> Option<Truncation> {
        self.inner.lock().replica.out_of_range(position, leader_start)
    }

    /// Truncates the log, so that a crash at any moment finds a log and checkpoints that agree. Blocks.
    ///
    /// # Errors
    /// [`TruncateError`].
    pub(crate) fn truncate(
        self: &Arc<Self>,
        truncation: &Truncation,
        log_dir: &LogDir,
        now_ms: i64,
    ) -> Result<(), TruncateError> {
        if !self.inner.lock().replica.prepare(truncation) {
            return Ok(());
        }
        log_dir.write_checkpoints([self.checkpointed()]).map_err(TruncateError::Checkpoint)?;
        let mut inner = self.inner.lock();
        let before = inner.replica.log().end_offset();
        let cut = inner.replica.truncate(truncation, now_ms).map_err(TruncateError::Cut)?;
        let after = inner.replica.log().end_offset();
        let flush = inner.replica.needs_flush();
        drop(inner);
        if flush {
            // A flush that was under way says nothing any more.
            self.request_flush();
        }
        if cut && before != after {
            tracing::info!(partition = %self, from = before, "the log was {truncation}, as its leader's is");
        }
        Ok(())
    }

    /// Name, recovery point and start, as the checkpoints hold them.
    pub(crate) fn checkpointed(&self) -> ((String, i32), i64, i64) {
        let inner = self.inner.lock();
        let log = inner.replica.log();
        ((self.topic.to_string(), self.index), log.recovery_point(), log.start_offset())
    }

    /// A change of the in-sync replicas that is due, if any; see [`replica::Replica::propose`].
    pub(crate) fn propose(
        &self,
        monotonic_ms: i64,
        eligible: impl Fn(i32, i64) -> bool,
    ) -> Option<IsrProposal> {
        self.isr_wanted.store(false, Ordering::Release);
        let mut inner = self.inner.lock();
        if inner.replica.assignment().replicas.len() < 2 {
            return None;
        }
        let changed = inner.replica.tick(monotonic_ms);
        let proposal = inner.replica.propose(monotonic_ms, eligible);
        let wakeups = inner.news(changed);
        drop(inner);
        wakeups.wake();
        proposal
    }

    /// A follower has become fit to join since the last [`Partition::propose`].
    pub(crate) fn wants_isr_change(&self) -> bool {
        self.isr_wanted.load(Ordering::Acquire)
    }

    pub(super) fn want_isr_change(&self) {
        self.isr_wanted.store(true, Ordering::Release);
    }

    /// Takes what became of a proposal.
    pub(crate) fn isr_answered(
        &self,
        proposal: &IsrProposal,
        outcome: IsrOutcome,
        monotonic_ms: i64,
    ) {
        let mut inner = self.inner.lock();
        let changed = inner.replica.isr_answered(proposal, outcome, monotonic_ms);
        let wakeups = inner.news(changed);
        drop(inner);
        wakeups.wake();
    }
}
