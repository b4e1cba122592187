//! Leading: what followers have, what is therefore committed, and when to stop.

use std::collections::BTreeMap;

use super::effect::Effect;
use super::state::Role;
use super::voters::{Voter, VoterSet};
use super::{MAX_REPLICAS, MAX_VOTERS, OBSERVER_SESSION_MS, Raft, Timing};
use crate::log::{Frame, LogError};
use crate::record::MetadataRecord;

/// What the leader knows of a replica that fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Everything before it is on the replica's disk.
    pub offset: u64,
    /// When it fetched last.
    pub last_fetch_ms: u64,
    /// When it last had all that the leader had.
    pub last_caught_up_ms: Option<u64>,
    /// The leader's end at the last fetch.
    end_at_last_fetch: u64,
}

/// A fetch that waits for something new.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parked {
    pub(super) id: u64,
    pub(super) offset: u64,
    pub(super) last_epoch: i32,
    pub(super) max_bytes: usize,
    pub(super) high_watermark: u64,
    pub(super) until: u64,
}

/// A leader's state.
#[derive(Debug)]
pub(super) struct Leadership {
    pub(super) replicas: BTreeMap<Voter, Progress>,
    pub(super) parked: BTreeMap<Voter, Parked>,
    /// When voters asked for anything, a snapshot too.
    contacts: BTreeMap<Voter, u64>,
    /// Offset of the leader's first frame.
    epoch_start: u64,
    /// Whether that is committed.
    pub(super) active: bool,
    began: u64,
    /// When to tell voters that do not fetch who leads.
    announce_at: u64,
    /// To whom to hand over, and until when to try.
    pub(super) transfer: Option<(i32, u64)>,
}

impl Leadership {
    pub(super) fn new(now: u64, epoch_start: u64, timing: &Timing) -> Self {
        Self {
            replicas: BTreeMap::new(),
            parked: BTreeMap::new(),
            contacts: BTreeMap::new(),
            epoch_start,
            active: false,
            began: now,
            announce_at: now + timing.fetch_timeout_ms / 2,
            transfer: None,
        }
    }

    /// A voter's newest fetch. While the set does not know its directory id, that of the disk that fetched last.
    fn progress(&self, voter: Voter) -> Option<&Progress> {
        if !voter.directory_id.is_zero() {
            return self.replicas.get(&voter);
        }
        let all = self.replicas.iter().filter(|(replica, _)| replica.id == voter.id);
        all.map(|(_, progress)| progress).max_by_key(|progress| progress.last_fetch_ms)
    }
}

pub(super) fn first_record(leader: i32, epoch: i32) -> MetadataRecord {
    MetadataRecord::LeaderChange { leader, epoch }
}

impl Raft {
    /// Whether this replica leads, has committed in its epoch, and is not handing over.
    pub fn is_active(&self) -> bool {
        self.leadership().is_some_and(|of| of.active && of.transfer.is_none())
    }

    /// Appends records as one frame of the leader's epoch; gives the offset after it.
    ///
    /// # Errors
    /// The records do not fit into a frame. (On a replica that does not lead nothing happens, and 0 is given.)
    pub fn append(&mut self, records: Vec<MetadataRecord>) -> Result<u64, LogError> {
        if self.leadership().is_none() {
            return Ok(0);
        }
        self.append_records(records)
    }

    pub(super) fn append_records(&mut self, records: Vec<MetadataRecord>) -> Result<u64, LogError> {
        let offset = self.log.end();
        let frame = Frame::new(offset, self.hard.epoch, records)?;
        self.take_frame(&frame);
        self.push(Effect::Append(frame));
        Ok(self.log.end())
    }

    /// Takes note of a frame that goes to the end of the log.
    pub(super) fn take_frame(&mut self, frame: &Frame) {
        self.log.push(frame.epoch(), frame.end_offset());
        self.voters.take(frame);
    }

    /// A fetch at `offset` arrived, and the log before it is the leader's.
    pub(super) fn note_progress(&mut self, replica: Voter, offset: u64) {
        let (now, end) = (self.now, self.log.end());
        let Some(leadership) = self.leadership_mut() else { return };
        let progress = leadership.replicas.entry(replica).or_insert(Progress {
            offset,
            last_fetch_ms: now,
            last_caught_up_ms: None,
            end_at_last_fetch: end,
        });
        // An older fetch may arrive late: a disk does not lose what it has said to have.
        progress.offset = progress.offset.max(offset);
        if progress.offset >= end {
            progress.last_caught_up_ms = Some(now);
        } else if progress.offset >= progress.end_at_last_fetch {
            progress.last_caught_up_ms = Some(progress.last_fetch_ms);
        }
        progress.last_fetch_ms = now;
        progress.end_at_last_fetch = end;
        self.advance_high_watermark();
        self.try_transfer();
        self.fill_directories();
        self.forget_observers();
    }

    /// A voter follows this leader, however far behind it is: that counts for check-quorum.
    pub(super) fn note_contact(&mut self, replica: Voter) {
        let now = self.now;
        if !self.is_in(self.voters.current(), replica) {
            return;
        }
        if let Some(leadership) = self.leadership_mut() {
            leadership.contacts.insert(replica, now);
            // Disks of voters that have been replaced since.
            while leadership.contacts.len() > 2 * MAX_VOTERS {
                let silent = leadership.contacts.iter().min_by_key(|(_, at)| **at);
                let Some(silent) = silent.map(|(replica, _)| *replica) else { return };
                leadership.contacts.remove(&silent);
            }
        }
    }

    /// What a voter has on disk.
    fn durable_at(&self, leadership: &Leadership, voter: Voter) -> u64 {
        if self.is_in(&VoterSet::new([voter]), self.me) {
            return self.durable_end;
        }
        #[cfg(feature = "planted")]
        if self.is_planted(super::Planted::DirectoryIgnored) {
            let any = Voter { directory_id: protocol::Uuid::ZERO, ..voter };
            return leadership.progress(any).map_or(0, |progress| progress.offset);
        }
        leadership.progress(voter).map_or(0, |progress| progress.offset)
    }

    /// The largest offset that a majority of the voters has, once that takes in the leader's own first frame.
    pub(super) fn advance_high_watermark(&mut self) {
        let Some(leadership) = self.leadership() else { return };
        let voters = self.voters.current();
        let mut durable: Vec<u64> =
            voters.iter().map(|voter| self.durable_at(leadership, voter)).collect();
        #[cfg(feature = "planted")]
        if self.is_planted(super::Planted::ObserverCounted) {
            let observers = leadership.replicas.iter().filter(|(of, _)| !voters.contains(**of));
            durable.extend(observers.map(|(_, progress)| progress.offset));
        }
        durable.sort_unstable_by(|a, b| b.cmp(a));
        let Some(&committed) = durable.get(voters.majority() - 1) else { return };
        #[allow(unused_mut)]
        let mut counts = committed > leadership.epoch_start;
        #[cfg(feature = "planted")]
        {
            counts |= self.is_planted(super::Planted::CommitOfOlderEpoch);
        }
        if counts && committed > self.high_watermark {
            self.commit(committed);
        }
    }

    fn commit(&mut self, offset: u64) {
        self.high_watermark = offset;
        self.push(Effect::Committed(offset));
        let Some(leadership) = self.leadership_mut() else { return };
        if !leadership.active && offset > leadership.epoch_start {
            leadership.active = true;
            self.push(Effect::Active);
        }
        self.wake_parked();
        if !self.is_changing_voters() && !self.is_in(self.voters.current(), self.me) {
            // Its own removal is committed (KIP-853).
            return self.end_leadership(&self.best_followers());
        }
        self.fill_directories();
    }

    /// Counts a voter as heard from since the leadership began.
    fn quorum_lost_at(&self, leadership: &Leadership) -> u64 {
        let voters = self.voters.current();
        let heard = |voter: Voter| {
            if voter.id == self.me.id {
                return u64::MAX;
            }
            let same = |of: &Voter| VoterSet::new([voter]).contains(*of);
            let asked = leadership.contacts.iter().filter(|(of, _)| same(of)).map(|(_, at)| *at);
            asked.max().unwrap_or_default().max(leadership.began)
        };
        let mut heard: Vec<u64> = voters.iter().map(heard).collect();
        heard.sort_unstable_by(|a, b| b.cmp(a));
        let last = heard.get(voters.majority() - 1).copied().unwrap_or(u64::MAX);
        last.saturating_add(self.timing.fetch_timeout_ms + self.timing.fetch_timeout_ms / 2)
    }

    pub(super) fn leader_deadline(&self, leadership: &Leadership) -> u64 {
        let parked = leadership.parked.values().map(|parked| parked.until).min();
        let transfer = leadership.transfer.map(|(_, until)| until);
        self.quorum_lost_at(leadership)
            .min(leadership.announce_at)
            .min(parked.unwrap_or(u64::MAX))
            .min(transfer.unwrap_or(u64::MAX))
    }

    pub(super) fn tick_leader(&mut self) {
        let now = self.now;
        let Some(leadership) = self.leadership() else { return };
        if now >= self.quorum_lost_at(leadership) {
            // Others may have elected another leader: who asks here must not wait for ever.
            return self.become_unattached(self.hard.epoch);
        }
        let announce = now >= leadership.announce_at;
        let next = now + (self.timing.fetch_timeout_ms / 2).max(1);
        if let Some(leadership) = self.leadership_mut() {
            leadership.transfer = leadership.transfer.filter(|(_, until)| now < *until);
            if announce {
                leadership.announce_at = next;
            }
        }
        if announce {
            self.announce();
        }
        self.wake_parked();
    }

    /// Tells the voters that do not fetch who leads.
    fn announce(&mut self) {
        let Some(leadership) = self.leadership() else { return };
        let recently = self.now.saturating_sub(self.timing.fetch_timeout_ms / 2);
        let fetches = |voter: &Voter| {
            leadership.progress(*voter).is_some_and(|progress| progress.last_fetch_ms >= recently)
        };
        let others = self.voters.current().iter().filter(|voter| voter.id != self.me.id);
        let silent: Vec<i32> = others.filter(|v| !fetches(v)).map(|v| v.id).collect();
        for id in silent {
            self.ask(id, self.hard.epoch, super::Call::BeginEpoch);
        }
    }

    fn forget_observers(&mut self) {
        let now = self.now;
        let voters = self.voters.current().clone();
        let Some(leadership) = self.leadership_mut() else { return };
        leadership.replicas.retain(|replica, progress| {
            voters.contains(*replica)
                || now.saturating_sub(progress.last_fetch_ms) < OBSERVER_SESSION_MS
        });
        while leadership.replicas.len() > MAX_REPLICAS {
            let observers = leadership.replicas.iter().filter(|(of, _)| !voters.contains(**of));
            let silent = observers.min_by_key(|(_, progress)| progress.last_fetch_ms);
            let Some(silent) = silent.map(|(replica, _)| *replica) else { return };
            leadership.replicas.remove(&silent);
            leadership.parked.remove(&silent);
        }
    }

    /// Hands over to a voter as soon as it has everything; does nothing when this replica does not lead, or `to` is no
    /// other voter. Nothing is appended meanwhile; when `to` does not catch up in an election timeout, it is dropped.
    pub fn transfer(&mut self, now: u64, to: i32) {
        self.now = self.now.max(now);
        let until = self.now + self.timing.election_timeout_ms;
        if to == self.me.id || self.voters.current().directory(to).is_none() {
            return;
        }
        if let Some(leadership) = self.leadership_mut() {
            leadership.transfer = Some((to, until));
            self.try_transfer();
        }
    }

    fn try_transfer(&mut self) {
        let end = self.log.end();
        let Some(leadership) = self.leadership() else { return };
        let Some((to, _)) = leadership.transfer else { return };
        let mut best = self.best_followers();
        let has_all = |(of, progress): (&Voter, &Progress)| of.id == to && progress.offset >= end;
        if best.contains(&to) && leadership.replicas.iter().any(has_all) {
            best.retain(|id| *id != to);
            best.insert(0, to);
            self.end_leadership(&best);
        }
    }

    /// Hands over to the voter that is furthest; does nothing when this replica does not lead.
    pub fn resign(&mut self, now: u64) {
        self.now = self.now.max(now);
        if matches!(self.role, Role::Leader(_)) {
            self.end_leadership(&self.best_followers());
        }
    }
}
