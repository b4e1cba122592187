use protocol::{ErrorCode, Str};

use super::{Effect, Group, GroupSettings, Now, State};

/// Who leaves: by member id, or a static member by its instance id alone.
#[derive(Debug, Clone)]
pub struct Leaving {
    pub member_id: Str,
    pub instance_id: Option<Str>,
}

impl Group {
    /// A member leaves, or an administrator takes it out.
    pub fn leave(
        &mut self,
        leaving: &Leaving,
        settings: &GroupSettings,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> ErrorCode {
        if self.state == State::Dead {
            return ErrorCode::COORDINATOR_NOT_AVAILABLE;
        }
        let id = match (&leaving.instance_id, leaving.member_id.is_empty()) {
            (Some(instance), true) => match self.static_members.get(instance) {
                Some(id) => id.clone(),
                None => return ErrorCode::UNKNOWN_MEMBER_ID,
            },
            _ => leaving.member_id.clone(),
        };
        if self.pending.remove(&id).is_some() {
            self.complete_join_if_ready(settings, now, out);
            return ErrorCode::NONE;
        }
        if let Err(error) = self.check_member(&id, leaving.instance_id.as_ref()) {
            return error;
        }
        self.remove_and_rebalance(&id, settings, now, out);
        self.complete_join_if_ready(settings, now, out);
        ErrorCode::NONE
    }

    pub(super) fn remove_and_rebalance(
        &mut self,
        id: &str,
        settings: &GroupSettings,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.remove_member(id, out);
        if matches!(self.state, State::Stable | State::CompletingRebalance) {
            self.rebalance_if_possible(settings, now, out);
        }
    }
}
