use storage::Log;
use storage::log::OffsetPosition;

use crate::leader::Leader;
use crate::{Assignment, Rules};

/// What this node is to the partition.
#[derive(Debug)]
pub(crate) enum Role {
    Leader(Leader),
    Follower,
    /// The partition has no leader, or this node is none of its replicas.
    Idle,
}

/// A partition's replica: its log and what this node is to it.
#[derive(Debug)]
pub struct Replica {
    pub(crate) node_id: i32,
    pub(crate) log: Log,
    pub(crate) rules: Rules,
    pub(crate) assignment: Assignment,
    /// How much of the log is on disk.
    pub(crate) durable: OffsetPosition,
    pub(crate) high_watermark: OffsetPosition,
    pub(crate) role: Role,
    pub(crate) removed: bool,
    #[cfg(feature = "planted")]
    pub(crate) planted: Option<crate::Planted>,
}

/// What an event has changed for those who wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct Changed {
    /// The high watermark moved: produces and consumers.
    pub committed: bool,
    /// The leader's log grew: followers.
    pub grown: bool,
    /// This node no longer leads: produces that wait will not be answered from here.
    pub lost: bool,
    /// Leader or leader epoch are others: whoever waits looks again.
    pub role: bool,
}

impl Replica {
    /// The replica after its log was opened: everything in the log is durable. `high_watermark` is the one that was
    /// checkpointed last, if any.
    ///
    /// A replica that is alone has committed all that it has. Another knows no more than its checkpoint, whatever is in its
    /// log: the rest may have been lost elsewhere, and be truncated here.
    pub fn new(
        node_id: i32,
        log: Log,
        rules: Rules,
        assignment: Assignment,
        high_watermark: Option<i64>,
        now_ms: i64,
    ) -> Self {
        let end = log.end();
        let start = log.start_offset();
        let committed = if *assignment.replicas == [node_id] {
            end
        } else {
            log.bound(high_watermark.unwrap_or(start).clamp(start, end.offset.max(start)))
        };
        // Of no leader and before all epochs, so that what is assigned is news.
        let nothing =
            Assignment { leader: -1, leader_epoch: -1, partition_epoch: -1, ..assignment.clone() };
        let mut replica = Self {
            node_id,
            log,
            rules,
            assignment: nothing,
            durable: end,
            high_watermark: committed,
            role: Role::Idle,
            removed: false,
            #[cfg(feature = "planted")]
            planted: None,
        };
        // Nobody waits yet.
        let _ = replica.assign(assignment, now_ms);
        replica
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The log, for housekeeping: retention, flush plans, settings. Appending and truncating go through the replica.
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    /// What the metadata said last.
    pub fn assignment(&self) -> &Assignment {
        &self.assignment
    }

    /// Current rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// Whether this node follows a leader.
    pub fn is_follower(&self) -> bool {
        matches!(self.role, Role::Follower)
    }

    /// Takes what the metadata says now. What is older than what is known (by partition epoch) is ignored: an answer of the
    /// controller may come before the image that says the same.
    pub fn assign(&mut self, next: Assignment, now_ms: i64) -> Changed {
        let known = &self.assignment;
        if self.removed
            || next.partition_epoch < known.partition_epoch
            || next.leader_epoch < known.leader_epoch
        {
            return Changed::default();
        }
        let new_epoch = next.leader_epoch != known.leader_epoch || next.leader != known.leader;
        let decided = next.partition_epoch != known.partition_epoch;
        // Another may have led in an epoch that this node has not seen, and followers truncated to what that one had.
        let passed_over = next.leader_epoch > known.leader_epoch.saturating_add(1);
        #[cfg(feature = "planted")]
        let passed_over = passed_over && !self.has(crate::Planted::ProgressKept);
        let led = self.is_leader();
        self.assignment = next;
        let (leads, follows) = self.wanted_role();
        if leads {
            if passed_over {
                self.role = Role::Idle;
            }
            self.lead(new_epoch || !led, decided, now_ms);
        } else if follows {
            if !self.is_follower() || new_epoch {
                // Epochs under which this node led and wrote nothing would look like a divergence.
                self.log.drop_empty_epochs();
                #[cfg(feature = "planted")]
                if self.has(crate::Planted::TruncateToHighWatermark) {
                    self.cut_at_high_watermark();
                }
            }
            self.role = Role::Follower;
        } else {
            self.role = Role::Idle;
        }
        Changed {
            committed: self.advance(),
            lost: led && !leads,
            role: new_epoch || led != leads,
            grown: false,
        }
    }

    /// Whether this node leads, and whether it follows.
    fn wanted_role(&self) -> (bool, bool) {
        let Assignment { leader, replicas, .. } = &self.assignment;
        let leads = *leader == self.node_id;
        (leads, !leads && *leader >= 0 && replicas.contains(&self.node_id))
    }

    fn lead(&mut self, new_epoch: bool, decided: bool, now_ms: i64) {
        let end = self.log.end_offset();
        if let Role::Leader(leader) = &mut self.role {
            if new_epoch {
                leader.go_on(end, &self.assignment, now_ms);
            } else if decided {
                leader.settle();
            }
        } else {
            self.role = Role::Leader(Leader::new(end, now_ms));
        }
        if new_epoch {
            self.log.begin_epoch(self.assignment.leader_epoch);
        }
        if let Role::Leader(leader) = &mut self.role {
            leader.now_ms = leader.now_ms.max(now_ms);
            #[cfg(feature = "planted")]
            if self.planted == Some(crate::Planted::ProgressWiped) {
                leader.followers.clear();
            }
            leader.set_followers(self.node_id, &self.assignment, now_ms);
        }
    }

    /// Takes changed configs.
    pub fn set_rules(&mut self, rules: Rules) -> Changed {
        self.rules = rules;
        Changed { committed: self.advance(), ..Changed::default() }
    }

    /// The topic is gone, or the replica taken off this node: nothing is served or written any more.
    pub fn remove(&mut self) -> Changed {
        let lost = self.is_leader();
        self.removed = true;
        self.role = Role::Idle;
        self.log.fail();
        Changed { lost, role: true, ..Changed::default() }
    }
}
