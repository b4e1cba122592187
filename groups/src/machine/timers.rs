use protocol::Str;

use super::{Effect, Group, GroupSettings, Member, Now, State};

impl Group {
    /// When [`Group::tick`] has something to do, in monotonic milliseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        let members = self.members.values().filter_map(|member| member.deadline);
        let pending = self.pending.values().copied();
        let phases = [
            self.rebalance.as_ref().map(|rebalance| rebalance.deadline),
            self.sync.as_ref().map(|sync| sync.deadline),
        ];
        members.chain(pending).chain(phases.into_iter().flatten()).min()
    }

    /// Does what is due.
    pub fn tick(&mut self, settings: &GroupSettings, now: Now, out: &mut Vec<Effect>) {
        let at = now.monotonic_ms;
        self.pending.retain(|_, forget_at| *forget_at > at);
        for id in self.expired_members(at) {
            self.remove_and_rebalance(&id, settings, now, out);
        }
        if self.sync.as_ref().is_some_and(|sync| sync.deadline <= at) {
            self.sync_is_overdue(settings, now, out);
        }
        self.complete_join_if_ready(settings, now, out);
    }

    fn expired_members(&mut self, at: u64) -> Vec<Str> {
        let mut expired = Vec::new();
        for member in self.members.values_mut().filter(|m| m.deadline.is_some_and(|d| d <= at)) {
            if waits_for_us(member) {
                // It will get a new session with its answer.
                member.deadline = None;
            } else {
                expired.push(member.id.clone());
            }
        }
        expired
    }

    /// Members that got a generation and never came for their assignment are taken for lost.
    fn sync_is_overdue(&mut self, settings: &GroupSettings, now: Now, out: &mut Vec<Effect>) {
        let Some(sync) = self.sync.take() else { return };
        if sync.missing.is_empty() {
            // Everybody has synced, and the write of the assignment is still under way.
            let deadline = now.monotonic_ms + self.rebalance_timeout_ms().max(1);
            self.sync = Some(super::SyncPhase { deadline, ..sync });
            return;
        }
        let missing: Vec<Str> = sync.missing.iter().cloned().collect();
        self.sync = Some(sync);
        for id in &missing {
            self.remove_member(id, out);
        }
        if matches!(self.state, State::Stable | State::CompletingRebalance) {
            self.rebalance_if_possible(settings, now, out);
        }
    }
}

/// A member whose request waits here cannot send heartbeats; a new one is not waited for without end.
fn waits_for_us(member: &Member) -> bool {
    !member.is_new && (member.joining.is_some() || member.syncing.is_some())
}
