//! One classic consumer group as a state machine. No I/O, no clock: time is a parameter, answers and writes are
//! [`Effect`]s that the coordinator carries out.
//!
//! ```text
//!           join                    all (re)joined, or time is up
//!  Empty ───────────▶ PreparingRebalance ───────────▶ CompletingRebalance ──leader's assignment is durable──▶ Stable
//!    ▲                  │          ▲                        │ member left, joined,                              │
//!    └── nobody left ───┘          └────────────────────────┴── changed its subscription, did not sync ─────────┘
//! ```
//!
//! # Invariants
//! - Every request is answered exactly once.
//! - Only assignments of the present generation, given by its leader and durable, are handed out.
//! - All members of a Stable group have the present generation.
//! - As long as a request waits there is a deadline ([`Group::next_deadline`]).
//!
//! Source: Kafka's `GroupCoordinator` and `ClassicGroup`; KIP-345 (static members), KIP-394 (MEMBER_ID_REQUIRED),
//! KIP-134 (initial delay), KIP-814 (skip assignment).

mod heartbeat;
mod join;
mod leave;
mod member;
mod rebalance;
mod sync;
mod timers;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use protocol::{ErrorCode, Str};

pub use join::{Join, JoinAnswer, JoinMember};
pub use leave::Leaving;
pub use member::Member;
pub use sync::{Sync, SyncAnswer};

/// Names a waiting request; given by the coordinator, never used twice.
pub type RequestId = u64;

/// How long a member that has never had an answer may wait for its first (Kafka's `NewMemberJoinTimeoutMs`).
pub(super) const NEW_MEMBER_JOIN_TIMEOUT_MS: u64 = 5 * 60 * 1000;
/// Members that were given an id and have not come back with it: bounds what an endless stream of first joins costs.
pub(super) const MAX_PENDING_MEMBERS: usize = 10_000;

/// Kafka's configs of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// `group.initial.rebalance.delay.ms`
    pub initial_rebalance_delay_ms: u64,
    /// `group.min.session.timeout.ms`
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`
    pub max_session_timeout_ms: i32,
    /// `group.max.size`
    pub max_size: usize,
}

/// Both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Never goes back: for timeouts.
    pub monotonic_ms: u64,
    /// Since 1970: for what is written down.
    pub wall_ms: i64,
}

/// A group's state; names as in DescribeGroups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No members; may have committed offsets.
    Empty,
    /// Waits for all members to (re)join.
    PreparingRebalance,
    /// Waits for the leader's assignment.
    CompletingRebalance,
    /// Every member can have its assignment.
    Stable,
    /// Deleted; whoever still holds it must ask again.
    Dead,
}

/// What the coordinator must do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Answer a JoinGroup.
    Joined(RequestId, JoinAnswer),
    /// Answer a SyncGroup.
    Synced(RequestId, SyncAnswer),
    /// Write the group down, then report by [`Group::persisted`].
    Persist(Persist),
}

/// Why the group is written down.
#[derive(Debug, Clone, PartialEq)]
pub enum Persist {
    /// The leader's assignment of this generation.
    Assignment {
        /// The generation.
        generation: i32,
    },
    /// A static member came back under a new member id; its join is answered when that is durable.
    Replaced {
        /// The generation.
        generation: i32,
        /// The waiting join.
        request: RequestId,
        /// Its answer.
        answer: JoinAnswer,
    },
    /// Nobody is left; nobody waits for it.
    Emptied,
}

/// A classic group.
#[derive(Debug)]
pub struct Group {
    id: Str,
    state: State,
    state_since_ms: i64,
    generation: i32,
    protocol_type: Option<Str>,
    protocol_name: Option<Str>,
    leader: Option<Str>,
    members: BTreeMap<Str, Member>,
    /// Group instance id → member id.
    static_members: HashMap<Str, Str>,
    /// Member ids given out by MEMBER_ID_REQUIRED → when they are forgotten.
    pending: BTreeMap<Str, u64>,
    rebalance: Option<Rebalance>,
    sync: Option<SyncPhase>,
}

/// Waiting for members to join.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rebalance {
    deadline: u64,
    /// The first rebalance of an empty group waits for more members.
    initial: Option<InitialDelay>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct InitialDelay {
    /// How much longer it may be prolonged.
    remaining_ms: u64,
    new_member: bool,
}

/// Waiting for members to sync; lasts into Stable until the last one has come.
#[derive(Debug)]
struct SyncPhase {
    deadline: u64,
    missing: BTreeSet<Str>,
    /// The leader's assignment, being written.
    assignment: Option<HashMap<Str, Bytes>>,
}

impl Group {
    /// An empty group.
    pub fn new(id: Str, now: Now) -> Self {
        Self {
            id,
            state: State::Empty,
            state_since_ms: now.wall_ms,
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: HashMap::new(),
            pending: BTreeMap::new(),
            rebalance: None,
            sync: None,
        }
    }

    /// A group as it was written down: Stable with members, else Empty.
    pub fn restore(
        id: Str,
        generation: i32,
        protocol: (Option<Str>, Option<Str>),
        leader: Option<Str>,
        members: Vec<Member>,
        state_since_ms: i64,
        now: Now,
    ) -> Self {
        let mut group = Self::new(id, now);
        group.generation = generation;
        group.state_since_ms = state_since_ms;
        (group.protocol_type, group.protocol_name) = protocol;
        if members.is_empty() {
            group.protocol_name = None;
            return group;
        }
        group.state = State::Stable;
        for mut member in members {
            // Members get a whole session to find the coordinator again.
            member.touch(now);
            if let Some(instance) = &member.instance_id {
                group.static_members.insert(instance.clone(), member.id.clone());
            }
            group.members.insert(member.id.clone(), member);
        }
        group.leader = leader.filter(|leader| group.members.contains_key(leader));
        group.leader = group.leader.or_else(|| group.members.keys().next().cloned());
        group
    }

    pub fn id(&self) -> &Str {
        &self.id
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// Since when it has been in this state, milliseconds since 1970.
    pub fn state_since_ms(&self) -> i64 {
        self.state_since_ms
    }

    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// `consumer`, `connect`, …; `None` for a group that only stores offsets.
    pub fn protocol_type(&self) -> Option<&Str> {
        self.protocol_type.as_ref()
    }

    /// The protocol (assignor) that this generation voted for.
    pub fn protocol_name(&self) -> Option<&Str> {
        self.protocol_name.as_ref()
    }

    pub fn leader(&self) -> Option<&Str> {
        self.leader.as_ref()
    }

    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values()
    }

    /// What is to be written for a member: the assignment being written, else the one it has.
    pub fn assignment_to_write<'a>(&'a self, member: &'a Member) -> &'a Bytes {
        let written = self.sync.as_ref().and_then(|sync| sync.assignment.as_ref());
        written.and_then(|a| a.get(&member.id)).unwrap_or(&member.assignment)
    }

    /// Marks the group as deleted; allowed when it is Empty.
    pub fn kill(&mut self, now: Now) {
        debug_assert!(self.members.is_empty());
        self.enter(State::Dead, now);
    }

    fn enter(&mut self, state: State, now: Now) {
        self.state = state;
        self.state_since_ms = now.wall_ms;
    }

    fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// Checks that a member is one, and, when it is static, that nobody took its place.
    fn check_member(&self, member_id: &str, instance_id: Option<&Str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance_id {
            match self.static_members.get(instance) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(present) if *present != *member_id => {
                    return Err(ErrorCode::FENCED_INSTANCE_ID);
                }
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) {
            Ok(())
        } else {
            Err(ErrorCode::UNKNOWN_MEMBER_ID)
        }
    }
}

impl State {
    /// Kafka's name for it.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
            State::Dead => "Dead",
        }
    }
}

#[cfg(test)]
mod tests;
