//! One voter joins or leaves (KIP-853); directory ids are filled in.

use super::lead::Progress;
use super::voters::{MAX_VOTERS, Voter, VoterSet};
use super::{MAX_NEW_VOTER_LAG, Raft};
use crate::node::{ChangeVotersError, VoterChange};
use crate::record::MetadataRecord;

impl Raft {
    /// Whether the newest set of voters is not committed.
    pub(super) fn is_changing_voters(&self) -> bool {
        self.voters.changed_at().is_some_and(|offset| offset >= self.high_watermark)
    }

    /// Appends a changed set of voters, which counts from now on; gives the offset at which it is committed.
    ///
    /// # Errors
    /// See [`ChangeVotersError`].
    pub fn change_voters(
        &mut self,
        now: u64,
        change: VoterChange,
    ) -> Result<u64, ChangeVotersError> {
        self.now = self.now.max(now);
        let set = self.voters.current();
        let Some(leadership) = self.leadership() else {
            return Err(ChangeVotersError::NotLeader { leader: self.leader() });
        };
        #[allow(unused_mut)]
        let mut changing = self.is_changing_voters();
        #[cfg(feature = "planted")]
        {
            changing &= !self.is_planted(super::Planted::VoterChangeUncommitted);
        }
        if changing || !self.is_active() {
            return Err(ChangeVotersError::Busy);
        }
        let next = match change {
            VoterChange::Add(voter) if set.directory(voter.id).is_some() => {
                return Err(ChangeVotersError::Duplicate(voter.id));
            }
            VoterChange::Add(voter) => {
                let progress = leadership.replicas.get(&voter);
                if voter.directory_id.is_zero() || !progress.is_some_and(|of| self.is_near(of)) {
                    return Err(ChangeVotersError::NotCaughtUp(voter.id));
                }
                set.with(voter)
            }
            VoterChange::Remove(voter) if set.directory(voter.id) != Some(voter.directory_id) => {
                return Err(ChangeVotersError::Unknown(voter.id));
            }
            VoterChange::Remove(voter) => set.without(voter.id),
        };
        if next.is_empty() || next.len() > MAX_VOTERS {
            return Err(ChangeVotersError::Size);
        }
        // An empty disk without a known directory id votes for empty logs only: a smaller set might wait for its vote for ever.
        if let Some(voter) = next.iter().find(|voter| voter.directory_id.is_zero()) {
            return Err(ChangeVotersError::UnknownDirectory(voter.id));
        }
        self.append_voters(&next).ok_or(ChangeVotersError::Size)
    }

    fn is_near(&self, progress: &Progress) -> bool {
        progress.offset.saturating_add(MAX_NEW_VOTER_LAG) >= self.log.end()
            && self.now.saturating_sub(progress.last_fetch_ms) <= self.timing.fetch_timeout_ms
    }

    fn append_voters(&mut self, set: &VoterSet) -> Option<u64> {
        let voters = set.iter().collect();
        self.append_records(vec![MetadataRecord::Voters { voters }]).ok()
    }

    /// Writes down the voters when the log does not name them, and directory ids that became known by fetches. Nobody joins
    /// or leaves by this, so majorities stay what they are.
    pub(super) fn fill_directories(&mut self) {
        if !self.is_active() || self.is_changing_voters() {
            return;
        }
        let set = self.voters.current();
        let mut next = set.clone();
        for voter in set.iter().filter(|voter| voter.directory_id.is_zero()) {
            let known = self.replicas().filter(|(of, _)| of.id == voter.id);
            let newest = known.max_by_key(|(_, progress)| progress.last_fetch_ms);
            if let Some(replica) = newest.map(|(replica, _)| *replica) {
                next = next.with(replica);
            }
            if voter.id == self.me.id {
                next = next.with(Voter { id: voter.id, directory_id: self.me.directory_id });
            }
        }
        if next != *set || !self.voters.in_log() {
            self.append_voters(&next);
        }
    }
}
