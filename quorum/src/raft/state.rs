//! [`Raft`]: what a replica is, and how it becomes something else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::effect::Effect;
use super::follow::Fetcher;
use super::lead::Leadership;
use super::message::{Answer, Call, Refusal, Request, Response};
use super::random::Random;
use super::view::{LogView, VoterHistory};
use super::voters::{Voter, VoterSet};
use super::{Timing, lead};

/// What must be durable before anything is said that rests on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HardState {
    /// The newest epoch that this replica knows of.
    pub epoch: i32,
    /// Whom it voted for in that epoch.
    pub voted_for: Option<Voter>,
}

/// What a replica is from the start.
#[derive(Debug, Clone)]
pub struct RaftConfig {
    /// This replica.
    pub me: Voter,
    /// Whether it may ever vote.
    pub is_voter: bool,
    /// Its cluster.
    pub cluster_id: Arc<str>,
    /// How long to wait for what.
    pub timing: Timing,
    /// Whom to ask for the leader, besides the voters.
    pub contacts: Vec<i32>,
    /// The most bytes of frames to fetch at once; at most [`super::MAX_FETCH_BYTES`].
    pub max_fetch_bytes: usize,
    /// Spreads timeouts.
    pub seed: u64,
}

/// What a replica is at the moment.
#[derive(Debug)]
pub(super) enum Role {
    /// Knows no leader.
    Unattached {
        /// When to ask for votes.
        election_at: u64,
    },
    /// Asks for votes.
    Campaign {
        /// Only asks whether it would get them.
        pre_vote: bool,
        granted: BTreeSet<i32>,
        rejected: BTreeSet<i32>,
        /// When to try again.
        election_at: u64,
    },
    /// Fetches from the leader.
    Follower {
        leader: i32,
        /// When the leader counts as gone.
        gone_at: u64,
    },
    /// Leads.
    Leader(Box<Leadership>),
}

/// The engine. Every method takes the time in milliseconds of a clock that never runs backwards, and leaves what is to be
/// done in [`Raft::take_effects`].
#[derive(Debug)]
pub struct Raft {
    pub(super) me: Voter,
    is_voter: bool,
    cluster_id: Arc<str>,
    pub(super) timing: Timing,
    contacts: Vec<i32>,
    pub(super) max_fetch_bytes: u32,
    pub(super) random: Random,
    pub(super) hard: HardState,
    pub(super) log: LogView,
    pub(super) voters: VoterHistory,
    /// Offset before which everything is on this replica's disk.
    pub(super) durable_end: u64,
    pub(super) high_watermark: u64,
    pub(super) role: Role,
    pub(super) fetcher: Fetcher,
    /// The epoch whose leader was silent for too long, or said that it leads no more: what others say of it is old.
    pub(super) lost_epoch: Option<i32>,
    pub(super) now: u64,
    next_id: u64,
    effects: Vec<Effect>,
    #[cfg(feature = "planted")]
    pub(super) planted: Option<super::Planted>,
}

impl Raft {
    /// A replica with this state and log. It leads nothing and follows nobody; [`Raft::tick`] is due at once.
    pub fn new(
        config: RaftConfig,
        hard: HardState,
        log: LogView,
        voters: VoterHistory,
        now: u64,
    ) -> Self {
        // A frame of a newer epoch than the state's: the state was written before it, so this is an old folder.
        let epoch = hard.epoch.max(log.last_epoch());
        let voted_for = hard.voted_for.filter(|_| epoch == hard.epoch);
        let mut random = Random::new(config.seed ^ (config.me.id as u64).rotate_left(32));
        let next_id = random.next() >> 1;
        let mut raft = Self {
            me: config.me,
            is_voter: config.is_voter,
            cluster_id: config.cluster_id,
            timing: config.timing,
            contacts: config.contacts,
            max_fetch_bytes: config.max_fetch_bytes.min(super::MAX_FETCH_BYTES) as u32,
            hard: HardState { epoch, voted_for },
            durable_end: log.end(),
            high_watermark: log.snapshot().offset,
            role: Role::Unattached { election_at: now },
            fetcher: Fetcher::default(),
            lost_epoch: None,
            log,
            voters,
            random,
            now,
            next_id,
            effects: Vec::new(),
            #[cfg(feature = "planted")]
            planted: None,
        };
        // Who votes alone need not wait for others.
        if !(raft.can_campaign() && raft.voters.current().len() == 1) {
            raft.role = Role::Unattached { election_at: now + raft.election_timeout() };
        }
        raft
    }

    /// Makes a known mistake from here on.
    #[cfg(feature = "planted")]
    pub fn plant(&mut self, planted: super::Planted) {
        self.planted = Some(planted);
    }

    /// What is to be done, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// What must be durable before any effect is seen outside.
    pub fn hard_state(&self) -> HardState {
        self.hard
    }

    /// This replica.
    pub fn me(&self) -> Voter {
        self.me
    }

    /// The leader, when it is known.
    pub fn leader(&self) -> Option<i32> {
        match &self.role {
            Role::Follower { leader, .. } => Some(*leader),
            Role::Leader(_) => Some(self.me.id),
            Role::Unattached { .. } | Role::Campaign { .. } => None,
        }
    }

    /// The newest time that was given.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The newest epoch.
    pub fn epoch(&self) -> i32 {
        self.hard.epoch
    }

    /// Everything before this offset is committed.
    pub fn high_watermark(&self) -> u64 {
        self.high_watermark
    }

    /// The log's shape.
    pub fn log(&self) -> &LogView {
        &self.log
    }

    /// Who votes, and did.
    pub fn voters(&self) -> &VoterHistory {
        &self.voters
    }

    /// When [`Raft::tick`] is due at the latest.
    pub fn deadline(&self) -> u64 {
        let role = match &self.role {
            Role::Unattached { election_at } | Role::Campaign { election_at, .. } => {
                if self.can_campaign() { *election_at } else { self.fetcher.due_at() }
            }
            Role::Follower { gone_at, .. } => (*gone_at).min(self.fetcher.due_at()),
            Role::Leader(leadership) => self.leader_deadline(leadership),
        };
        role.max(self.now)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: u64) {
        self.at(now);
        match &self.role {
            Role::Unattached { election_at } | Role::Campaign { election_at, .. } => {
                if self.can_campaign() && self.now >= *election_at {
                    self.campaign(true);
                }
            }
            Role::Follower { gone_at, .. } => {
                if self.now >= *gone_at {
                    self.lose_leader();
                }
            }
            Role::Leader(_) => self.tick_leader(),
        }
        self.poll_fetch();
    }

    /// Takes another replica's request; `from` is who sent it.
    pub fn request(&mut self, now: u64, from: i32, id: u64, request: &Request) {
        self.at(now);
        if request.cluster_id != self.cluster_id {
            return self.refuse(from, id, Refusal::OtherCluster);
        }
        if request.from.id != from || request.epoch < 0 || from == self.me.id {
            return self.refuse(from, id, Refusal::Invalid);
        }
        let meant = request.to_directory.is_zero() || request.to_directory == self.me.directory_id;
        if !meant && !self.is_planted_directory() {
            return self.refuse(from, id, Refusal::OtherReplica);
        }
        if request.epoch > self.hard.epoch {
            self.become_unattached(request.epoch);
        }
        match &request.call {
            Call::Vote { pre_vote, last_epoch, end_offset } => {
                self.on_vote(id, request, *pre_vote, (*last_epoch, *end_offset));
            }
            _ if request.epoch < self.hard.epoch => self.refuse(from, id, Refusal::StaleEpoch),
            Call::BeginEpoch => {
                if self.leader().is_none() {
                    self.become_follower(request.epoch, from);
                }
                self.answer(from, id, Answer::Noted);
            }
            Call::EndEpoch { preferred } => {
                self.answer(from, id, Answer::Noted);
                self.on_end_epoch(from, preferred);
            }
            Call::Fetch { .. } => self.on_fetch(id, request),
            Call::FetchSnapshot { .. } => self.on_fetch_snapshot(id, request),
        }
        self.poll_fetch();
    }

    /// Takes the answer to a request of this replica.
    pub fn response(&mut self, now: u64, from: i32, id: u64, response: Response) {
        self.at(now);
        let other = response.answer == Answer::Refused(Refusal::OtherCluster);
        let other = other || response.from.id != from || response.epoch < 0;
        if !other {
            self.learn_leader(from, response.epoch, response.leader);
        }
        match response.answer {
            Answer::Vote { pre_vote, granted } if !other && response.epoch == self.hard.epoch => {
                self.on_vote_answer(response.from, pre_vote, granted);
            }
            Answer::Vote { .. } | Answer::Noted => {}
            answer => self.on_fetch_answer(from, id, response.epoch, answer),
        }
        self.poll_fetch();
    }

    /// Whether [`Raft::persisted`] has been called for everything that was appended.
    pub fn is_durable(&self) -> bool {
        self.durable_end == self.log.end()
    }

    /// Everything that was appended is on disk.
    pub fn persisted(&mut self, now: u64) {
        self.at(now);
        self.durable_end = self.log.end();
        match self.role {
            Role::Leader(_) => {
                self.advance_high_watermark();
                self.wake_parked();
            }
            _ => self.follow_high_watermark(),
        }
        self.poll_fetch();
    }

    /// The log was compacted.
    pub fn compacted(&mut self, start: u64, snapshot: crate::log::SnapshotId) {
        self.log.compacted(start, snapshot);
        self.voters.compacted(start);
    }

    pub(super) fn at(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    /// Whether this replica is in the set of voters, so that it may ask for votes.
    pub(super) fn can_campaign(&self) -> bool {
        self.is_voter && self.is_in(self.voters.current(), self.me)
    }

    pub(super) fn may_vote(&self) -> bool {
        self.is_voter
    }

    /// Whether a replica counts as a voter of the set.
    pub(super) fn is_in(&self, set: &VoterSet, replica: Voter) -> bool {
        set.contains(replica)
            || (self.is_planted_directory() && set.directory(replica.id).is_some())
    }

    #[cfg(feature = "planted")]
    pub(super) fn is_planted(&self, planted: super::Planted) -> bool {
        self.planted == Some(planted)
    }

    fn is_planted_directory(&self) -> bool {
        #[cfg(feature = "planted")]
        return self.is_planted(super::Planted::DirectoryIgnored);
        #[cfg(not(feature = "planted"))]
        false
    }

    pub(super) fn election_timeout(&mut self) -> u64 {
        self.timing.election_timeout_ms + self.random.below(self.timing.election_timeout_ms + 1)
    }

    pub(super) fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn answer(&mut self, to: i32, id: u64, answer: Answer) {
        let response = self.response_with(answer);
        self.push(Effect::Response { to, id, response });
    }

    pub(super) fn response_with(&self, answer: Answer) -> Response {
        Response { from: self.me, epoch: self.hard.epoch, leader: self.leader(), answer }
    }

    pub(super) fn refuse(&mut self, to: i32, id: u64, refusal: Refusal) {
        self.answer(to, id, Answer::Refused(refusal));
    }

    /// Sends a request; gives its id.
    pub(super) fn ask(&mut self, to: i32, epoch: i32, call: Call) -> u64 {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let votes = matches!(call, Call::Vote { .. });
        let directory = self.voters.current().directory(to).filter(|_| votes);
        let request = Request {
            cluster_id: Arc::clone(&self.cluster_id),
            from: self.me,
            to_directory: directory.unwrap_or_default(),
            epoch,
            call,
        };
        self.push(Effect::Request { to, id, request });
        id
    }

    /// Other voters' node ids.
    pub(super) fn peers(&self) -> Vec<i32> {
        let voters = self.voters.current().iter().map(|voter| voter.id);
        voters.filter(|id| *id != self.me.id).collect()
    }

    /// Whom to ask for the leader.
    pub(super) fn any_contact(&mut self) -> Option<i32> {
        let mut all: BTreeSet<i32> = self.peers().into_iter().collect();
        all.extend(self.contacts.iter().copied().filter(|id| *id != self.me.id));
        let index = self.random.below(all.len() as u64) as usize;
        all.into_iter().nth(index)
    }

    /// Takes what another replica knows of the leader. Two voters that have both lost the leader must not keep telling
    /// each other that there is one.
    fn learn_leader(&mut self, from: i32, epoch: i32, leader: Option<i32>) {
        let lost = self.lost_epoch == Some(epoch) && self.can_campaign();
        let leader = leader.filter(|of| *of != self.me.id && (!lost || *of == from));
        match leader {
            Some(leader)
                if epoch > self.hard.epoch
                    || (epoch == self.hard.epoch && self.leader().is_none()) =>
            {
                self.become_follower(epoch, leader);
            }
            None if epoch > self.hard.epoch => self.become_unattached(epoch),
            _ => {}
        }
    }

    /// A newer epoch: nothing was promised in it yet.
    pub(super) fn enter_epoch(&mut self, epoch: i32) {
        if epoch > self.hard.epoch {
            self.hard = HardState { epoch, voted_for: None };
        }
    }

    pub(super) fn become_unattached(&mut self, epoch: i32) {
        let election_at = self.now + self.election_timeout();
        self.change_role(epoch, Role::Unattached { election_at });
    }

    pub(super) fn become_follower(&mut self, epoch: i32, leader: i32) {
        let gone_at = self.now + self.timing.fetch_timeout_ms;
        self.change_role(epoch, Role::Follower { leader, gone_at });
    }

    /// The leader was silent for too long.
    fn lose_leader(&mut self) {
        self.lost_epoch = Some(self.hard.epoch);
        if self.can_campaign() {
            self.campaign(true);
        } else {
            self.become_unattached(self.hard.epoch);
        }
    }

    pub(super) fn become_leader(&mut self) {
        let leadership = Leadership::new(self.now, self.log.end(), &self.timing);
        self.change_role(self.hard.epoch, Role::Leader(Box::new(leadership)));
        let record = lead::first_record(self.me.id, self.hard.epoch);
        // A record of two numbers always fits into a frame.
        let appended = self.append_records(vec![record]);
        debug_assert!(appended.is_ok());
        for peer in self.peers() {
            self.ask(peer, self.hard.epoch, Call::BeginEpoch);
        }
    }

    pub(super) fn change_role(&mut self, epoch: i32, role: Role) {
        let before = (self.leader(), self.hard.epoch);
        let old = std::mem::replace(&mut self.role, role);
        self.enter_epoch(epoch);
        self.fetcher = Fetcher::default();
        if let Role::Leader(leadership) = old {
            self.push(Effect::Deposed);
            for (replica, parked) in leadership.parked {
                self.refuse(replica.id, parked.id, Refusal::NotLeader);
            }
        }
        let after = (self.leader(), self.hard.epoch);
        if before != after {
            self.push(Effect::LeaderChanged { leader: after.0, epoch: after.1 });
        }
    }

    pub(super) fn leadership(&self) -> Option<&Leadership> {
        match &self.role {
            Role::Leader(leadership) => Some(leadership),
            _ => None,
        }
    }

    pub(super) fn leadership_mut(&mut self) -> Option<&mut Leadership> {
        match &mut self.role {
            Role::Leader(leadership) => Some(leadership),
            _ => None,
        }
    }

    /// What the leader knows of every replica that fetches.
    pub fn replicas(&self) -> impl Iterator<Item = (&Voter, &lead::Progress)> {
        static NONE: BTreeMap<Voter, lead::Progress> = BTreeMap::new();
        self.leadership().map_or(&NONE, |leadership| &leadership.replicas).iter()
    }
}
