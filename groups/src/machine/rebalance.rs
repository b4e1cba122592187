use protocol::{ErrorCode, Str};

use super::member::timeout;
use super::{
    Effect, Group, GroupSettings, InitialDelay, JoinAnswer, Now, Persist, Rebalance, State,
    SyncAnswer, SyncPhase,
};

impl Group {
    /// Starts a rebalance, unless one is under way.
    pub(super) fn rebalance_if_possible(
        &mut self,
        settings: &GroupSettings,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let rebalance = match self.state {
            State::PreparingRebalance | State::Dead => return,
            State::Empty => {
                let delay = settings.initial_rebalance_delay_ms;
                Rebalance {
                    deadline: now.monotonic_ms + delay,
                    initial: Some(InitialDelay {
                        remaining_ms: self.rebalance_timeout_ms().saturating_sub(delay),
                        new_member: false,
                    }),
                }
            }
            State::CompletingRebalance | State::Stable => {
                self.answer_syncs(ErrorCode::REBALANCE_IN_PROGRESS, now, out);
                Rebalance {
                    deadline: now.monotonic_ms + self.rebalance_timeout_ms(),
                    initial: None,
                }
            }
        };
        self.sync = None;
        self.rebalance = Some(rebalance);
        self.enter(State::PreparingRebalance, now);
    }

    /// Ends the rebalance when nobody is waited for any more.
    pub(super) fn complete_join_if_ready(
        &mut self,
        settings: &GroupSettings,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(rebalance) = &mut self.rebalance else { return };
        let due = rebalance.deadline <= now.monotonic_ms;
        if let Some(initial) = &mut rebalance.initial {
            if !due {
                return;
            }
            if initial.new_member && initial.remaining_ms > 0 {
                let delay = settings.initial_rebalance_delay_ms.min(initial.remaining_ms);
                initial.remaining_ms -= delay;
                initial.new_member = false;
                rebalance.deadline = now.monotonic_ms + delay;
                if delay > 0 {
                    return;
                }
            }
            self.complete_join(now, out);
            return;
        }
        let all_here =
            self.pending.is_empty() && self.members.values().all(|member| member.joining.is_some());
        if all_here || due {
            self.complete_join(now, out);
        }
    }

    fn complete_join(&mut self, now: Now, out: &mut Vec<Effect>) {
        let gone = |m: &super::Member| m.joining.is_none() && m.instance_id.is_none();
        let gone: Vec<Str> =
            self.members.values().filter(|m| gone(m)).map(|m| m.id.clone()).collect();
        for id in gone {
            self.remove_member(&id, out);
        }
        if !self.members.is_empty() && !self.elect_joined_leader() {
            // Only static members, and none of them is here: their sessions decide.
            let deadline = now.monotonic_ms + self.rebalance_timeout_ms().max(1);
            self.rebalance = Some(Rebalance { deadline, initial: None });
            return;
        }
        self.rebalance = None;
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if self.members.is_empty() {
            self.protocol_name = None;
            self.leader = None;
            self.enter(State::Empty, now);
            out.push(Effect::Persist(Persist::Emptied));
            return;
        }
        self.protocol_name = self.choose_protocol();
        self.enter(State::CompletingRebalance, now);
        self.sync = Some(SyncPhase {
            deadline: now.monotonic_ms + self.rebalance_timeout_ms(),
            missing: self.members.keys().cloned().collect(),
            assignment: None,
        });
        self.answer_joins(now, out);
    }

    fn answer_joins(&mut self, now: Now, out: &mut Vec<Effect>) {
        let waiting: Vec<Str> = self.members.keys().cloned().collect();
        for id in waiting {
            let answer = self.join_answer(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.is_new = false;
            member.touch(now);
            if let Some(request) = member.joining.take() {
                out.push(Effect::Joined(request, answer));
            }
        }
    }

    /// A leader that has not joined this time gives way to a member that has.
    fn elect_joined_leader(&mut self) -> bool {
        let joined = |id: &Str| self.members.get(id).is_some_and(|m| m.joining.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        match self.members.values().find(|member| member.joining.is_some()) {
            Some(member) => {
                self.leader = Some(member.id.clone());
                true
            }
            None => false,
        }
    }

    /// Of the protocols that all members support, the one that most members prefer.
    pub(super) fn choose_protocol(&self) -> Option<Str> {
        let common =
            |name: &Str| self.members.values().all(|member| member.supports(name.as_str()));
        let first = self.members.values().next()?;
        let mut votes: Vec<(Str, usize)> = first
            .protocols
            .iter()
            .filter(|(name, _)| common(name))
            .map(|(name, _)| (name.clone(), 0))
            .collect();
        for member in self.members.values() {
            let choice = member
                .protocols
                .iter()
                .find_map(|(name, _)| votes.iter().position(|(candidate, _)| candidate == name));
            if let Some(choice) = choice {
                votes[choice].1 += 1;
            }
        }
        let most = votes.iter().map(|(_, n)| *n).max()?;
        votes.into_iter().find(|(_, n)| *n == most).map(|(name, _)| name)
    }

    /// The longest that any member wants to be waited for.
    pub(super) fn rebalance_timeout_ms(&self) -> u64 {
        self.members.values().map(|m| timeout(m.rebalance_timeout_ms)).max().unwrap_or(0)
    }

    /// Takes a member out; its waiting requests are told so. The caller starts a rebalance.
    pub(super) fn remove_member(&mut self, id: &str, out: &mut Vec<Effect>) {
        let Some(member) = self.members.remove(id) else { return };
        if let Some(request) = member.joining {
            let answer = JoinAnswer::error(member.id.clone(), ErrorCode::UNKNOWN_MEMBER_ID);
            out.push(Effect::Joined(request, answer));
        }
        if let Some(request) = member.syncing {
            let answer = SyncAnswer::error(ErrorCode::UNKNOWN_MEMBER_ID);
            out.push(Effect::Synced(request, answer));
        }
        if let Some(instance) = &member.instance_id
            && self.static_members.get(instance) == Some(&member.id)
        {
            self.static_members.remove(instance);
        }
        if let Some(sync) = &mut self.sync {
            sync.missing.remove(&member.id);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
    }
}
