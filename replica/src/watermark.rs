use storage::log::OffsetPosition;

use crate::Replica;
use crate::replica::Role;

impl Replica {
    /// Everything before it is committed: consumers see it, acks=all is answered.
    pub fn high_watermark(&self) -> OffsetPosition {
        self.high_watermark
    }

    /// Records before it are gone everywhere: the least of where this leader's log starts and where those of the followers do
    /// that `counts` is true of (node id). `None` where this node does not lead.
    pub fn low_watermark(&self, counts: impl Fn(i32) -> bool) -> Option<i64> {
        let Role::Leader(leader) = &self.role else { return None };
        let followers = leader.followers.iter().filter(|follower| counts(follower.id));
        let starts = followers.map(|follower| follower.log_start);
        Some(starts.fold(self.log.start_offset(), i64::min))
    }

    /// What this replica itself holds, as the rules count it.
    pub(crate) fn held(&self) -> OffsetPosition {
        if self.rules.flush_before_ack { self.durable } else { self.log.end() }
    }

    /// Moves the leader's high watermark to what the maximal ISR holds. Returns whether it moved.
    ///
    /// It stands still below the effective min ISR (KIP-966), so that what is committed is on enough replicas.
    pub(crate) fn advance(&mut self) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        let (isr, rules) = (&self.assignment.isr, &self.rules);
        if isr.len() < rules.effective_min_isr(self.assignment.replicas.len()) {
            return false;
        }
        let own = self.held();
        let end = self.log.end_offset();
        let mut least = own.offset;
        #[cfg(feature = "planted")]
        if self.has(crate::Planted::CommitAlone) {
            self.high_watermark = own;
            return true;
        }
        for follower in leader.followers.iter().filter(|follower| follower.end < own.offset) {
            #[cfg(feature = "planted")]
            if self.is_left_out(follower, leader) {
                continue;
            }
            let counts = isr.contains(&follower.id)
                || leader.counted.contains(&follower.id)
                || follower.is_joining(end, leader.now_ms, rules);
            if counts {
                least = least.min(follower.end);
            }
        }
        if least <= self.high_watermark.offset {
            return false;
        }
        self.high_watermark = if least == own.offset { own } else { self.log.bound(least) };
        true
    }

    #[cfg(feature = "planted")]
    fn is_left_out(
        &self,
        follower: &crate::leader::Progress,
        leader: &crate::leader::Leader,
    ) -> bool {
        let in_sync = self.assignment.isr.contains(&follower.id);
        (self.has(crate::Planted::MaximalIsrIgnored) && !in_sync)
            || (self.has(crate::Planted::ShrinkTakenForDecided)
                && leader.proposed
                && follower.lags(self.log.end_offset(), leader.now_ms, &self.rules))
    }

    /// A follower's: what the leader told, as far as it is here.
    pub(crate) fn learn_high_watermark(&mut self, told: i64) -> bool {
        let known = told.min(self.log.end_offset());
        if known <= self.high_watermark.offset {
            return false;
        }
        self.high_watermark = self.log.bound(known);
        true
    }
}
