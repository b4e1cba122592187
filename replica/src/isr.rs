use std::sync::Arc;

use crate::leader::Progress;
use crate::replica::Role;
use crate::{Assignment, Changed, Replica};

/// A change of the in-sync replicas that the leader asks the controller for (AlterPartition).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsrProposal {
    /// The wanted ISR: node ids, and the registrations under which they fetch (KIP-903; -1: not known, as for the
    /// leader itself).
    pub isr: Vec<(i32, i64)>,
    /// The leadership that asks.
    pub leader_epoch: i32,
    /// The state that it asks to change.
    pub partition_epoch: i32,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IsrOutcome {
    /// The controller has decided, and this is the partition's state now.
    Decided {
        /// Leader's node id.
        leader: i32,
        /// Leader epoch.
        leader_epoch: i32,
        /// Partition epoch.
        partition_epoch: i32,
        /// In-sync replicas.
        isr: Vec<i32>,
    },
    /// The controller has refused and changed nothing.
    Refused,
    /// It may or may not have been executed (no answer), or the state had changed before: the metadata will tell.
    Unknown,
}

impl Replica {
    /// Who should be in sync now, when that is not who is: without those that have lagged for `max_lag_ms`, with those that
    /// hold all that is committed and all from before this leadership. `eligible` says of a node and the broker epoch it
    /// fetches under whether the metadata agrees (registered so, not fenced, not shutting down).
    ///
    /// One proposal at a time: the next comes after [`Replica::isr_answered`] or a new assignment.
    pub fn propose(
        &mut self,
        now_ms: i64,
        eligible: impl Fn(i32, i64) -> bool,
    ) -> Option<IsrProposal> {
        let end = self.log.end_offset();
        let needed = self.high_watermark.offset;
        #[cfg(feature = "planted")]
        let (early, any_epoch, wiped) = (
            self.has(crate::Planted::JoinBeforeCaughtUp),
            self.has(crate::Planted::BrokerEpochIgnored),
            self.has(crate::Planted::ProgressWiped),
        );
        let Role::Leader(leader) = &mut self.role else { return None };
        leader.now_ms = leader.now_ms.max(now_ms);
        if leader.proposed {
            return None;
        }
        let needed = needed.max(leader.epoch_start);
        #[cfg(feature = "planted")]
        let needed = if early { 0 } else { needed };
        #[cfg(feature = "planted")]
        let eligible = |id, epoch| eligible(id, if any_epoch { -1 } else { epoch });
        let (isr, rules) = (&self.assignment.isr, &self.rules);
        let is_in = |follower: &&Progress| {
            if isr.contains(&follower.id) {
                !follower.lags(end, now_ms, rules)
            } else {
                #[cfg(feature = "planted")]
                if wiped && now_ms < follower.since_ms + 100 {
                    return false;
                }
                follower.end >= needed && eligible(follower.id, follower.broker_epoch)
            }
        };
        let next: Vec<_> = std::iter::once((self.node_id, -1))
            .chain(leader.followers.iter().filter(is_in).map(|f| (f.id, f.broker_epoch)))
            .collect();
        #[cfg(feature = "planted")]
        let next: Vec<_> = if any_epoch {
            next.into_iter().map(|(id, _): (i32, i64)| (id, -1)).collect()
        } else {
            next
        };
        let same = next.len() == isr.len() && next.iter().all(|(id, _)| isr.contains(id));
        if same {
            return None;
        }
        let added = next.iter().map(|(id, _)| *id).filter(|id| !isr.contains(id));
        for id in added {
            if !leader.counted.contains(&id) {
                leader.counted.push(id);
            }
        }
        leader.proposed = true;
        Some(IsrProposal {
            isr: next,
            leader_epoch: self.assignment.leader_epoch,
            partition_epoch: self.assignment.partition_epoch,
        })
    }

    /// Takes what became of `proposal`; ignored when a newer assignment has come in the meantime.
    pub fn isr_answered(
        &mut self,
        proposal: &IsrProposal,
        outcome: IsrOutcome,
        now_ms: i64,
    ) -> Changed {
        if let IsrOutcome::Decided { leader, leader_epoch, partition_epoch, isr } = outcome {
            let replicas = Arc::clone(&self.assignment.replicas);
            let isr = isr.into();
            let next = Assignment { leader, leader_epoch, partition_epoch, replicas, isr };
            let changed = self.assign(next, now_ms);
            // The same state again: the controller found nothing to change.
            self.settle(proposal);
            return Changed { committed: changed.committed | self.advance(), ..changed };
        }
        let max_lag_ms = self.rules.max_lag_ms;
        let known = outcome == IsrOutcome::Refused;
        let Role::Leader(leader) = &mut self.role else { return Changed::default() };
        if self.assignment.partition_epoch != proposal.partition_epoch {
            return Changed::default();
        }
        leader.proposed = false;
        if !known {
            leader.doubt_since.get_or_insert(now_ms);
        } else if leader.doubt_since.is_none_or(|since| now_ms.saturating_sub(since) > max_lag_ms) {
            // An earlier proposal without an answer may still arrive at the controller; not after so long.
            leader.settle();
        }
        Changed { committed: self.advance(), ..Changed::default() }
    }

    fn settle(&mut self, proposal: &IsrProposal) {
        if let Role::Leader(leader) = &mut self.role
            && self.assignment.partition_epoch == proposal.partition_epoch
        {
            leader.settle();
        }
    }

    /// Moves the watermark on when a follower that it waited for has been silent for too long. Call now and then.
    pub fn tick(&mut self, now_ms: i64) -> Changed {
        if let Role::Leader(leader) = &mut self.role {
            leader.now_ms = leader.now_ms.max(now_ms);
        }
        Changed { committed: self.advance(), ..Changed::default() }
    }

    /// Whether the leader has fewer in-sync replicas than replicas.
    pub fn is_under_replicated(&self) -> bool {
        self.is_leader() && self.assignment.isr.len() < self.assignment.replicas.len()
    }
}
