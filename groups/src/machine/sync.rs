use std::collections::HashMap;

use bytes::Bytes;
use protocol::{ErrorCode, Str};

use super::{Effect, Group, GroupSettings, JoinAnswer, Now, Persist, RequestId, State};

/// A SyncGroup request.
#[derive(Debug, Clone)]
pub struct Sync {
    pub request: RequestId,
    pub generation: i32,
    pub member_id: Str,
    pub instance_id: Option<Str>,
    pub protocol_type: Option<Str>,
    pub protocol_name: Option<Str>,
    /// From the leader: member id → assignment.
    pub assignments: HashMap<Str, Bytes>,
}

/// A SyncGroup response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncAnswer {
    pub error: ErrorCode,
    pub protocol_type: Option<Str>,
    pub protocol_name: Option<Str>,
    pub assignment: Bytes,
}

impl SyncAnswer {
    /// A refusal.
    pub fn error(error: ErrorCode) -> Self {
        Self { error, protocol_type: None, protocol_name: None, assignment: Bytes::new() }
    }
}

impl Group {
    /// A member asks for its assignment; the leader brings everybody's.
    pub fn sync(&mut self, sync: Sync, now: Now, out: &mut Vec<Effect>) {
        if let Err(error) = self.check_sync(&sync) {
            out.push(Effect::Synced(sync.request, SyncAnswer::error(error)));
            return;
        }
        if let Some(phase) = &mut self.sync {
            phase.missing.remove(&sync.member_id);
        }
        if self.state == State::Stable {
            self.end_sync_phase();
            if let Some(member) = self.members.get_mut(&sync.member_id) {
                member.touch(now);
            }
            let answer = self.sync_answer(&sync.member_id);
            out.push(Effect::Synced(sync.request, answer));
            return;
        }
        let leads = self.is_leader(&sync.member_id);
        if let Some(member) = self.members.get_mut(&sync.member_id)
            && let Some(older) = member.syncing.replace(sync.request)
        {
            // The client gave up on the older request, or it would not have sent another.
            let answer = SyncAnswer::error(ErrorCode::REBALANCE_IN_PROGRESS);
            out.push(Effect::Synced(older, answer));
        }
        if let Some(phase) = &mut self.sync
            && leads
            && phase.assignment.is_none()
        {
            phase.assignment = Some(sync.assignments);
            out.push(Effect::Persist(Persist::Assignment { generation: self.generation }));
        }
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), ErrorCode> {
        if self.state == State::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        self.check_member(&sync.member_id, sync.instance_id.as_ref())?;
        if sync.generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differs =
            |given: &Option<Str>, present: &Option<Str>| given.is_some() && given != present;
        if differs(&sync.protocol_type, &self.protocol_type)
            || differs(&sync.protocol_name, &self.protocol_name)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        match self.state {
            State::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            State::Empty | State::Dead => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    /// What was to be written is durable, or could not be written.
    pub fn persisted(
        &mut self,
        persist: Persist,
        result: Result<(), ErrorCode>,
        settings: &GroupSettings,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        match persist {
            Persist::Emptied => {}
            Persist::Replaced { generation, request, mut answer } => {
                // The rest of the group may have moved on meanwhile; the member will notice by its generation.
                debug_assert!(generation <= self.generation || self.generation == 1);
                if let Err(error) = result {
                    answer = JoinAnswer::error(answer.member_id, error);
                }
                out.push(Effect::Joined(request, answer));
            }
            Persist::Assignment { generation }
                if self.state == State::CompletingRebalance && generation == self.generation =>
            {
                match result {
                    Ok(()) => self.hand_out_assignments(now, out),
                    Err(error) => {
                        self.answer_syncs(error, now, out);
                        self.rebalance_if_possible(settings, now, out);
                        self.complete_join_if_ready(settings, now, out);
                    }
                }
            }
            // A rebalance has begun meanwhile: everybody was told to join again.
            Persist::Assignment { .. } => {}
        }
    }

    fn hand_out_assignments(&mut self, now: Now, out: &mut Vec<Effect>) {
        let assignment = self.sync.as_mut().and_then(|sync| sync.assignment.take());
        let mut assignment = assignment.unwrap_or_default();
        for member in self.members.values_mut() {
            member.assignment = assignment.remove(&member.id).unwrap_or_default();
        }
        self.enter(State::Stable, now);
        let waiting: Vec<(Str, RequestId)> = self
            .members
            .values_mut()
            .filter_map(|member| {
                let request = member.syncing.take()?;
                member.touch(now);
                Some((member.id.clone(), request))
            })
            .collect();
        for (id, request) in waiting {
            out.push(Effect::Synced(request, self.sync_answer(&id)));
        }
        self.end_sync_phase();
    }

    /// Answers all waiting syncs with an error.
    pub(super) fn answer_syncs(&mut self, error: ErrorCode, now: Now, out: &mut Vec<Effect>) {
        for member in self.members.values_mut() {
            if let Some(request) = member.syncing.take() {
                member.touch(now);
                out.push(Effect::Synced(request, SyncAnswer::error(error)));
            }
        }
    }

    fn sync_answer(&self, member_id: &str) -> SyncAnswer {
        SyncAnswer {
            error: ErrorCode::NONE,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment: self
                .members
                .get(member_id)
                .map(|m| m.assignment.clone())
                .unwrap_or_default(),
        }
    }

    fn end_sync_phase(&mut self) {
        if self.sync.as_ref().is_some_and(|sync| sync.missing.is_empty()) {
            self.sync = None;
        }
    }
}
