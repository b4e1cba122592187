use bytes::Bytes;
use protocol::{ErrorCode, Str};

use super::member::timeout;
use super::{
    Effect, Group, GroupSettings, MAX_PENDING_MEMBERS, Member, Now, Persist, RequestId, State,
};

/// A JoinGroup request.
#[derive(Debug, Clone)]
pub struct Join {
    pub request: RequestId,
    /// Empty for a member that has none yet.
    pub member_id: Str,
    pub instance_id: Option<Str>,
    /// The id that a new member gets.
    pub fresh_member_id: Str,
    /// v4+: a new dynamic member must come back with its id before it counts (KIP-394).
    pub require_known_member_id: bool,
    /// v9+: a static leader that comes back may be told to skip the assignment (KIP-814).
    pub can_skip_assignment: bool,
    pub client_id: Str,
    pub client_host: Str,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub protocol_type: Str,
    pub protocols: Vec<(Str, Bytes)>,
}

/// A JoinGroup response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinAnswer {
    pub error: ErrorCode,
    pub generation: i32,
    pub protocol_type: Option<Str>,
    pub protocol_name: Option<Str>,
    pub leader: Str,
    pub member_id: Str,
    pub skip_assignment: bool,
    /// For the leader only.
    pub members: Vec<JoinMember>,
}

/// What the leader learns about a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinMember {
    pub member_id: Str,
    pub instance_id: Option<Str>,
    pub metadata: Bytes,
}

impl JoinAnswer {
    /// A refusal.
    pub fn error(member_id: Str, error: ErrorCode) -> Self {
        Self {
            error,
            generation: -1,
            protocol_type: None,
            protocol_name: None,
            leader: Str::EMPTY,
            member_id,
            skip_assignment: false,
            members: Vec::new(),
        }
    }
}

impl Group {
    /// A member joins, for the first time or again.
    pub fn join(&mut self, join: Join, settings: &GroupSettings, now: Now, out: &mut Vec<Effect>) {
        if let Err(error) = self.check_join(&join, settings) {
            let answer = JoinAnswer::error(join.member_id, error);
            out.push(Effect::Joined(join.request, answer));
            return;
        }
        if join.member_id.is_empty() {
            self.join_new(join, settings, now, out);
        } else if self.pending.contains_key(&join.member_id) {
            let id = join.member_id.clone();
            self.add_member(id, join, settings, now, out);
        } else {
            self.join_known(join, settings, now, out);
        }
        self.complete_join_if_ready(settings, now, out);
    }

    fn check_join(&self, join: &Join, settings: &GroupSettings) -> Result<(), ErrorCode> {
        if self.state == State::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        let sessions = settings.min_session_timeout_ms..=settings.max_session_timeout_ms;
        if !sessions.contains(&join.session_timeout_ms) {
            return Err(ErrorCode::INVALID_SESSION_TIMEOUT);
        }
        if !self.has_room_for(&join.member_id, join.instance_id.as_ref(), settings) {
            return Err(ErrorCode::GROUP_MAX_SIZE_REACHED);
        }
        if !self.supports(&join.protocol_type, &join.protocols) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        if join.member_id.is_empty() || self.pending.contains_key(&join.member_id) {
            return Ok(());
        }
        self.check_member(&join.member_id, join.instance_id.as_ref())
    }

    fn has_room_for(
        &self,
        member_id: &str,
        instance_id: Option<&Str>,
        settings: &GroupSettings,
    ) -> bool {
        let is_member = self.members.contains_key(member_id)
            || instance_id.is_some_and(|instance| self.static_members.contains_key(instance));
        let pending_room = !member_id.is_empty() || self.pending.len() < MAX_PENDING_MEMBERS;
        is_member || (self.members.len() < settings.max_size && pending_room)
    }

    /// Whether somebody with these protocols can be a member beside the present ones.
    fn supports(&self, protocol_type: &Str, protocols: &[(Str, Bytes)]) -> bool {
        if self.members.is_empty() && self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_ref().is_none_or(|present| present == protocol_type)
            && protocols
                .iter()
                .any(|(name, _)| self.members.values().all(|member| member.supports(name)))
    }

    fn join_new(&mut self, join: Join, settings: &GroupSettings, now: Now, out: &mut Vec<Effect>) {
        let id = join.fresh_member_id.clone();
        let present = join.instance_id.as_ref().and_then(|i| self.static_members.get(i)).cloned();
        if let Some(old) = present {
            self.replace_static(&old, id, join, settings, now, out);
        } else if join.instance_id.is_none() && join.require_known_member_id {
            let forget_at = now.monotonic_ms + timeout(join.session_timeout_ms);
            self.pending.insert(id.clone(), forget_at);
            let answer = JoinAnswer::error(id, ErrorCode::MEMBER_ID_REQUIRED);
            out.push(Effect::Joined(join.request, answer));
        } else {
            self.add_member(id, join, settings, now, out);
        }
    }

    fn add_member(
        &mut self,
        id: Str,
        join: Join,
        settings: &GroupSettings,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.pending.remove(&id);
        let mut member = Member::new(
            id.clone(),
            join.instance_id,
            (join.client_id, join.client_host),
            (join.rebalance_timeout_ms, join.session_timeout_ms),
            join.protocols,
        );
        member.joining = Some(join.request);
        member.wait_as_new(now);
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type);
        }
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), id.clone());
        }
        self.members.insert(id.clone(), member);
        self.leader.get_or_insert(id);
        if let Some(initial) = self.rebalance.as_mut().and_then(|r| r.initial.as_mut()) {
            initial.new_member = true;
        }
        self.rebalance_if_possible(settings, now, out);
    }

    /// A known member joins again: it noticed a rebalance, changed its mind, or missed an answer.
    fn join_known(
        &mut self,
        join: Join,
        settings: &GroupSettings,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(member) = self.members.get(&join.member_id) else {
            let answer = JoinAnswer::error(join.member_id, ErrorCode::UNKNOWN_MEMBER_ID);
            out.push(Effect::Joined(join.request, answer));
            return;
        };
        let unchanged = member.protocols == join.protocols;
        let stays = match self.state {
            State::CompletingRebalance => unchanged,
            // A leader asks for a new assignment by joining again.
            State::Stable => unchanged && !self.is_leader(&join.member_id),
            _ => false,
        };
        if stays {
            let answer = self.join_answer(&join.member_id);
            if let Some(member) = self.members.get_mut(&join.member_id) {
                member.touch(now);
            }
            out.push(Effect::Joined(join.request, answer));
            return;
        }
        let id = join.member_id.clone();
        self.update_member(&id, join, out);
        self.rebalance_if_possible(settings, now, out);
    }

    fn update_member(&mut self, id: &str, join: Join, out: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.protocols = join.protocols;
        member.rebalance_timeout_ms = join.rebalance_timeout_ms;
        member.session_timeout_ms = join.session_timeout_ms;
        member.client_id = join.client_id;
        member.client_host = join.client_host;
        // The client gave up on the older request, or it would not have sent another.
        if let Some(older) = member.joining.replace(join.request) {
            let answer = JoinAnswer::error(member.id.clone(), ErrorCode::REBALANCE_IN_PROGRESS);
            out.push(Effect::Joined(older, answer));
        }
    }

    /// A static member came back without its member id (a restarted process): it takes its old place.
    fn replace_static(
        &mut self,
        old: &Str,
        new: Str,
        join: Join,
        settings: &GroupSettings,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let leader_before = self.leader.clone();
        let (request, can_skip) = (join.request, join.can_skip_assignment);
        self.rename_member(old, &new, now, out);
        self.update_member(&new, join, out);
        match self.state {
            State::Stable if self.choose_protocol() == self.protocol_name => {
                if let Some(member) = self.members.get_mut(&new) {
                    member.joining = None;
                }
                let answer = self.rejoined_answer(&new, leader_before, can_skip);
                let generation = self.generation;
                out.push(Effect::Persist(Persist::Replaced { generation, request, answer }));
            }
            // In CompletingRebalance the leader was told the old id: it must assign again.
            State::Stable | State::CompletingRebalance => {
                self.rebalance_if_possible(settings, now, out);
            }
            State::Empty | State::PreparingRebalance | State::Dead => {}
        }
    }

    fn rejoined_answer(&self, new: &Str, leader_before: Option<Str>, can_skip: bool) -> JoinAnswer {
        let leads = self.is_leader(new);
        let mut answer = self.join_answer(new);
        if leads && can_skip {
            answer.skip_assignment = true;
        } else {
            // An older client that is told that it leads would assign again: it is told the leader's old id.
            answer.members.clear();
            answer.leader = leader_before.unwrap_or_default();
        }
        answer
    }

    fn rename_member(&mut self, old: &Str, new: &Str, now: Now, out: &mut Vec<Effect>) {
        let Some(mut member) = self.members.remove(old) else { return };
        fence(&mut member, out);
        member.id = new.clone();
        member.touch(now);
        member.is_new = false;
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), new.clone());
        }
        if self.is_leader(old) {
            self.leader = Some(new.clone());
        }
        if let Some(sync) = &mut self.sync {
            if sync.missing.remove(old) {
                sync.missing.insert(new.clone());
            }
            if let Some(assignment) = &mut sync.assignment
                && let Some(mine) = assignment.remove(old)
            {
                assignment.insert(new.clone(), mine);
            }
        }
        self.members.insert(new.clone(), member);
    }

    /// The answer for a member of the present generation.
    pub(super) fn join_answer(&self, member_id: &Str) -> JoinAnswer {
        let protocol = self.protocol_name.clone().unwrap_or_default();
        let member = |m: &Member| JoinMember {
            member_id: m.id.clone(),
            instance_id: m.instance_id.clone(),
            metadata: m.metadata(&protocol).cloned().unwrap_or_default(),
        };
        let leads = self.is_leader(member_id);
        JoinAnswer {
            error: ErrorCode::NONE,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: member_id.clone(),
            skip_assignment: false,
            members: if leads { self.members.values().map(member).collect() } else { Vec::new() },
        }
    }
}

/// Tells whatever waits under a static member's old id that its place is taken.
fn fence(member: &mut Member, out: &mut Vec<Effect>) {
    if let Some(request) = member.joining.take() {
        let answer = JoinAnswer::error(member.id.clone(), ErrorCode::FENCED_INSTANCE_ID);
        out.push(Effect::Joined(request, answer));
    }
    if let Some(request) = member.syncing.take() {
        let answer = super::SyncAnswer::error(ErrorCode::FENCED_INSTANCE_ID);
        out.push(Effect::Synced(request, answer));
    }
}
