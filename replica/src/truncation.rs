use storage::log::OpenError;

use crate::{Divergence, FetchPosition, Replica};

/// A cut that a follower has to make before it goes on: [`Replica::prepare`] it, write the checkpoint of recovery points, then
/// [`Replica::truncate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncation {
    leader_epoch: i32,
    /// Where the log ended when it was decided.
    end: i64,
    cut: Cut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Drop what is at or after it.
    From(i64),
    /// Drop everything and begin there.
    Anew(i64),
}

impl std::fmt::Display for Truncation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.cut {
            Cut::From(offset) => write!(f, "truncated to offset {offset}"),
            Cut::Anew(offset) => write!(f, "begun anew at offset {offset}"),
        }
    }
}

impl Replica {
    /// The leader's answer to a fetch at `position` says where this log departs from its own. One step: when this log does
    /// not know the epoch either, the next fetch finds the next divergence (KIP-279). `None`: the log has moved on since, and
    /// what is said of it is no longer true.
    pub fn diverged(&self, position: &FetchPosition, told: Divergence) -> Option<Truncation> {
        self.is_current(position).then(|| {
            let end = self.log.end_offset();
            let known = self.log.epochs().end_offset_for(told.epoch, end);
            let offset = match known {
                _ if told.epoch < 0 => told.end_offset,
                // The same epoch here and there holds the same records: the shorter end counts.
                Some((epoch, own_end)) if epoch == told.epoch => own_end.min(told.end_offset),
                // Not known here: all after the last epoch that both could know.
                Some((_, own_end)) => own_end,
                None => told.end_offset,
            };
            let leader_epoch = position.leader_epoch;
            Truncation { leader_epoch, end, cut: Cut::From(offset.clamp(0, end)) }
        })
    }

    /// The leader, whose log begins at `leader_start`, has not what comes at `position`.
    pub fn out_of_range(&self, position: &FetchPosition, leader_start: i64) -> Option<Truncation> {
        let valid = self.is_current(position) && leader_start >= 0;
        let (leader_epoch, end) = (position.leader_epoch, position.offset);
        valid.then_some(Truncation { leader_epoch, end, cut: Cut::Anew(leader_start) })
    }

    /// Lowers the recovery point to what will be left. The caller makes it durable before it truncates.
    ///
    /// Returns whether the cut is still wanted.
    pub fn prepare(&mut self, truncation: &Truncation) -> bool {
        if !self.wants(truncation) {
            return false;
        }
        self.log.prepare_truncation(match truncation.cut {
            Cut::From(offset) => offset,
            Cut::Anew(_) => 0,
        });
        true
    }

    /// Makes the cut, durably; producers' state and epochs follow. Returns whether it was still wanted.
    ///
    /// # Errors
    /// When a file cannot be cut: the log takes no writes any more.
    pub fn truncate(&mut self, truncation: &Truncation, wall_ms: i64) -> Result<bool, OpenError> {
        if !self.wants(truncation) {
            return Ok(false);
        }
        match truncation.cut {
            Cut::From(offset) => self.log.truncate_to(offset, wall_ms)?,
            Cut::Anew(offset) => self.log.reset_to(offset, wall_ms)?,
        }
        let end = self.log.end();
        if self.durable.offset >= end.offset {
            self.durable = end;
        }
        // Even where its offset stays, the segment may be gone in which its place was: what is appended there later would be
        // read as if it were committed.
        let committed = self.high_watermark.offset.min(end.offset).max(self.log.start_offset());
        self.high_watermark = self.log.bound(committed);
        Ok(true)
    }

    fn wants(&self, truncation: &Truncation) -> bool {
        self.follows(truncation.leader_epoch) && self.log.end_offset() == truncation.end
    }

    fn follows(&self, leader_epoch: i32) -> bool {
        self.is_follower() && self.assignment.leader_epoch == leader_epoch
    }

    /// Whether a fetch at `position` asked for what this replica needs now. The same end under the same last epoch is the same
    /// log; the same end alone is not: an answer that comes late must not cut off what has come since.
    pub(crate) fn is_current(&self, position: &FetchPosition) -> bool {
        #[cfg(feature = "planted")]
        if self.has(crate::Planted::EpochsIgnored) {
            return self.is_follower() && self.log.end_offset() == position.offset;
        }
        self.follows(position.leader_epoch)
            && self.log.end_offset() == position.offset
            && self.log.epochs().latest().unwrap_or(-1) == position.last_fetched_epoch
    }
}
