//! Elections: pre-vote, vote, and what a leader's goodbye means.

use std::collections::BTreeSet;

use super::Raft;
use super::message::{Answer, Call, Refusal, Request};
use super::state::Role;
use super::voters::Voter;

impl Raft {
    /// Asks for votes, or first whether there would be any. A pre-vote disturbs nobody: a voter that hears from a leader
    /// says no, and no epoch is used up (KIP-996).
    pub(super) fn campaign(&mut self, pre_vote: bool) {
        let mut epoch = self.hard.epoch;
        if !pre_vote {
            // All epochs used up: an election every millisecond for 24 days.
            let Some(next) = epoch.checked_add(1) else { return };
            epoch = next;
        }
        let election_at = self.now + self.election_timeout();
        let granted = BTreeSet::from([self.me.id]);
        let rejected = BTreeSet::new();
        self.change_role(epoch, Role::Campaign { pre_vote, granted, rejected, election_at });
        if !pre_vote {
            self.hard.voted_for = Some(self.me);
        }
        let (last_epoch, end_offset) = (self.log.last_epoch(), self.log.end());
        for peer in self.peers() {
            self.ask(peer, epoch, Call::Vote { pre_vote, last_epoch, end_offset });
        }
        self.count_votes();
    }

    /// `log`: the candidate's last epoch and end offset.
    pub(super) fn on_vote(&mut self, id: u64, request: &Request, pre_vote: bool, log: (i32, u64)) {
        let candidate = request.from;
        if !self.may_vote() {
            return self.refuse(candidate.id, id, Refusal::OtherReplica);
        }
        let worthy = request.epoch == self.hard.epoch
            && log >= (self.log.last_epoch(), self.log.end())
            && self.may_vote_for(request, log);
        let granted = if pre_vote {
            worthy && self.leader().is_none()
        } else {
            worthy && self.give_vote(candidate)
        };
        self.answer(candidate.id, id, Answer::Vote { pre_vote, granted });
    }

    /// While directory ids are not known, an empty disk may be that of a voter which has lost what it had acknowledged: it
    /// votes only when there is nothing yet that could be lost.
    fn may_vote_for(&self, request: &Request, log: (i32, u64)) -> bool {
        self.log.end() > 0
            || log.1 == 0
            || request.to_directory == self.me.directory_id
            || self.is_vote_careless()
    }

    fn is_vote_careless(&self) -> bool {
        #[cfg(feature = "planted")]
        return self.is_planted(super::Planted::DirectoryIgnored);
        #[cfg(not(feature = "planted"))]
        false
    }

    /// The one vote of this epoch.
    fn give_vote(&mut self, candidate: Voter) -> bool {
        match self.hard.voted_for {
            Some(voted) => voted == candidate,
            None if self.leader().is_some() => false,
            None => {
                self.hard.voted_for = Some(candidate);
                let election_at = self.now + self.election_timeout();
                self.change_role(self.hard.epoch, Role::Unattached { election_at });
                true
            }
        }
    }

    pub(super) fn on_vote_answer(&mut self, from: Voter, of_pre_vote: bool, yes: bool) {
        if !self.is_in(self.voters.current(), from) {
            return;
        }
        let Role::Campaign { pre_vote, granted, rejected, .. } = &mut self.role else { return };
        if *pre_vote != of_pre_vote {
            return;
        }
        if yes {
            granted.insert(from.id)
        } else {
            rejected.insert(from.id)
        };
        self.count_votes();
    }

    fn count_votes(&mut self) {
        let voters = self.voters.current();
        let majority = voters.majority();
        let of = |votes: &BTreeSet<i32>| {
            votes.iter().filter(|id| voters.directory(**id).is_some()).count()
        };
        let Role::Campaign { pre_vote, granted, rejected, .. } = &self.role else { return };
        let (pre_vote, won) = (*pre_vote, of(granted) >= majority);
        let lost = of(rejected) >= majority;
        match (won, pre_vote) {
            (true, true) => self.campaign(false),
            (true, false) => self.become_leader(),
            (false, _) if lost => self.back_off(),
            (false, _) => {}
        }
    }

    /// Enough voters said no: tries again soon, but not at the same time as the others.
    fn back_off(&mut self) {
        let wait = self.timing.retry_backoff_ms
            + self.random.below(self.timing.election_backoff_max_ms + 1);
        let at = self.now + wait;
        if let Role::Campaign { election_at, .. } = &mut self.role {
            *election_at = at.min(*election_at);
        }
    }

    /// The leader steps down: the first that it names asks for votes at once, the others a little later.
    pub(super) fn on_end_epoch(&mut self, from: i32, preferred: &[i32]) {
        if self.leader() != Some(from) || from == self.me.id {
            return;
        }
        let rank = preferred.iter().position(|id| *id == self.me.id);
        match rank {
            Some(0) if self.can_campaign() => self.campaign(false),
            rank => {
                self.become_unattached(self.hard.epoch);
                if let (Some(rank), Role::Unattached { election_at }) = (rank, &mut self.role) {
                    *election_at =
                        self.now + self.timing.election_timeout_ms.saturating_mul(rank as u64) / 2;
                }
            }
        }
    }

    /// Hands over to these voters, the best first.
    pub(super) fn end_leadership(&mut self, preferred: &[i32]) {
        let epoch = self.hard.epoch;
        for peer in self.peers() {
            self.ask(peer, epoch, Call::EndEpoch { preferred: preferred.to_vec() });
        }
        self.become_unattached(epoch);
        if let Role::Unattached { election_at } = &mut self.role {
            // The others go first.
            *election_at += self.timing.election_timeout_ms;
        }
    }

    /// The voters other than this one, the furthest first.
    pub(super) fn best_followers(&self) -> Vec<i32> {
        let mut voters: Vec<(u64, i32)> = self
            .replicas()
            .filter(|(replica, _)| **replica != self.me)
            .filter(|(replica, _)| self.is_in(self.voters.current(), **replica))
            .map(|(replica, progress)| (progress.offset, replica.id))
            .collect();
        voters.sort_unstable_by(|a, b| b.cmp(a));
        voters.into_iter().map(|(_, id)| id).collect()
    }
}
