use crate::{Assignment, Rules};

/// Long before any moment of the clock.
const NEVER: i64 = i64::MIN;

/// What a leader knows of one follower.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    pub(crate) id: i32,
    /// The registration under which it fetches; -1 before its first fetch.
    pub(crate) broker_epoch: i64,
    /// Everything before it is held there (on disk, under `log.flush.before.ack`); -1: not known.
    pub(crate) end: i64,
    /// Where its log starts, -1: not known.
    pub(crate) log_start: i64,
    /// When it last had all that the leader had.
    pub(crate) caught_up_ms: i64,
    last_fetch_ms: i64,
    leader_end_at_fetch: i64,
    /// Registered as it says, neither fenced nor shutting down, as of its last fetch.
    pub(crate) eligible: bool,
    /// The high watermark that it was told last.
    pub(crate) told: i64,
    /// When it was first heard of.
    #[cfg(feature = "planted")]
    pub(crate) since_ms: i64,
}

impl Progress {
    fn new(id: i32, in_sync: bool, now_ms: i64) -> Self {
        Self {
            id,
            broker_epoch: -1,
            end: -1,
            log_start: -1,
            // Who is in sync gets the full lag time to show itself to a new leader.
            caught_up_ms: if in_sync { now_ms } else { NEVER },
            last_fetch_ms: NEVER,
            leader_end_at_fetch: -1,
            eligible: false,
            told: -1,
            #[cfg(feature = "planted")]
            since_ms: now_ms,
        }
    }

    /// Takes a fetch at `offset` while the leader's log ends at `leader_end`.
    ///
    /// A follower that fetches what was the end at its fetch before had caught up at that moment (as Kafka's
    /// `Replica.updateFetchState`): under constant load it is never at the end itself.
    pub(crate) fn fetched(&mut self, offset: i64, leader_end: i64, now_ms: i64) {
        if offset >= leader_end {
            self.caught_up_ms = self.caught_up_ms.max(now_ms);
        } else if self.leader_end_at_fetch >= 0 && offset >= self.leader_end_at_fetch {
            self.caught_up_ms = self.caught_up_ms.max(self.last_fetch_ms);
        }
        self.end = offset;
        self.last_fetch_ms = now_ms;
        self.leader_end_at_fetch = leader_end;
    }

    /// Whether it has not had all that the leader has for longer than the rules allow.
    pub(crate) fn lags(&self, leader_end: i64, now_ms: i64, rules: &Rules) -> bool {
        self.end != leader_end && self.silent(now_ms, rules)
    }

    fn silent(&self, now_ms: i64, rules: &Rules) -> bool {
        now_ms.saturating_sub(self.caught_up_ms) > rules.max_lag_ms
    }

    /// About to join the ISR: the watermark waits for it, or it would never meet it under load.
    pub(crate) fn is_joining(&self, leader_end: i64, now_ms: i64, rules: &Rules) -> bool {
        self.eligible && self.end >= 0 && !self.lags(leader_end, now_ms, rules)
    }
}

/// A leadership.
#[derive(Debug)]
pub(crate) struct Leader {
    /// End of the log when it began: a follower must have all before it to join the ISR.
    pub(crate) epoch_start: i64,
    /// When it last heard of a follower or was asked for a proposal.
    pub(crate) now_ms: i64,
    pub(crate) followers: Vec<Progress>,
    /// Those whom an undecided proposal would add: they count as in sync.
    pub(crate) counted: Vec<i32>,
    /// A proposal is under way.
    pub(crate) proposed: bool,
    /// Since when the outcome of a proposal is not known.
    pub(crate) doubt_since: Option<i64>,
}

impl Leader {
    pub(crate) fn new(epoch_start: i64, now_ms: i64) -> Self {
        Self {
            epoch_start,
            now_ms,
            followers: Vec::new(),
            counted: Vec::new(),
            proposed: false,
            doubt_since: None,
        }
    }

    /// Leads on under the next epoch: what the followers in sync hold is known, but a proposal of the old epoch is void. The others may
    /// have left and come back with empty logs, in states of the partition that this leader has not seen: they show under the new
    /// epoch what they hold.
    pub(crate) fn go_on(&mut self, epoch_start: i64, assignment: &Assignment, now_ms: i64) {
        self.epoch_start = epoch_start;
        self.settle();
        for follower in &mut self.followers {
            if assignment.isr.contains(&follower.id) {
                follower.caught_up_ms = follower.caught_up_ms.max(now_ms);
            } else {
                *follower = Progress::new(follower.id, false, now_ms);
            }
        }
    }

    /// The log, which ended at `end`, grows: who had all of it had it until now.
    ///
    /// A partition that nothing is written to need not be asked for again and again (fetch sessions), and its followers do
    /// not lag by that. One that is gone is given the lag time once more; the controller fences it before.
    pub(crate) fn outgrows(&mut self, end: i64) {
        for follower in self.followers.iter_mut().filter(|follower| follower.end == end) {
            follower.caught_up_ms = follower.caught_up_ms.max(self.now_ms);
        }
    }

    /// Every proposal so far is decided.
    pub(crate) fn settle(&mut self) {
        self.counted.clear();
        self.proposed = false;
        self.doubt_since = None;
    }

    /// Keeps what is known of those who stay, forgets who left, begins with who is new.
    pub(crate) fn set_followers(&mut self, node_id: i32, assignment: &Assignment, now_ms: i64) {
        let wanted = |id: i32| {
            id != node_id && (assignment.replicas.contains(&id) || assignment.isr.contains(&id))
        };
        self.followers.retain(|follower| wanted(follower.id));
        // Who has left the ISR, maybe because it is gone, is about to join again only once it says so: the watermark must
        // not wait for it.
        for follower in &mut self.followers {
            follower.eligible &= assignment.isr.contains(&follower.id);
        }
        for id in assignment.replicas.iter().chain(&*assignment.isr).copied() {
            if wanted(id) && !self.followers.iter().any(|known| known.id == id) {
                let in_sync = assignment.isr.contains(&id);
                self.followers.push(Progress::new(id, in_sync, now_ms));
            }
        }
    }

    pub(crate) fn follower(&mut self, id: i32) -> Option<&mut Progress> {
        self.followers.iter_mut().find(|follower| follower.id == id)
    }
}
