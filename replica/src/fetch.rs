use storage::log::{OffsetPosition, Read, ReadError};

use crate::replica::Role;
use crate::{Changed, Replica, ServeError};

/// What is asked of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadRange {
    /// First offset.
    pub offset: i64,
    /// Most bytes.
    pub max_bytes: usize,
    /// One batch in any case (KIP-74).
    pub min_one: bool,
}

/// A follower's fetch, as far as it says something of the follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowerFetch {
    /// Its node id.
    pub id: i32,
    /// The registration under which it runs (KIP-903), -1 when it does not say.
    pub broker_epoch: i64,
    /// The leader epoch that it knows.
    pub leader_epoch: i32,
    /// It holds everything before this.
    pub offset: i64,
    /// Epoch of its last record (KIP-595), -1 without one.
    pub last_fetched_epoch: i32,
    /// Where its log starts, -1 when it does not say.
    pub log_start_offset: i64,
}

/// What the metadata says of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// Epoch of its registration.
    pub epoch: i64,
    /// Neither fenced nor shutting down.
    pub in_service: bool,
}

/// Where a reader's log departs from this one (KIP-595): the largest epoch not above the reader's that is known here, and
/// where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divergence {
    /// Leader epoch.
    pub epoch: i32,
    /// Its end offset.
    pub end_offset: i64,
}

/// What a follower's fetch brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Noted {
    /// For those who wait.
    pub changed: Changed,
    /// It can join the ISR: ask for a proposal.
    pub may_join: bool,
    /// Its log starts elsewhere than before: the low watermark may have moved.
    pub start_moved: bool,
    /// It does not know yet how far records are committed: answer at once (KIP-392).
    pub has_news: bool,
}

impl Replica {
    /// Takes a follower's fetch as its state, once a fetch (not again while it is waited for records).
    ///
    /// # Errors
    /// As [`Replica::serve`]; [`ServeError::NotReplica`], [`ServeError::StaleBrokerEpoch`].
    pub fn note_fetch(
        &mut self,
        fetch: &FollowerFetch,
        registered: Option<Registration>,
        now_ms: i64,
    ) -> Result<Noted, ServeError> {
        self.serve(fetch.leader_epoch)?;
        let diverges = self.divergence(fetch.last_fetched_epoch, fetch.offset).is_some();
        let end = self.log.end_offset();
        #[cfg(feature = "planted")]
        let (any_epoch, early) = (
            self.has(crate::Planted::BrokerEpochIgnored),
            self.has(crate::Planted::JoinBeforeCaughtUp),
        );
        let in_range = (self.log.start_offset()..=end).contains(&fetch.offset);
        let high_watermark = self.high_watermark.offset;
        let Role::Leader(leader) = &mut self.role else { return Err(ServeError::NotLeader) };
        let epoch_start = leader.epoch_start;
        leader.now_ms = leader.now_ms.max(now_ms);
        let follower = leader.follower(fetch.id).ok_or(ServeError::NotReplica)?;
        let registered = registered.ok_or(ServeError::StaleBrokerEpoch)?;
        #[cfg(feature = "planted")]
        let registered = if any_epoch {
            Registration { epoch: fetch.broker_epoch, ..registered }
        } else {
            registered
        };
        if fetch.broker_epoch >= 0
            && fetch.broker_epoch < registered.epoch.max(follower.broker_epoch)
        {
            return Err(ServeError::StaleBrokerEpoch);
        }
        follower.broker_epoch = fetch.broker_epoch;
        let start_moved = follower.log_start != fetch.log_start_offset;
        follower.log_start = fetch.log_start_offset;
        follower.eligible = registered.in_service
            && (fetch.broker_epoch < 0 || fetch.broker_epoch == registered.epoch);
        if diverges || !in_range {
            return Ok(Noted { start_moved, ..Noted::default() });
        }
        follower.fetched(fetch.offset, end, now_ms);
        let may_join = follower.eligible
            && !self.assignment.isr.contains(&fetch.id)
            && fetch.offset >= high_watermark.max(epoch_start);
        #[cfg(feature = "planted")]
        let may_join = may_join || (early && follower.eligible);
        let told = follower.told;
        let committed = self.advance();
        let changed = Changed { committed, ..Changed::default() };
        let has_news = told < self.high_watermark.offset;
        Ok(Noted { changed, may_join, start_moved, has_news })
    }

    /// The follower is being told this high watermark.
    pub fn told(&mut self, follower: i32, high_watermark: i64) {
        if let Role::Leader(leader) = &mut self.role
            && let Some(follower) = leader.follower(follower)
        {
            follower.told = follower.told.max(high_watermark);
        }
    }

    /// Replicas other than this leader that are in sync and known to hold `offset`: node id, and the offset up to which they
    /// hold everything (KIP-392). Empty where this node does not lead.
    pub fn read_replicas(&self, offset: i64) -> Vec<(i32, i64)> {
        let Role::Leader(leader) = &self.role else { return Vec::new() };
        let in_sync = |id: i32| self.assignment.isr.contains(&id);
        let able = leader.followers.iter().filter(|f| f.end >= offset && in_sync(f.id));
        able.map(|follower| (follower.id, follower.end)).collect()
    }

    /// Where the log of a reader that has fetched up to `offset`, last a record of `last_fetched_epoch` (-1: it does not
    /// say), departs from this one; `None` when it does not.
    pub fn divergence(&self, last_fetched_epoch: i32, offset: i64) -> Option<Divergence> {
        if last_fetched_epoch < 0 {
            return None;
        }
        #[cfg(feature = "planted")]
        if self.has(crate::Planted::DivergenceIgnored) {
            return None;
        }
        let end = self.log.end_offset();
        let (epoch, end_offset) = self.log.epochs().end_offset_for(last_fetched_epoch, end)?;
        (epoch < last_fetched_epoch || end_offset < offset)
            .then_some(Divergence { epoch, end_offset })
    }

    /// Reads what is committed: consumers.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read_committed(&self, range: &ReadRange) -> Result<Read, ReadError> {
        self.read_up_to(range, self.high_watermark)
    }

    /// Reads up to the log's end: followers, and the node's own coordinators while they load.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read_all(&self, range: &ReadRange) -> Result<Read, ReadError> {
        self.read_up_to(range, self.log.end())
    }

    fn read_up_to(&self, range: &ReadRange, upper: OffsetPosition) -> Result<Read, ReadError> {
        #[cfg(feature = "planted")]
        let range = if self.has(crate::Planted::ReadSkipsSegment) {
            &ReadRange { offset: self.skipped(range.offset), ..*range }
        } else {
            range
        };
        self.log.read(range.offset, upper, range.max_bytes, range.min_one)
    }

    /// Answers OffsetForLeaderEpoch as leader: the largest known epoch not above `epoch`, and its end.
    ///
    /// # Errors
    /// As [`Replica::serve`].
    pub fn epoch_end(
        &self,
        epoch: i32,
        known_epoch: i32,
    ) -> Result<Option<Divergence>, ServeError> {
        self.serve(known_epoch)?;
        let end = self.log.end_offset();
        if epoch == self.assignment.leader_epoch {
            return Ok(Some(Divergence { epoch, end_offset: end }));
        }
        let found = self.log.epochs().end_offset_for(epoch, end);
        Ok(found.map(|(epoch, end_offset)| Divergence { epoch, end_offset }))
    }
}
